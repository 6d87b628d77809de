"""Services: what the endpoints of the catalog offer."""

from collections.abc import Iterable

from appliance.db.catalog import SERVICES
from appliance.db.records import ALL, Filter, Page, Record, delete, find, insert, select, update
from appliance.errors import NotFound
from appliance.identity.changes import merged
from appliance.identity.ledger import Ledger
from appliance.values import new_hex_id


class Services:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, service_id: str) -> Record:
        service = find(self._ledger.db, SERVICES, service_id)
        if service is None:
            raise NotFound(f"Could not find service: {service_id}.")
        return service

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Record]:
        return select(self._ledger.db, SERVICES, filters, page)

    def create(self, service: Record) -> Record:
        created = {"name": "", "enabled": True, **service, "id": new_hex_id()}
        with self._ledger.write() as tx:
            insert(tx, SERVICES, created)
        return self.get(created["id"])

    def update(self, service_id: str, changes: Record) -> Record:
        changed = merged(self.get(service_id), changes)
        with self._ledger.write() as tx:
            update(tx, SERVICES, changed)
        return self.get(service_id)

    def delete(self, service_id: str) -> None:
        """Remove the service with its endpoints and limits."""
        self.get(service_id)
        with self._ledger.write() as tx:
            delete(tx, SERVICES, service_id)
