"""Domains: the roots that own users, groups and projects."""

from collections.abc import Iterable

from appliance.db import projects as rows
from appliance.db.records import ALL, Filter, Page, Record, find, select
from appliance.errors import NotFound
from appliance.identity.ledger import Ledger


class Domains:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, domain_id: str) -> Record:
        """The domain. Raises `NotFound`, for a project that is none too."""
        domain = find(self._ledger.db, rows.PROJECTS, domain_id)
        if domain is None or not domain["is_domain"]:
            raise NotFound(f"Could not find domain: {domain_id}.")
        return domain

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Record]:
        return select(self._ledger.db, rows.PROJECTS, [*filters, Filter("is_domain", 1)], page)
