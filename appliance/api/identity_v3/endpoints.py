"""/v3/endpoints: where the services are."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas_catalog import ENDPOINT_CREATE, ENDPOINT_UPDATE
from appliance.api.identity_v3.views import shown_endpoint
from appliance.db.records import Record
from appliance.errors import Invalid
from appliance.identity.service import Identity
from appliance.identity.token import Token

_INTERFACES = ("admin", "internal", "public")


class Endpoints:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/endpoints"""
        known_interface(request)
        listing = self._lists.read(request, ("interface", "service_id", "region_id"))
        found = self._identity.endpoints.search(listing.filters, listing.page)
        addresses = self._answers.addresses(request)
        shown = [shown_endpoint(endpoint, addresses) for endpoint in found]
        return self._answers.collection(request, "endpoints", shown, listing)

    def show(self, request: Request[Token], endpoint_id: str) -> Reply:
        """GET /v3/endpoints/{endpoint_id}"""
        return self._member(request, self._identity.endpoints.get(endpoint_id))

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/endpoints"""
        endpoint = member(request, "endpoint", ENDPOINT_CREATE)
        return self._member(request, self._identity.endpoints.create(endpoint), 201)

    def update(self, request: Request[Token], endpoint_id: str) -> Reply:
        """PATCH /v3/endpoints/{endpoint_id}"""
        changes = member(request, "endpoint", ENDPOINT_UPDATE)
        return self._member(request, self._identity.endpoints.update(endpoint_id, changes))

    def delete(self, request: Request[Token], endpoint_id: str) -> Reply:
        """DELETE /v3/endpoints/{endpoint_id}"""
        self._identity.endpoints.delete(endpoint_id)
        return done()

    def _member(self, request: Request[Token], endpoint: Record, status: int = 200) -> Reply:
        shown = shown_endpoint(endpoint, self._answers.addresses(request))
        return self._answers.member(request, "endpoint", "endpoints", shown, status)


def known_interface(request: Request[Token]) -> None:
    """Raise `Invalid` if the query asks for an interface that is none."""
    asked = request.arg("interface")
    if asked is not None and asked not in _INTERFACES:
        raise Invalid(f"An interface is one of {', '.join(_INTERFACES)}.")
