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
from appliance.identity.policy import Target
from appliance.identity.service import Identity
from appliance.identity.token import Token
from appliance.values import micros_text

_PATH = "OS-TRUST/trusts"


class Trusts:
    """A trust that does not exist is a 404 for everyone, before any rule: so Keystone's clients expect it."""

    def __init__(self, identity: Identity, answers: Answers) -> None:
        self._identity = identity
        self._answers = answers

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/OS-TRUST/trusts"""
        asked = {party: user_id for party in ("trustor", "trustee") if (user_id := request.arg(f"{party}_user_id"))}
        if asked:
            # Who asks for both needs to be the first: that narrows what they may see already.
            party, user_id = next(iter(asked.items()))
            self._enforce(request, f"list_trusts_for_{party}", {f"trust.{party}_user_id": user_id})
        else:
            self._enforce(request, "list_trusts", {})
        filters = [Filter(f"{party}_user_id", user_id) for party, user_id in asked.items()]
        found = [_shown(trust) for trust in self._identity.trusts.search(filters)]
        return self._answers.collection(request, "trusts", found, None, _PATH)

    def show(self, request: Request[Token], trust_id: str) -> Reply:
        """GET /v3/OS-TRUST/trusts/{trust_id}"""
        return self._whole(request, self._known(request, "get_trust", trust_id))

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/OS-TRUST/trusts — by the trustor themselves."""
        asked = member(request, "trust", TRUST, alone=True)
        self._enforce(request, "create_trust", {"trust.trustor_user_id": asked["trustor_user_id"]})
        expires_at = future(asked.get("expires_at"), self._identity.ledger.clock())
        return self._whole(request, self._identity.trusts.create(request.caller, asked, expires_at), 201)

    def delete(self, request: Request[Token], trust_id: str) -> Reply:
        """DELETE /v3/OS-TRUST/trusts/{trust_id}"""
        self._known(request, "delete_trust", trust_id)
        self._identity.trusts.delete(trust_id)
        return done()

    def roles(self, request: Request[Token], trust_id: str) -> Reply:
        """GET /v3/OS-TRUST/trusts/{trust_id}/roles"""
        trust = self._known(request, "list_roles_for_trust", trust_id)
        return self._answers.collection(request, "roles", trust["roles"])

    def role(self, request: Request[Token], trust_id: str, role_id: str) -> Reply:
        """GET and HEAD /v3/OS-TRUST/trusts/{trust_id}/roles/{role_id}"""
        trust = self._known(request, "get_role_for_trust", trust_id)
        for role in trust["roles"]:
            if role["id"] == role_id:
                return self._answers.member(request, "role", "roles", role)
        raise NotFound(f"Could not find role: {role_id}.")

    def _known(self, request: Request[Token], action: str, trust_id: str) -> Record:
        trust = self._identity.trusts.get(trust_id)
        parties = ("trustor_user_id", "trustee_user_id")
        self._enforce(request, action, {f"trust.{party}": trust[party] for party in parties})
        return trust

    def _enforce(self, request: Request[Token], action: str, target: Target) -> None:
        self._identity.enforce(request.caller, action, target)
        refuse_for_trusts(request.caller)

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
