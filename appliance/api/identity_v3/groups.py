"""/v3/groups: groups of users and who is in them."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas import GROUP_CREATE, GROUP_UPDATE
from appliance.api.identity_v3.targets import home_domain
from appliance.api.identity_v3.users import EXACT, expiry_filters
from appliance.api.identity_v3.views import shown_user
from appliance.identity.service import Identity
from appliance.identity.token import Token


class Groups:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/groups"""
        token = request.caller
        listing = self._lists.read(request, ("domain_id", "name"))
        if token.domain_id is not None:
            listing = listing.narrowed("domain_id", token.domain_id)
        found = self._identity.groups.search(listing.filters, listing.page)
        return self._answers.collection(request, "groups", found, listing)

    def show(self, request: Request[Token], group_id: str) -> Reply:
        """GET /v3/groups/{group_id}"""
        return self._answers.member(request, "group", "groups", self._identity.groups.get(group_id))

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/groups"""
        group = member(request, "group", GROUP_CREATE)
        group.setdefault("domain_id", home_domain(request.caller))
        return self._answers.member(request, "group", "groups", self._identity.groups.create(group), 201)

    def update(self, request: Request[Token], group_id: str) -> Reply:
        """PATCH /v3/groups/{group_id}"""
        changes = member(request, "group", GROUP_UPDATE)
        return self._answers.member(request, "group", "groups", self._identity.groups.update(group_id, changes))

    def delete(self, request: Request[Token], group_id: str) -> Reply:
        """DELETE /v3/groups/{group_id}"""
        self._identity.groups.delete(group_id)
        return done()

    def members(self, request: Request[Token], group_id: str) -> Reply:
        """GET /v3/groups/{group_id}/users"""
        token = request.caller
        ids = self._identity.groups.member_ids(group_id)
        listing = self._lists.read(request, EXACT, ("enabled",))
        if token.domain_id is not None:
            listing = listing.narrowed("domain_id", token.domain_id)
        filters = [*listing.filters, *expiry_filters(request)]
        found = self._identity.users.search(filters, listing.page, ids)
        return self._answers.collection(request, "users", [shown_user(user) for user in found], listing)

    def check_member(self, request: Request[Token], group_id: str, user_id: str) -> Reply:
        """GET and HEAD /v3/groups/{group_id}/users/{user_id}"""
        self._identity.groups.require_member(group_id, user_id)
        return done()

    def add_member(self, request: Request[Token], group_id: str, user_id: str) -> Reply:
        """PUT /v3/groups/{group_id}/users/{user_id}"""
        self._identity.groups.add_member(group_id, user_id)
        return done()

    def remove_member(self, request: Request[Token], group_id: str, user_id: str) -> Reply:
        """DELETE /v3/groups/{group_id}/users/{user_id}"""
        self._identity.groups.remove_member(group_id, user_id)
        return done()
