"""/v3/credentials: secrets for other ways of signing in, seen by their owner and by who may see everything."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.delegation import refuse_delegated
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas_catalog import CREDENTIAL_CREATE, CREDENTIAL_UPDATE, EC2_CREDENTIAL_CREATE
from appliance.db.records import Record
from appliance.errors import NotFound
from appliance.identity.credentials import EC2
from appliance.identity.policy import Target
from appliance.identity.service import Identity
from appliance.identity.token import Token


class Credentials:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/credentials — those that the caller may see: none, for a delegated token."""
        token = request.caller
        self._identity.enforce(token, "list_credentials", {"credential.user_id": token.user.id})
        listing = self._lists.read(request, ("user_id", "type"))
        if not self._identity.allows(token, "get_credential"):
            listing = listing.narrowed("user_id", token.user.id)
        found = [] if token.delegated else self._identity.credentials.search(listing.filters, listing.page)
        return self._answers.collection(request, "credentials", found, listing)

    def show(self, request: Request[Token], credential_id: str) -> Reply:
        """GET /v3/credentials/{credential_id}"""
        credential = self._permitted(request, "get_credential", credential_id)
        return self._answers.member(request, "credential", "credentials", credential)

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/credentials"""
        credential = member(request, "credential", CREDENTIAL_CREATE)
        if credential["type"] == EC2:
            EC2_CREDENTIAL_CREATE.check(credential)
        self._identity.enforce(request.caller, "create_credential", _target(credential))
        refuse_delegated(request.caller)
        created = self._identity.credentials.create(credential)
        return self._answers.member(request, "credential", "credentials", created, 201)

    def update(self, request: Request[Token], credential_id: str) -> Reply:
        """PATCH /v3/credentials/{credential_id}"""
        changes = member(request, "credential", CREDENTIAL_UPDATE)
        current = self._permitted(request, "update_credential", credential_id)
        self._identity.enforce(request.caller, "update_credential", _target({**current, **changes}))
        changed = self._identity.credentials.update(credential_id, changes)
        return self._answers.member(request, "credential", "credentials", changed)

    def delete(self, request: Request[Token], credential_id: str) -> Reply:
        """DELETE /v3/credentials/{credential_id}"""
        self._permitted(request, "delete_credential", credential_id)
        self._identity.credentials.delete(credential_id)
        return done()

    def _permitted(self, request: Request[Token], action: str, credential_id: str) -> Record:
        """The credential, if the caller may do this to it. Who may not learns nothing of whether it exists."""
        try:
            credential = self._identity.credentials.get(credential_id)
        except NotFound:
            self._identity.enforce(request.caller, action)
            raise
        self._identity.enforce(request.caller, action, _target(credential))
        refuse_delegated(request.caller)
        return credential


def _target(credential: Record) -> Target:
    return {"credential.user_id": credential.get("user_id")}
