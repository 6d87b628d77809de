"""/v3/regions: where endpoints are."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas_catalog import REGION_CREATE, REGION_UPDATE
from appliance.errors import Invalid
from appliance.identity.service import Identity
from appliance.identity.token import Token


class Regions:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/regions"""
        listing = self._lists.read(request, ("parent_region_id",))
        found = self._identity.regions.search(listing.filters, listing.page)
        return self._answers.collection(request, "regions", found, listing)

    def show(self, request: Request[Token], region_id: str) -> Reply:
        """GET /v3/regions/{region_id}"""
        return self._answers.member(request, "region", "regions", self._identity.regions.get(region_id))

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/regions"""
        region = member(request, "region", REGION_CREATE)
        return self._answers.member(request, "region", "regions", self._identity.regions.create(region), 201)

    def put(self, request: Request[Token], region_id: str) -> Reply:
        """PUT /v3/regions/{region_id} — a new region under an id of the client's choice."""
        region = member(request, "region", REGION_CREATE)
        if region.setdefault("id", region_id) != region_id:
            raise Invalid(f'Conflicting region IDs specified: "{region_id}" != "{region["id"]}"')
        return self._answers.member(request, "region", "regions", self._identity.regions.create(region), 201)

    def update(self, request: Request[Token], region_id: str) -> Reply:
        """PATCH /v3/regions/{region_id}"""
        changes = member(request, "region", REGION_UPDATE)
        return self._answers.member(request, "region", "regions", self._identity.regions.update(region_id, changes))

    def delete(self, request: Request[Token], region_id: str) -> Reply:
        """DELETE /v3/regions/{region_id}"""
        self._identity.regions.delete(region_id)
        return done()
