"""Endpoints: where a service is, by region and interface."""

from collections.abc import Iterable

from appliance.db.catalog import ENDPOINTS, REGIONS, SERVICES
from appliance.db.records import ALL, Filter, Page, Record, Shape, delete, find, insert, select, update
from appliance.errors import Invalid, NotFound
from appliance.identity.changes import merged
from appliance.identity.ledger import Ledger
from appliance.identity.regions import Regions
from appliance.values import new_hex_id

_SUBSTITUTIONS = dict.fromkeys(("tenant_id", "project_id", "user_id", "compute_host", "public_endpoint"), "")
_OUTDATED = ("region", "legacy_endpoint_id")


class Endpoints:
    def __init__(self, ledger: Ledger, regions: Regions) -> None:
        self._ledger = ledger
        self._regions = regions

    def get(self, endpoint_id: str) -> Record:
        endpoint = find(self._ledger.db, ENDPOINTS, endpoint_id)
        if endpoint is None:
            raise NotFound(f"Could not find endpoint: {endpoint_id}.")
        return endpoint

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Record]:
        return select(self._ledger.db, ENDPOINTS, filters, page)

    def create(self, endpoint: Record) -> Record:
        if not substitutable(endpoint["url"]):
            raise Invalid(f"Cannot create an endpoint with an invalid URL: {endpoint['url']}.")
        created = {"enabled": True, **self._placed(endpoint), "id": new_hex_id()}
        with self._ledger.write() as tx:
            insert(tx, ENDPOINTS, created)
        return self.get(created["id"])

    def update(self, endpoint_id: str, changes: Record) -> Record:
        placed = self._placed(changes)
        changed = merged(self.get(endpoint_id), placed)
        with self._ledger.write() as tx:
            update(tx, ENDPOINTS, changed)
        return self.get(endpoint_id)

    def delete(self, endpoint_id: str) -> None:
        self.get(endpoint_id)
        with self._ledger.write() as tx:
            delete(tx, ENDPOINTS, endpoint_id)

    def _placed(self, endpoint: Record) -> Record:
        """What was sent, with its service and region checked.

        `region` is the former name of `region_id`, and makes a region that is not there.
        """
        placed = {key: value for key, value in endpoint.items() if key not in _OUTDATED}
        if endpoint.get("region_id") is None and endpoint.get("region") is not None:
            self._check_known(SERVICES, endpoint.get("service_id"))
            self._regions.ensure(endpoint["region"])
            placed["region_id"] = endpoint["region"]
        self._check_known(REGIONS, placed.get("region_id"))
        self._check_known(SERVICES, placed.get("service_id"))
        return placed

    def _check_known(self, shape: Shape, record_id: str | None) -> None:
        if record_id is not None and find(self._ledger.db, shape, record_id) is None:
            kind = shape.table[:-1]
            raise Invalid(f"Expecting to find endpoint {kind}_id in {kind} table.")


def substitutable(url: str) -> bool:
    """Whether an address asks for nothing but what the catalog can fill in."""
    try:
        url.replace("$(", "%(") % _SUBSTITUTIONS
    except (KeyError, TypeError, ValueError):
        return False
    return True
