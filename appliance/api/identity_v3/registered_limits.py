"""/v3/registered_limits: what services hand out by default."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member, members
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas_catalog import REGISTERED_LIMIT_UPDATE, REGISTERED_LIMITS_CREATE
from appliance.identity.service import Identity
from appliance.identity.token import Token

_PATH = "registered_limits"


class RegisteredLimits:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/registered_limits"""
        listing = self._lists.read(request, ("service_id", "region_id", "resource_name"))
        found = self._identity.registered_limits.search(listing.filters, listing.page)
        return self._answers.collection(request, "registered_limits", found, listing)

    def show(self, request: Request[Token], registered_limit_id: str) -> Reply:
        """GET /v3/registered_limits/{registered_limit_id}"""
        found = self._identity.registered_limits.get(registered_limit_id)
        return self._answers.member(request, "registered_limit", _PATH, found)

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/registered_limits — several at once."""
        limits = members(request, "registered_limits", REGISTERED_LIMITS_CREATE)
        created = self._identity.registered_limits.create(limits)
        return Reply(201, {_PATH: [self._answers.linked(request, _PATH, limit) for limit in created]})

    def update(self, request: Request[Token], registered_limit_id: str) -> Reply:
        """PATCH /v3/registered_limits/{registered_limit_id}"""
        changes = member(request, "registered_limit", REGISTERED_LIMIT_UPDATE)
        changed = self._identity.registered_limits.update(registered_limit_id, changes)
        return self._answers.member(request, "registered_limit", _PATH, changed)

    def delete(self, request: Request[Token], registered_limit_id: str) -> Reply:
        """DELETE /v3/registered_limits/{registered_limit_id}"""
        self._identity.registered_limits.delete(registered_limit_id)
        return done()
