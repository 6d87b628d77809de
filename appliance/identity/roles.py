"""Roles, global and of domains, and what they imply."""

from collections.abc import Iterable

from appliance.db import roles as rows
from appliance.db.records import ALL, Filter, Page, Record, find, select
from appliance.errors import NotFound
from appliance.identity.ledger import Ledger


class Roles:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, role_id: str) -> Record:
        role = find(self._ledger.db, rows.ROLES, role_id)
        if role is None:
            raise NotFound(f"Could not find role: {role_id}.")
        return role

    def list(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Record]:
        return select(self._ledger.db, rows.ROLES, filters, page)
