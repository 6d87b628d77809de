"""The document of v2.0, and its list of extensions."""

from typing import Any

from appliance.api.addresses import AddressBook
from appliance.api.exchange import Reply, Request
from appliance.db.records import Record
from appliance.errors import NotFound

_UPDATED = "2013-07-07T12:00:0-00:00"
_NAMESPACE = "https://docs.openstack.org/identity/api/ext"

_EVERYWHERE = {
    "OS-EC2": "OpenStack EC2 API",
    "OS-KSCRUD": "OpenStack Keystone User CRUD",
}
_FOR_ADMINS = {"OS-KSADM": "OpenStack Keystone Admin"}


def document(url: str) -> Record:
    """What v2.0 says of itself, for an identity service at `url`."""
    return {
        "id": "v2.0",
        "status": "stable",
        "updated": "2014-04-17T00:00:00Z",
        "links": [
            {"rel": "self", "href": f"{url}/v2.0/"},
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
        ],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v2.0+json"}],
    }


class Versions:
    def __init__(self, addresses: AddressBook, *, for_admins: bool) -> None:
        self._addresses = addresses
        self._extensions = _EVERYWHERE | (_FOR_ADMINS if for_admins else {})

    def show(self, request: Request[Any]) -> Reply:
        """GET /v2.0"""
        return Reply(200, {"version": document(self._addresses.identity(request))})

    def extensions(self, request: Request[Any]) -> Reply:
        """GET /v2.0/extensions"""
        return Reply(200, {"extensions": {"values": [_extension(alias, name) for alias, name in self._all()]}})

    def extension(self, request: Request[Any], alias: str) -> Reply:
        """GET /v2.0/extensions/{alias}"""
        if alias not in self._extensions:
            raise NotFound(f"Could not find extension: {alias}.")
        return Reply(200, {"extension": _extension(alias, self._extensions[alias])})

    def _all(self) -> list[tuple[str, str]]:
        return list(self._extensions.items())


def _extension(alias: str, name: str) -> Record:
    return {
        "alias": alias,
        "name": name,
        "description": f"{name}.",
        "namespace": f"{_NAMESPACE}/{alias}/v1.0",
        "updated": _UPDATED,
        "links": [{"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"}],
    }
