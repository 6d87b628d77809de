"""/v3/credentials: secrets for other ways of signing in, seen by their owner and by who may see everything."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.delegation import refuse_delegated
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas_catalog import CREDENTIAL_CREATE, CREDENTIAL_UPDATE, EC2_CREDENTIAL_CREATE
from appliance.api.identity_v3.targets import credential_target
from appliance.db.records import Record
from appliance.identity.credentials import EC2
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
        listing = self._lists.read(request, ("user_id", "type"))
        if not self._identity.allows(token, "identity:get_credential"):
            listing = listing.narrowed("user_id", token.user.id)
        found = [] if token.delegated else self._identity.credentials.search(listing.filters, listing.page)
        return self._answers.collection(request, "credentials", found, listing)

    def show(self, request: Request[Token], credential_id: str) -> Reply:
        """GET /v3/credentials/{credential_id}"""
        credential = self._identity.credentials.get(credential_id)
        refuse_delegated(request.caller)
        return self._answers.member(request, "credential", "credentials", credential)

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/credentials"""
        credential = new_credential(request)
        refuse_delegated(request.caller)
        created = self._identity.credentials.create(credential)
        return self._answers.member(request, "credential", "credentials", created, 201)

    def update(self, request: Request[Token], credential_id: str) -> Reply:
        """PATCH /v3/credentials/{credential_id}"""
        changes = member(request, "credential", CREDENTIAL_UPDATE)
        current = self._identity.credentials.get(credential_id)
        refuse_delegated(request.caller)
        # A second time, as Keystone does: the caller must be allowed to do it to what it becomes, too.
        self._identity.enforce(request.caller, "identity:update_credential", credential_target({**current, **changes}))
        changed = self._identity.credentials.update(credential_id, changes)
        return self._answers.member(request, "credential", "credentials", changed)

    def delete(self, request: Request[Token], credential_id: str) -> Reply:
        """DELETE /v3/credentials/{credential_id}"""
        self._identity.credentials.get(credential_id)
        refuse_delegated(request.caller)
        self._identity.credentials.delete(credential_id)
        return done()


def new_credential(request: Request[Token]) -> Record:
    """What is sent to be made, checked: one for EC2 needs a project."""
    credential = member(request, "credential", CREDENTIAL_CREATE)
    if credential["type"] == EC2:
        EC2_CREDENTIAL_CREATE.check(credential)
    return credential
