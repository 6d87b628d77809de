"""Roles, and what they imply."""

from collections.abc import Iterable

from appliance.db.engine.base import Tx
from appliance.db.identity import grants as rows
from appliance.db.identity import projects as project_rows
from appliance.db.identity.grants import ROLES, Role
from appliance.db.records import ALL, Filter, Page, Record, delete, find, insert, select, update
from appliance.errors import Conflict, Forbidden, Invalid, NotFound
from appliance.identity.store import IdentityStore, given_options, merged, names_unique, refuse_if_immutable
from appliance.values import new_hex_id


class Roles:
    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def get(self, role_id: str) -> Role:
        role = find(self._store.db, ROLES, role_id)
        if role is None:
            raise NotFound(f"Could not find role: {role_id}.")
        return role

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Role]:
        return select(self._store.db, ROLES, filters, page)

    def create(self, role: Record) -> Role:
        domain_id = role.get("domain_id")
        if domain_id is not None and find(self._store.db, project_rows.PROJECTS, domain_id) is None:
            raise NotFound(f"Could not find domain: {domain_id}.")
        created = ROLES.made({**role, "options": given_options(role.get("options", {})), "id": new_hex_id()})
        with names_unique("role", role["name"]):
            self._store.transact(lambda tx: insert(tx, ROLES, created))
        return self.get(created.id)

    def update(self, role_id: str, changes: Record) -> Role:
        role = self.get(role_id)
        refuse_if_immutable("role", role, changes)
        if "domain_id" in changes and changes["domain_id"] != role.domain_id:
            raise Invalid("Cannot change Domain ID.")
        changed = merged(ROLES, role, changes)
        with names_unique("role", changed.name):
            self._store.transact(lambda tx: update(tx, ROLES, changed))
        return self.get(role_id)

    def delete(self, role_id: str) -> None:
        """The role goes, and with it every grant and implication of it."""
        refuse_if_immutable("role", self.get(role_id))

        def change(tx: Tx) -> None:
            rows.remove_of_role(tx, role_id)
            delete(tx, ROLES, role_id)

        self._store.transact(change)


PROHIBITED = frozenset({"admin"})
"""Names of roles that nothing may imply."""


class ImpliedRoles:
    def __init__(self, store: IdentityStore, roles: Roles) -> None:
        self._store = store
        self._roles = roles

    def every(self) -> list[tuple[str, str]]:
        """Every (prior role, implied role)."""
        return rows.implications(self._store.db)

    def of(self, role_id: str) -> list[str]:
        """What a role implies directly."""
        return [implied for prior, implied in self.every() if prior == role_id]

    def require(self, prior_id: str, implied_id: str) -> None:
        """Raise `NotFound` unless both roles exist and the one implies the other."""
        self._roles.get(prior_id)
        self._roles.get(implied_id)
        if implied_id not in self.of(prior_id):
            raise NotFound(f"{prior_id} does not imply {implied_id}.")

    def create(self, prior_id: str, implied_id: str) -> None:
        """Raises `Conflict` for what it implies already. Circles are allowed, as in Keystone, and add nothing."""
        prior, implied = self._roles.get(prior_id), self._roles.get(implied_id)
        if implied.name in PROHIBITED:
            raise Forbidden(f"Role {implied_id} can't be implied by another one.")
        if implied.domain_id is not None and prior.domain_id is None:
            raise Forbidden("A global role can't imply one of a domain.")

        def change(tx: Tx) -> None:
            if not rows.imply(tx, prior_id, implied_id):
                raise Conflict(f"Conflict occurred attempting to store implied role - {prior_id} implies {implied_id}.")

        self._store.transact(change)

    def delete(self, prior_id: str, implied_id: str) -> None:
        self.require(prior_id, implied_id)
        self._store.transact(lambda tx: rows.no_longer_imply(tx, prior_id, implied_id))
