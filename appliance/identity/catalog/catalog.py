"""The catalog as it is shown to one token at one address."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.db.identity import catalog as rows
from appliance.db.records import Record, attributes
from appliance.identity.catalog.filters import ProjectEndpoints
from appliance.identity.store import IdentityStore

IDENTITY_PLACEHOLDER = "$(appliance_identity_url)s"
IMAGE_PLACEHOLDER = "$(appliance_image_url)s"
_NOT_IN_CATALOG = ("service_id", "enabled")
_KEPT = 2000
_SUBSTITUTION = re.compile(r"[$%]\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where our own two services are, as the client of one request sees it. No trailing slash, no version."""

    identity: str
    image: str
    identity_admin: str = ""
    """Where Identity API v2.0 has its admin's half; empty where nobody asked for it."""


class Catalog:
    """Shows the catalog; what it is made of lives beside (`regions`, `services`, `endpoints`)."""

    def __init__(self, store: IdentityStore, given: ProjectEndpoints) -> None:
        self._store = store
        self._given = given
        self._known: dict[tuple[Addresses, str | None, str], tuple[int, list[Record]]] = {}

    def rendered(self, addresses: Addresses, project_id: str | None, user_id: str) -> list[Record]:
        """The catalog of a token: enabled services with enabled endpoints, their addresses filled in. Only to be read.

        An endpoint whose address needs what the token has not is left out. A project that was given endpoints of its
        own sees those alone.
        """
        key = (addresses, project_id, user_id)
        generation = self._store.generation
        known = self._known.get(key)
        if known is not None and known[0] == generation:
            return known[1]
        made = self._made(addresses, project_id, user_id)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[key] = (generation, made)
        return made

    def _made(self, addresses: Addresses, project_id: str | None, user_id: str) -> list[Record]:
        given = {endpoint.id for endpoint in self._given.of_project(project_id)} if project_id is not None else set()
        services: dict[str, Record] = {}
        for service, endpoint in rows.enabled_endpoints(self._store.db):
            if given and endpoint.id not in given:
                continue
            entry = services.setdefault(
                service.id, {"id": service.id, "type": service.type, "name": service.name or "", "endpoints": []}
            )
            values = {"user_id": user_id}
            if project_id is not None:
                values |= {"project_id": project_id, "tenant_id": project_id}
            url = filled_in(own_url(endpoint.url, addresses), values)
            if url is not None:
                entry["endpoints"].append(
                    {
                        **{key: value for key, value in attributes(endpoint).items() if key not in _NOT_IN_CATALOG},
                        "region": endpoint.region_id,
                        "url": url,
                    }
                )
        return list(services.values())


def own_url(url: str, addresses: Addresses) -> str:
    """An endpoint's address with the placeholders of our own two services filled in."""
    return url.replace(IDENTITY_PLACEHOLDER, addresses.identity).replace(IMAGE_PLACEHOLDER, addresses.image)


def filled_in(url: str, values: dict[str, str]) -> str | None:
    """`url` with `$(project_id)s` and the like replaced; None if one of them is not known."""
    if any(match[1] not in values for match in _SUBSTITUTION.finditer(url)):
        return None
    return _SUBSTITUTION.sub(lambda match: values[match[1]], url)


def image_endpoint(services: Iterable[Record], region: str, interface: str) -> str | None:
    """The address of a region's image service in a catalog, ours or another Keystone's; None if it is not there."""
    for service in services:
        for endpoint in service.get("endpoints", ()) if service.get("type") == "image" else ():
            if (endpoint.get("region_id"), endpoint.get("interface")) == (region, interface):
                return str(endpoint["url"])
    return None
