"""Regions: where endpoints are, in trees."""

from collections.abc import Iterable

from appliance.db import regions as rows
from appliance.db.catalog import REGIONS
from appliance.db.database import IntegrityError
from appliance.db.records import ALL, Filter, Page, Record, find, insert, select, update
from appliance.errors import Conflict, Forbidden, Invalid, NotFound
from appliance.identity.changes import merged
from appliance.identity.ledger import Ledger
from appliance.values import new_hex_id

_ATTRIBUTES = ("id", "description", "parent_region_id")


class Regions:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, region_id: str) -> Record:
        region = find(self._ledger.db, REGIONS, region_id)
        if region is None:
            raise NotFound(f"Could not find region: {region_id}.")
        return region

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Record]:
        return select(self._ledger.db, REGIONS, filters, page)

    def create(self, region: Record) -> Record:
        """Make a region, under the id that it brings or a new one. Raises `Conflict` if the id is taken."""
        created: Record = {
            "id": region.get("id") or new_hex_id(),
            "description": region.get("description") or "",
            "parent_region_id": region.get("parent_region_id"),
        }
        self._check_parent(created)
        try:
            with self._ledger.write() as tx:
                insert(tx, REGIONS, created)
        except IntegrityError as error:
            raise Conflict(f"Conflict occurred attempting to store region - Duplicate ID, {created['id']}.") from error
        return self.get(created["id"])

    def ensure(self, region_id: str) -> None:
        """Make the region unless it is there."""
        if find(self._ledger.db, REGIONS, region_id) is None:
            self.create({"id": region_id})

    def update(self, region_id: str, changes: Record) -> Record:
        """Change the region. Unlike other resources it has no room for attributes that clients invent."""
        known = {key: changes[key] for key in _ATTRIBUTES if key in changes}
        if known.get("id", region_id) is None:
            del known["id"]
        changed = merged(self.get(region_id), known)
        changed["description"] = changed["description"] or ""
        self._check_parent(changed)
        if changed["parent_region_id"] in rows.tree(self._ledger.db, region_id):
            raise Invalid(f"The specified parent region {region_id} would create a circular region hierarchy.")
        with self._ledger.write() as tx:
            update(tx, REGIONS, changed)
        return self.get(region_id)

    def delete(self, region_id: str) -> None:
        """Remove the region with all below it, and the limits for them, unless there are endpoints in one of them."""
        self.get(region_id)
        with self._ledger.write() as tx:
            if rows.in_use(tx, region_id):
                raise Forbidden(
                    f"Unable to delete region {region_id} because it or its child regions have associated endpoints."
                )
            rows.remove_tree(tx, region_id)

    def _check_parent(self, region: Record) -> None:
        if region.get("parent_region_id") is not None:
            self.get(region["parent_region_id"])
