"""Regions, services and endpoints: what the catalog is made of."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from appliance.db.engine.base import IntegrityError, Tx
from appliance.db.identity import catalog as rows
from appliance.db.identity.catalog import ENDPOINTS, REGIONS, SERVICES, Endpoint, Region, Service
from appliance.db.records import ALL, Filter, Page, Record, Table, delete, find, insert, select, update
from appliance.errors import Conflict, Forbidden, Invalid, NotFound
from appliance.identity.store import IdentityStore, merged, refuse_new_id
from appliance.values import new_hex_id


class Regions:
    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def get(self, region_id: str) -> Region:
        region = find(self._store.db, REGIONS, region_id)
        if region is None:
            raise NotFound(f"Could not find region: {region_id}.")
        return region

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Region]:
        return select(self._store.db, REGIONS, filters, page)

    def create(self, region: Record) -> Region:
        """Make a region, under the id that it brings or a new one. Raises `Conflict` if the id is taken."""
        return self._add({**region, "id": region.get("id") or new_hex_id()})

    def ensure(self, region_id: str) -> None:
        """Make the region unless it is there, even one with an empty id."""
        if find(self._store.db, REGIONS, region_id) is None:
            self._add({"id": region_id})

    def _add(self, region: Record) -> Region:
        created = REGIONS.made({**region, "description": region.get("description") or ""})
        self._check_parent(created)
        try:
            self._store.transact(lambda tx: insert(tx, REGIONS, created))
        except IntegrityError as error:
            raise Conflict(f"Conflict occurred attempting to store region - Duplicate ID, {created.id}.") from error
        return self.get(created.id)

    def update(self, region_id: str, changes: Record) -> Region:
        changed = merged(REGIONS, self.get(region_id), changes)
        changed = replace(changed, description=changed.description or "")
        self._check_parent(changed)
        if changed.parent_region_id in rows.tree(self._store.db, region_id):
            raise Invalid(f"The specified parent region {region_id} would create a circular region hierarchy.")
        self._store.transact(lambda tx: update(tx, REGIONS, changed))
        return self.get(region_id)

    def delete(self, region_id: str) -> None:
        """Remove the region with all below it, and the limits for them, unless there are endpoints in one of them."""
        self.get(region_id)

        def change(tx: Tx) -> None:
            if rows.in_use(tx, region_id):
                raise Forbidden(
                    f"Unable to delete region {region_id} because it or its child regions have associated endpoints."
                )
            rows.remove_tree(tx, region_id)

        self._store.transact(change)

    def _check_parent(self, region: Region) -> None:
        if region.parent_region_id is not None:
            self.get(region.parent_region_id)


class Services:
    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def get(self, service_id: str) -> Service:
        service = find(self._store.db, SERVICES, service_id)
        if service is None:
            raise NotFound(f"Could not find service: {service_id}.")
        return service

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Service]:
        return select(self._store.db, SERVICES, filters, page)

    def create(self, service: Record) -> Service:
        created = SERVICES.made({**service, "id": new_hex_id()})
        self._store.transact(lambda tx: insert(tx, SERVICES, created))
        return self.get(created.id)

    def update(self, service_id: str, changes: Record) -> Service:
        refuse_new_id(changes, service_id)
        changed = merged(SERVICES, self.get(service_id), changes)
        self._store.transact(lambda tx: update(tx, SERVICES, changed))
        return self.get(service_id)

    def delete(self, service_id: str) -> None:
        """Remove the service with its endpoints and limits."""
        self.get(service_id)
        self._store.transact(lambda tx: delete(tx, SERVICES, service_id))


_SUBSTITUTIONS = dict.fromkeys(("tenant_id", "project_id", "user_id", "compute_host", "public_endpoint"), "")
_OUTDATED = ("region", "legacy_endpoint_id")


class Endpoints:
    def __init__(self, store: IdentityStore, regions: Regions) -> None:
        self._store = store
        self._regions = regions

    def get(self, endpoint_id: str) -> Endpoint:
        endpoint = find(self._store.db, ENDPOINTS, endpoint_id)
        if endpoint is None:
            raise NotFound(f"Could not find endpoint: {endpoint_id}.")
        return endpoint

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Endpoint]:
        return select(self._store.db, ENDPOINTS, filters, page)

    def create(self, endpoint: Record) -> Endpoint:
        if not substitutable(endpoint["url"]):
            raise Invalid(f"Cannot create an endpoint with an invalid URL: {endpoint['url']}.")
        created = ENDPOINTS.made({**self._placed(endpoint), "id": new_hex_id()})
        self._store.transact(lambda tx: insert(tx, ENDPOINTS, created))
        return self.get(created.id)

    def update(self, endpoint_id: str, changes: Record) -> Endpoint:
        refuse_new_id(changes, endpoint_id)
        placed = self._placed(changes)
        changed = merged(ENDPOINTS, self.get(endpoint_id), placed)
        self._store.transact(lambda tx: update(tx, ENDPOINTS, changed))
        return self.get(endpoint_id)

    def delete(self, endpoint_id: str) -> None:
        self.get(endpoint_id)
        self._store.transact(lambda tx: delete(tx, ENDPOINTS, endpoint_id))

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

    def _check_known(self, table: Table[Any], record_id: str | None) -> None:
        if record_id is not None and find(self._store.db, table, record_id) is None:
            kind = table.name[:-1]
            raise Invalid(f"Expecting to find endpoint {kind}_id in {kind} table.")


def substitutable(url: str) -> bool:
    """Whether an address asks for nothing but what the catalog can fill in."""
    try:
        url.replace("$(", "%(") % _SUBSTITUTIONS
    except (KeyError, TypeError, ValueError):
        return False
    return True
