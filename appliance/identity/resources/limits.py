"""Limits: what a service may hand out by default, and what one project or domain gets instead. Only kept here; the
services enforce them. The model is flat: a project's limit does not depend on those above it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.identity import limits as rows
from appliance.db.identity.catalog import REGIONS, SERVICES
from appliance.db.identity.limits import LIMITS, REGISTERED_LIMITS, Limit, RegisteredLimit
from appliance.db.identity.projects import PROJECTS
from appliance.db.records import ALL, Filter, Page, Record, Table, delete, find, insert, select, update
from appliance.errors import Forbidden, Invalid, NotFound
from appliance.identity.store import IdentityStore, merged, names_unique
from appliance.values import new_hex_id

MODEL = {
    "name": "flat",
    "description": "Limits are validated and enforced without regard to the hierarchy of projects.",
}


class RegisteredLimits:
    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def get(self, registered_limit_id: str) -> RegisteredLimit:
        found = find(self._store.db, REGISTERED_LIMITS, registered_limit_id)
        if found is None:
            raise NotFound(f"Could not find registered limit for {registered_limit_id}.")
        return found

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[RegisteredLimit]:
        return select(self._store.db, REGISTERED_LIMITS, filters, page)

    def create(self, limits: list[Record]) -> list[RegisteredLimit]:
        """All of them or none."""
        for sent in limits:
            _check_place(self._store, sent, "registered_limit")
        created = [REGISTERED_LIMITS.made({**sent, "id": new_hex_id()}) for sent in limits]

        def add(tx: Tx) -> None:
            for each in created:
                insert(tx, REGISTERED_LIMITS, each)

        with names_unique("registered_limit", _resources(limits)):
            self._store.transact(add)
        return [self.get(limit.id) for limit in created]

    def update(self, registered_limit_id: str, changes: Record) -> RegisteredLimit:
        _check_place(self._store, changes, "registered_limit")
        changed = merged(REGISTERED_LIMITS, self.get(registered_limit_id), changes)

        def change(tx: Tx) -> None:
            self._refuse_if_used(tx, registered_limit_id, "update")
            update(tx, REGISTERED_LIMITS, changed)

        with names_unique("registered_limit", changed.resource_name):
            self._store.transact(change)
        return self.get(registered_limit_id)

    def delete(self, registered_limit_id: str) -> None:
        self.get(registered_limit_id)

        def change(tx: Tx) -> None:
            self._refuse_if_used(tx, registered_limit_id, "delete")
            delete(tx, REGISTERED_LIMITS, registered_limit_id)

        self._store.transact(change)

    def _refuse_if_used(self, tx: Tx, registered_limit_id: str, doing: str) -> None:
        if rows.overridden(tx, registered_limit_id):
            raise Forbidden(
                f"Unable to {doing} registered limit {registered_limit_id} because there are project limits "
                "associated with it."
            )


class Limits:
    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def get(self, limit_id: str) -> Limit:
        found = rows.whole(self._store.db, limit_id)
        if found is None:
            raise NotFound(f"Could not find limit for {limit_id}.")
        return found

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Limit]:
        return rows.search(self._store.db, filters, page)

    def in_force(self, service_type: str, region_id: str, project_id: str) -> dict[str, int]:
        """What a service has to enforce for a project, by resource."""
        return rows.in_force(self._store.db, service_type, region_id, project_id)

    def create(self, limits: list[Record]) -> list[Limit]:
        """All of them or none. Raises `Forbidden` where no limit is registered to be overridden."""
        unregistered = {"registered_limit_id": ""}
        created = [LIMITS.made({**self._placed(sent), **unregistered, "id": new_hex_id()}) for sent in limits]

        def add(tx: Tx) -> None:
            for each in created:
                insert(tx, LIMITS, replace(each, registered_limit_id=_registered(tx, each)))

        with names_unique("limit", _resources(limits)):
            self._store.transact(add)
        return [self.get(limit.id) for limit in created]

    def update(self, limit_id: str, changes: Record) -> Limit:
        changed = merged(LIMITS, self.get(limit_id), changes)
        self._store.transact(lambda tx: update(tx, LIMITS, changed))
        return self.get(limit_id)

    def delete(self, limit_id: str) -> None:
        self.get(limit_id)
        self._store.transact(lambda tx: delete(tx, LIMITS, limit_id))

    def _placed(self, limit: Record) -> Record:
        """The limit, its places checked; a project that is a domain counts as one."""
        _check_place(self._store, limit, "limit")
        placed = {"project_id": None, "domain_id": None, **limit}
        project_id = placed["project_id"]
        if project_id is not None:
            project = find(self._store.db, PROJECTS, project_id)
            if project is None:
                raise _unknown("project_id", "limit")
            if project.is_domain:
                placed |= {"project_id": None, "domain_id": project_id}
        if placed["domain_id"] is not None:
            domain = find(self._store.db, PROJECTS, placed["domain_id"])
            if domain is None or not domain.is_domain:
                raise _unknown("domain_id", "limit")
        return placed


def _check_place(store: IdentityStore, limit: Record, target: str) -> None:
    """Raise `Invalid` for a service or region that is not there."""
    tables: tuple[tuple[str, Table[Any]], ...] = (("service_id", SERVICES), ("region_id", REGIONS))
    for attribute, table in tables:
        value = limit.get(attribute)
        if value is not None and find(store.db, table, value) is None:
            raise _unknown(attribute, target)


def _registered(tx: Tx, limit: Limit) -> str:
    found = rows.registered_for(tx, limit.service_id, limit.region_id, limit.resource_name)
    if found is None:
        raise Forbidden(
            f"Unable to create a limit that has no corresponding registered limit: service {limit.service_id}, "
            f"region {limit.region_id}, resource {limit.resource_name}."
        )
    return found


def _unknown(attribute: str, target: str) -> Invalid:
    return Invalid(f"Expecting to find {attribute} in {target}.")


def _resources(limits: list[Record]) -> str:
    return ", ".join(limit["resource_name"] for limit in limits)
