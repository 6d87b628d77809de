"""/v3/roles: what someone may be."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas import ROLE_CREATE, ROLE_UPDATE
from appliance.api.identity_v3.views import shown_role
from appliance.db.records import Record
from appliance.errors import NotFound
from appliance.identity.service import Identity
from appliance.identity.token import Token


class Roles:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/roles — the global ones, unless domain_id asks for those of a domain."""
        listing = self._lists.read(request, ("name", "domain_id"))
        domain_id = listing.value("domain_id")
        self._identity.enforce(request.caller, "list_domain_roles" if domain_id else "list_roles")
        if domain_id is None:
            listing = listing.narrowed("domain_id", None)
        found = self._identity.roles.search(listing.filters, listing.page)
        return self._answers.collection(request, "roles", [shown_role(role) for role in found], listing)

    def show(self, request: Request[Token], role_id: str) -> Reply:
        """GET /v3/roles/{role_id}"""
        role = self._permitted(request, "get", role_id)
        return self._answers.member(request, "role", "roles", shown_role(role))

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/roles"""
        role = member(request, "role", ROLE_CREATE)
        self._identity.enforce(request.caller, "create_domain_role" if role.get("domain_id") else "create_role")
        created = self._identity.roles.create(role)
        return self._answers.member(request, "role", "roles", shown_role(created), 201)

    def update(self, request: Request[Token], role_id: str) -> Reply:
        """PATCH /v3/roles/{role_id}"""
        changes = member(request, "role", ROLE_UPDATE)
        self._permitted(request, "update", role_id)
        return self._answers.member(request, "role", "roles", shown_role(self._identity.roles.update(role_id, changes)))

    def delete(self, request: Request[Token], role_id: str) -> Reply:
        """DELETE /v3/roles/{role_id}"""
        self._permitted(request, "delete", role_id)
        self._identity.roles.delete(role_id)
        return done()

    def _permitted(self, request: Request[Token], doing: str, role_id: str) -> Record:
        """The role, if the caller may do this to it. Who may not learns nothing of whether it exists."""
        try:
            role = self._identity.roles.get(role_id)
        except NotFound:
            self._identity.enforce(request.caller, f"{doing}_role")
            raise
        action = f"{doing}_domain_role" if role["domain_id"] else f"{doing}_role"
        self._identity.enforce(request.caller, action, {"role.id": role["id"], "role.name": role["name"]})
        return role
