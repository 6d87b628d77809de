"""`/v2.0/OS-KSADM/services` and `/v2.0/endpoints`: what the catalog is made of."""

from appliance.api.addresses import AddressBook
from appliance.api.exchange import Reply, Request
from appliance.api.identity_v2.access import address_of_old
from appliance.api.identity_v2.fields import document, page_of, required, text
from appliance.api.identity_v2.gate import Visitor
from appliance.db.records import Record
from appliance.identity.catalog import own_url
from appliance.identity.endpoint_triples import INTERFACES
from appliance.identity.service import Identity

_KEY = "OS-KSADM:service"
_LONGEST_URL = 2048


class Services:
    def __init__(self, identity: Identity) -> None:
        self._services = identity.services

    def list(self, request: Request[Visitor]) -> Reply:
        """GET /v2.0/OS-KSADM/services"""
        found = self._services.search(page=page_of(request))
        return Reply(200, {f"{_KEY}s": [_shown(service) for service in found]})

    def show(self, request: Request[Visitor], service_id: str) -> Reply:
        """GET /v2.0/OS-KSADM/services/{service_id}"""
        return Reply(200, {_KEY: _shown(self._services.get(service_id))})

    def create(self, request: Request[Visitor]) -> Reply:
        """POST /v2.0/OS-KSADM/services"""
        asked = document(request, _KEY)
        service = {
            "type": required(asked, "type"),
            "name": text(asked, "name") or "",
            "description": text(asked, "description", 65535),
        }
        return Reply(200, {_KEY: _shown(self._services.create(service))})

    def delete(self, request: Request[Visitor], service_id: str) -> Reply:
        """DELETE /v2.0/OS-KSADM/services/{service_id}"""
        self._services.delete(service_id)
        return Reply(204)


class Endpoints:
    def __init__(self, identity: Identity, addresses: AddressBook) -> None:
        self._identity = identity
        self._addresses = addresses

    def list(self, request: Request[Visitor]) -> Reply:
        """GET /v2.0/endpoints"""
        types = {service["id"]: service["type"] for service in self._identity.services.search()}
        addresses = self._addresses.both(request)
        shown = []
        for triple in self._identity.endpoint_triples.every():
            urls = {
                interface: address_of_old(
                    own_url(triple[interface], addresses), types[triple["service_id"]], interface, addresses
                )
                for interface in INTERFACES
                if interface in triple
            }
            shown.append(_endpoint({**triple, **urls}))
        return Reply(200, {"endpoints": shown})

    def create(self, request: Request[Visitor]) -> Reply:
        """POST /v2.0/endpoints"""
        asked = document(request, "endpoint")
        service_id = required(asked, "service_id", 64)
        urls = {"public": required(asked, "publicurl", _LONGEST_URL)}
        for interface in ("internal", "admin"):
            url = text(asked, f"{interface}url", _LONGEST_URL)
            if url:
                urls[interface] = url
        region = text(asked, "region") or None
        return Reply(200, {"endpoint": _endpoint(self._identity.endpoint_triples.create(service_id, region, urls))})

    def delete(self, request: Request[Visitor], endpoint_id: str) -> Reply:
        """DELETE /v2.0/endpoints/{endpoint_id}"""
        self._identity.endpoint_triples.delete(endpoint_id)
        return Reply(204)


def _shown(service: Record) -> Record:
    shown = {name: service[name] for name in ("id", "type", "name", "enabled")}
    if service.get("description") is not None:
        shown["description"] = service["description"]
    return shown


def _endpoint(triple: Record) -> Record:
    """Its addresses under the names of the time; null where there is none."""
    shown = {name: triple[name] for name in ("id", "service_id", "region", "enabled")}
    return shown | {f"{interface}url": triple.get(interface) for interface in INTERFACES}
