"""/v3/regions, /v3/services and /v3/endpoints: what the catalog is made of."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers
from appliance.api.identity_v3.listing import Lists
from appliance.db.catalog import ENDPOINTS, REGIONS, SERVICES
from appliance.db.records import Record
from appliance.identity.catalog import Addresses, own_url
from appliance.identity.service import Identity
from appliance.identity.token import Token


class CatalogResources:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list_regions(self, request: Request[Token]) -> Reply:
        """GET /v3/regions"""
        self._identity.enforce(request.caller, "list_regions")
        listing = self._lists.read(request, ("parent_region_id",))
        found = self._identity.catalog.search(REGIONS, listing.filters, listing.page)
        return self._answers.collection(request, "regions", found, listing)

    def show_region(self, request: Request[Token], region_id: str) -> Reply:
        """GET /v3/regions/{region_id}"""
        self._identity.enforce(request.caller, "get_region")
        return self._answers.member(request, "region", "regions", self._identity.catalog.get(REGIONS, region_id))

    def list_services(self, request: Request[Token]) -> Reply:
        """GET /v3/services"""
        self._identity.enforce(request.caller, "list_services")
        listing = self._lists.read(request, ("type", "name"))
        found = self._identity.catalog.search(SERVICES, listing.filters, listing.page)
        return self._answers.collection(request, "services", [shown_service(service) for service in found], listing)

    def show_service(self, request: Request[Token], service_id: str) -> Reply:
        """GET /v3/services/{service_id}"""
        self._identity.enforce(request.caller, "get_service")
        service = self._identity.catalog.get(SERVICES, service_id)
        return self._answers.member(request, "service", "services", shown_service(service))

    def list_endpoints(self, request: Request[Token]) -> Reply:
        """GET /v3/endpoints"""
        self._identity.enforce(request.caller, "list_endpoints")
        listing = self._lists.read(request, ("interface", "service_id", "region_id"))
        found = self._identity.catalog.search(ENDPOINTS, listing.filters, listing.page)
        addresses = self._answers.addresses(request)
        shown = [shown_endpoint(endpoint, addresses) for endpoint in found]
        return self._answers.collection(request, "endpoints", shown, listing)

    def show_endpoint(self, request: Request[Token], endpoint_id: str) -> Reply:
        """GET /v3/endpoints/{endpoint_id}"""
        self._identity.enforce(request.caller, "get_endpoint")
        endpoint = self._identity.catalog.get(ENDPOINTS, endpoint_id)
        shown = shown_endpoint(endpoint, self._answers.addresses(request))
        return self._answers.member(request, "endpoint", "endpoints", shown)


def shown_service(service: Record) -> Record:
    """Name and description only if they were given."""
    return {key: value for key, value in service.items() if key not in ("name", "description") or value is not None}


def shown_endpoint(endpoint: Record, addresses: Addresses) -> Record:
    """`region` is the former name of `region_id`, still read by clients."""
    return {**endpoint, "region": endpoint["region_id"], "url": own_url(endpoint["url"], addresses)}
