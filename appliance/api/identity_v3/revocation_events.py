"""/v3/OS-REVOKE/events: which tokens ended before their time, for services that verify tokens themselves."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers
from appliance.errors import Invalid
from appliance.identity.service import Identity
from appliance.identity.token import Token
from appliance.values import micros_text, parse_time

_SUBJECTS = {
    "user": "user_id",
    "project": "project_id",
    "domain": "domain_id",
    "audit": "audit_id",
    "chain": "audit_chain_id",
}


class RevocationEvents:
    def __init__(self, identity: Identity, answers: Answers) -> None:
        self._identity = identity
        self._answers = answers

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/OS-REVOKE/events"""
        since = 0
        if request.arg("since"):
            try:
                since = parse_time(request.arg("since") or "")
            except (ValueError, OverflowError) as error:
                raise Invalid("since is not a time in ISO 8601.") from error
        events = [
            {_SUBJECTS[kind]: subject, "issued_before": micros_text(at), "revoked_at": micros_text(at)}
            for kind, subject, at in self._identity.revocations.since(since)
        ]
        links = {"next": None, "self": self._answers.self_url(request), "previous": None}
        return Reply(200, {"events": events, "links": links})
