"""/v3/roles: what someone may be."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.listing import Listing, Lists
from appliance.api.identity_v3.schemas import ROLE_CREATE, ROLE_UPDATE
from appliance.api.identity_v3.views import shown_role
from appliance.identity.service import Identity
from appliance.identity.token import Token


class Roles:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/roles — the global ones, unless domain_id asks for those of a domain."""
        listing = self.listing(request)
        if listing.value("domain_id") is None:
            listing = listing.narrowed("domain_id", None)
        found = self._identity.roles.search(listing.filters, listing.page)
        return self._answers.collection(request, "roles", [shown_role(role) for role in found], listing)

    def listing(self, request: Request[Token]) -> Listing:
        """What the query asks for. Raises `Invalid`."""
        return self._lists.read(request, ("name", "domain_id"))

    def show(self, request: Request[Token], role_id: str) -> Reply:
        """GET /v3/roles/{role_id}"""
        return self._answers.member(request, "role", "roles", shown_role(self._identity.roles.get(role_id)))

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/roles"""
        role = member(request, "role", ROLE_CREATE)
        created = self._identity.roles.create(role)
        return self._answers.member(request, "role", "roles", shown_role(created), 201)

    def update(self, request: Request[Token], role_id: str) -> Reply:
        """PATCH /v3/roles/{role_id}"""
        changes = member(request, "role", ROLE_UPDATE)
        return self._answers.member(request, "role", "roles", shown_role(self._identity.roles.update(role_id, changes)))

    def delete(self, request: Request[Token], role_id: str) -> Reply:
        """DELETE /v3/roles/{role_id}"""
        self._identity.roles.delete(role_id)
        return done()
