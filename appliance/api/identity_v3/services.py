"""/v3/services: what the endpoints of the catalog offer."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas_catalog import SERVICE_CREATE, SERVICE_UPDATE
from appliance.db.records import Record
from appliance.identity.service import Identity
from appliance.identity.token import Token


class Services:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/services"""
        listing = self._lists.read(request, ("type", "name"))
        found = self._identity.services.search(listing.filters, listing.page)
        return self._answers.collection(request, "services", [_shown(service) for service in found], listing)

    def show(self, request: Request[Token], service_id: str) -> Reply:
        """GET /v3/services/{service_id}"""
        return self._member(request, self._identity.services.get(service_id))

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/services"""
        service = member(request, "service", SERVICE_CREATE)
        return self._member(request, self._identity.services.create(service), 201)

    def update(self, request: Request[Token], service_id: str) -> Reply:
        """PATCH /v3/services/{service_id}"""
        changes = member(request, "service", SERVICE_UPDATE)
        return self._member(request, self._identity.services.update(service_id, changes))

    def delete(self, request: Request[Token], service_id: str) -> Reply:
        """DELETE /v3/services/{service_id}"""
        self._identity.services.delete(service_id)
        return done()

    def _member(self, request: Request[Token], service: Record, status: int = 200) -> Reply:
        return self._answers.member(request, "service", "services", _shown(service), status)


def _shown(service: Record) -> Record:
    """A description only if one was given; always a name, be it empty."""
    shown = {key: value for key, value in service.items() if key != "description" or value is not None}
    return {**shown, "name": service["name"] or ""}
