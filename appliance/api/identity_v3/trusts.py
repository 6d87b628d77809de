"""/v3/OS-TRUST/trusts: users who act for other users."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.delegation import refuse_for_trusts
from appliance.api.identity_v3.expiry import future
from appliance.api.identity_v3.schemas_delegation import TRUST
from appliance.db.records import Filter, Record
from appliance.errors import NotFound
from appliance.identity.claims import SECOND
from appliance.identity.service import Identity
from appliance.identity.token import Token
from appliance.values import micros_text

_PATH = "OS-TRUST/trusts"


class Trusts:
    """After the policy, each handler refuses the delegated tokens that may not manage trusts."""

    def __init__(self, identity: Identity, answers: Answers) -> None:
        self._identity = identity
        self._answers = answers

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/OS-TRUST/trusts"""
        asked = {party: user_id for party in ("trustor", "trustee") if (user_id := request.arg(f"{party}_user_id"))}
        refuse_for_trusts(request.caller)
        filters = [Filter(f"{party}_user_id", user_id) for party, user_id in asked.items()]
        found = [_shown(trust) for trust in self._identity.trusts.search(filters)]
        return self._answers.collection(request, "trusts", found, None, _PATH)

    def show(self, request: Request[Token], trust_id: str) -> Reply:
        """GET /v3/OS-TRUST/trusts/{trust_id}"""
        refuse_for_trusts(request.caller)
        return self._whole(request, self._identity.trusts.get(trust_id))

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/OS-TRUST/trusts — by the trustor themselves."""
        asked = member(request, "trust", TRUST, alone=True)
        refuse_for_trusts(request.caller)
        expires_at = future(asked.get("expires_at"), self._identity.ledger.clock())
        return self._whole(request, self._identity.trusts.create(request.caller, asked, expires_at), 201)

    def delete(self, request: Request[Token], trust_id: str) -> Reply:
        """DELETE /v3/OS-TRUST/trusts/{trust_id}"""
        refuse_for_trusts(request.caller)
        self._identity.trusts.delete(trust_id)
        return done()

    def roles(self, request: Request[Token], trust_id: str) -> Reply:
        """GET /v3/OS-TRUST/trusts/{trust_id}/roles"""
        refuse_for_trusts(request.caller)
        return self._answers.collection(request, "roles", self._identity.trusts.get(trust_id)["roles"])

    def role(self, request: Request[Token], trust_id: str, role_id: str) -> Reply:
        """GET and HEAD /v3/OS-TRUST/trusts/{trust_id}/roles/{role_id}"""
        refuse_for_trusts(request.caller)
        for role in self._identity.trusts.get(trust_id)["roles"]:
            if role["id"] == role_id:
                return self._answers.member(request, "role", "roles", role)
        raise NotFound(f"Could not find role: {role_id}.")

    def _whole(self, request: Request[Token], trust: Record, status: int = 200) -> Reply:
        shown = _shown(trust)
        shown["roles"] = [self._answers.linked(request, "roles", role) for role in trust["roles"]]
        own = self._answers.url(request, f"{_PATH}/{trust['id']}/roles")
        shown["roles_links"] = {"self": own, "next": None, "previous": None}
        return self._answers.member(request, "trust", _PATH, shown, status)


def _shown(trust: Record) -> Record:
    """Without what is for our own use; times as Keystone writes them, whose trusts show no fraction."""
    view = {key: value for key, value in trust.items() if key != "roles"}
    for name in ("expires_at", "deleted_at"):
        view[name] = None if view[name] is None else micros_text(view[name] // SECOND * SECOND)
    return view
