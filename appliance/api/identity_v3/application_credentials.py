"""/v3/users/{user_id}/application_credentials and …/access_rules: programs that act for a user."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.delegation import refuse_for_application_credentials, refuse_restricted
from appliance.api.identity_v3.expiry import future
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas_delegation import APPLICATION_CREDENTIAL
from appliance.db.records import Record
from appliance.errors import NotFound
from appliance.identity.service import Identity
from appliance.identity.token import Token
from appliance.values import micros_text


class ApplicationCredentials:
    """Credentials and their rules. After the policy, each handler refuses the delegated tokens that it must."""

    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token], user_id: str) -> Reply:
        """GET /v3/users/{user_id}/application_credentials"""
        refuse_for_application_credentials(request.caller)
        listing = self._lists.read(request, ("name",))
        found = self._identity.application_credentials.search(user_id, listing.filters, listing.page)
        shown = [_shown(credential) for credential in found]
        return self._answers.collection(request, "application_credentials", shown, listing, _path(user_id))

    def show(self, request: Request[Token], user_id: str, credential_id: str) -> Reply:
        """GET /v3/users/{user_id}/application_credentials/{id}"""
        refuse_for_application_credentials(request.caller)
        credential = self._owned(user_id, credential_id)
        return self._answers.member(request, "application_credential", _path(user_id), _shown(credential))

    def create(self, request: Request[Token], user_id: str) -> Reply:
        """POST /v3/users/{user_id}/application_credentials"""
        asked = member(request, "application_credential", APPLICATION_CREDENTIAL, alone=True)
        refuse_for_application_credentials(request.caller)
        refuse_restricted(request.caller)
        expires_at = future(asked.get("expires_at"), self._identity.ledger.clock())
        created, secret = self._identity.application_credentials.create(request.caller, asked, expires_at)
        shown = {**_shown(created), "secret": secret}
        return self._answers.member(request, "application_credential", _path(user_id), shown, 201)

    def delete(self, request: Request[Token], user_id: str, credential_id: str) -> Reply:
        """DELETE /v3/users/{user_id}/application_credentials/{id}"""
        refuse_for_application_credentials(request.caller)
        self._owned(user_id, credential_id)
        refuse_restricted(request.caller)
        self._identity.application_credentials.delete(credential_id)
        return done()

    def list_rules(self, request: Request[Token], user_id: str) -> Reply:
        """GET /v3/users/{user_id}/access_rules"""
        refuse_for_application_credentials(request.caller)
        listing = self._lists.read(request, ("service", "path", "method"))
        found = self._identity.application_credentials.access_rules(user_id, listing.filters)
        shown = [_shown_rule(rule) for rule in found]
        return self._answers.collection(request, "access_rules", shown, None, f"users/{user_id}/access_rules")

    def show_rule(self, request: Request[Token], user_id: str, rule_id: str) -> Reply:
        """GET /v3/users/{user_id}/access_rules/{id}"""
        refuse_for_application_credentials(request.caller)
        rule = self._identity.application_credentials.access_rule(user_id, rule_id)
        return self._answers.member(request, "access_rule", f"users/{user_id}/access_rules", _shown_rule(rule))

    def delete_rule(self, request: Request[Token], user_id: str, rule_id: str) -> Reply:
        """DELETE /v3/users/{user_id}/access_rules/{id}"""
        refuse_for_application_credentials(request.caller)
        self._identity.application_credentials.delete_access_rule(user_id, rule_id)
        return done()

    def _owned(self, user_id: str, credential_id: str) -> Record:
        """The credential, if it is the user's of the path. Raises `NotFound`."""
        credential = self._identity.application_credentials.get(credential_id)
        if credential["user_id"] != user_id:
            raise NotFound(f"Could not find application credential: {credential_id}.")
        return credential


def _path(user_id: str) -> str:
    return f"users/{user_id}/application_credentials"


def _shown(credential: Record) -> Record:
    expires_at = credential["expires_at"]
    view = {**credential, "expires_at": None if expires_at is None else micros_text(expires_at).removesuffix("Z")}
    view["system"] = None
    if not view["access_rules"]:
        del view["access_rules"]
    return view


def _shown_rule(rule: Record) -> Record:
    return {key: rule[key] for key in ("id", "service", "method", "path")}
