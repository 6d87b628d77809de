"""/v3/regions, /v3/services and /v3/endpoints."""

from appliance.api.http.messages import Request, Response
from appliance.api.identity_v3.presentation import Presenter, QueryParser, done, shown_endpoint
from appliance.api.identity_v3.schemas import member
from appliance.api.identity_v3.schemas_catalog import (
    ENDPOINT_CREATE,
    ENDPOINT_UPDATE,
    REGION_CREATE,
    REGION_UPDATE,
    SERVICE_CREATE,
    SERVICE_UPDATE,
)
from appliance.db.records import Record
from appliance.errors import Invalid
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token


class Regions:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/regions"""
        listing = self._queries.read(request, ("parent_region_id",))
        found = self._identity.regions.search(listing.filters, listing.page)
        return self._presenter.collection(request, "regions", found, listing)

    def show(self, request: Request[Token], region_id: str) -> Response:
        """GET /v3/regions/{region_id}"""
        return self._presenter.member(request, "region", "regions", self._identity.regions.get(region_id))

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/regions"""
        region = member(request, "region", REGION_CREATE)
        return self._presenter.member(request, "region", "regions", self._identity.regions.create(region), 201)

    def put(self, request: Request[Token], region_id: str) -> Response:
        """PUT /v3/regions/{region_id} — a new region under an id of the client's choice."""
        region = member(request, "region", REGION_CREATE)
        if region.setdefault("id", region_id) != region_id:
            raise Invalid(f'Conflicting region IDs specified: "{region_id}" != "{region["id"]}"')
        return self._presenter.member(request, "region", "regions", self._identity.regions.create(region), 201)

    def update(self, request: Request[Token], region_id: str) -> Response:
        """PATCH /v3/regions/{region_id}"""
        changes = member(request, "region", REGION_UPDATE)
        return self._presenter.member(request, "region", "regions", self._identity.regions.update(region_id, changes))

    def delete(self, request: Request[Token], region_id: str) -> Response:
        """DELETE /v3/regions/{region_id}"""
        self._identity.regions.delete(region_id)
        return done()


class Services:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/services"""
        listing = self._queries.read(request, ("type", "name"))
        found = self._identity.services.search(listing.filters, listing.page)
        return self._presenter.collection(request, "services", [_shown(service) for service in found], listing)

    def show(self, request: Request[Token], service_id: str) -> Response:
        """GET /v3/services/{service_id}"""
        return self._member(request, self._identity.services.get(service_id))

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/services"""
        service = member(request, "service", SERVICE_CREATE)
        return self._member(request, self._identity.services.create(service), 201)

    def update(self, request: Request[Token], service_id: str) -> Response:
        """PATCH /v3/services/{service_id}"""
        changes = member(request, "service", SERVICE_UPDATE)
        return self._member(request, self._identity.services.update(service_id, changes))

    def delete(self, request: Request[Token], service_id: str) -> Response:
        """DELETE /v3/services/{service_id}"""
        self._identity.services.delete(service_id)
        return done()

    def _member(self, request: Request[Token], service: Record, status: int = 200) -> Response:
        return self._presenter.member(request, "service", "services", _shown(service), status)


def _shown(service: Record) -> Record:
    """Always a name, be it empty."""
    return {**service, "name": service["name"] or ""}


_INTERFACES = ("admin", "internal", "public")


class Endpoints:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/endpoints"""
        known_interface(request)
        listing = self._queries.read(request, ("interface", "service_id", "region_id"))
        found = self._identity.endpoints.search(listing.filters, listing.page)
        addresses = self._presenter.addresses(request)
        shown = [shown_endpoint(endpoint, addresses) for endpoint in found]
        return self._presenter.collection(request, "endpoints", shown, listing)

    def show(self, request: Request[Token], endpoint_id: str) -> Response:
        """GET /v3/endpoints/{endpoint_id}"""
        return self._member(request, self._identity.endpoints.get(endpoint_id))

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/endpoints"""
        endpoint = member(request, "endpoint", ENDPOINT_CREATE)
        return self._member(request, self._identity.endpoints.create(endpoint), 201)

    def update(self, request: Request[Token], endpoint_id: str) -> Response:
        """PATCH /v3/endpoints/{endpoint_id}"""
        changes = member(request, "endpoint", ENDPOINT_UPDATE)
        return self._member(request, self._identity.endpoints.update(endpoint_id, changes))

    def delete(self, request: Request[Token], endpoint_id: str) -> Response:
        """DELETE /v3/endpoints/{endpoint_id}"""
        self._identity.endpoints.delete(endpoint_id)
        return done()

    def _member(self, request: Request[Token], endpoint: Record, status: int = 200) -> Response:
        shown = shown_endpoint(endpoint, self._presenter.addresses(request))
        return self._presenter.member(request, "endpoint", "endpoints", shown, status)


def known_interface(request: Request[Token]) -> None:
    """Raise `Invalid` if the query asks for an interface that is none."""
    asked = request.arg("interface")
    if asked is not None and asked not in _INTERFACES:
        raise Invalid(f"An interface is one of {', '.join(_INTERFACES)}.")
