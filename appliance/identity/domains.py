"""Domains: the roots that own users, groups, projects and roles of their own."""

from collections.abc import Iterable
from typing import Any

from appliance.db import grants as grant_rows
from appliance.db import groups as group_rows
from appliance.db import projects as rows
from appliance.db import roles as role_rows
from appliance.db import users as user_rows
from appliance.db.database import Tx
from appliance.db.records import ALL, Filter, Page, Record, delete, find, insert, select
from appliance.errors import Conflict, Forbidden, NotFound
from appliance.identity.changes import names_unique, refuse_if_immutable, require_marker
from appliance.identity.groups import remove_group
from appliance.identity.ledger import Ledger
from appliance.identity.projects import Projects, remove_project
from appliance.identity.revocations import Revocations
from appliance.identity.users import remove_user
from appliance.values import new_hex_id


class Domains:
    def __init__(self, ledger: Ledger, projects: Projects, revocations: Revocations) -> None:
        self._ledger = ledger
        self._projects = projects
        self._revocations = revocations

    def get(self, domain_id: str) -> Record:
        """The domain. Raises `NotFound`, for a project that is none too."""
        domain = find(self._ledger.db, rows.PROJECTS, domain_id)
        if domain is None or not domain["is_domain"]:
            raise NotFound(f"Could not find domain: {domain_id}.")
        return domain

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Record]:
        require_marker(self._ledger.db, rows.PROJECTS, page)
        return select(self._ledger.db, rows.PROJECTS, [*filters, Filter("is_domain", 1)], page)

    def create(self, domain: Record, explicit_id: str | None = None) -> Record:
        created: dict[str, Any] = {
            "description": "",
            "enabled": True,
            "options": {},
            **domain,
            "id": explicit_id or new_hex_id(),
            "name": domain["name"].strip(),
            "is_domain": True,
            "domain_id": None,
            "parent_id": None,
        }
        if created["description"] is None:
            created["description"] = ""
        tags = created.pop("tags", [])
        if find(self._ledger.db, rows.PROJECTS, created["id"]) is not None:
            raise Conflict(f"Conflict occurred attempting to store domain - ID {created['id']} is in use.")
        with names_unique("domain", created["name"]), self._ledger.write() as tx:
            insert(tx, rows.PROJECTS, created)
            rows.set_tags(tx, created["id"], tags)
        return self.get(created["id"])

    def update(self, domain_id: str, changes: Record) -> Record:
        self.get(domain_id)
        self._projects.update(domain_id, changes)
        return self.get(domain_id)

    def delete(self, domain_id: str) -> None:
        """Remove a disabled domain with all that it owns."""
        domain = self.get(domain_id)
        refuse_if_immutable("domain", domain)
        if domain["enabled"]:
            raise Forbidden("Cannot delete a domain that is enabled, please disable it first.")
        db = self._ledger.db
        projects = [project["id"] for project in reversed(self._projects.subtree(domain_id))]
        owned = {
            shape.table: [record["id"] for record in select(db, shape, [Filter("domain_id", domain_id)])]
            for shape in (user_rows.USERS, group_rows.GROUPS, role_rows.ROLES)
        }
        now = self._ledger.clock()
        with self._ledger.write() as tx:
            self._remove_owned(tx, owned, now)
            for project_id in projects:
                remove_project(tx, project_id, now)
            grant_rows.remove_of_target(tx, "domain", domain_id)
            remove_project(tx, domain_id, now)
            self._revocations.add(tx, "domain", domain_id)

    def _remove_owned(self, tx: Tx, owned: dict[str, list[str]], now: int) -> None:
        for user_id in owned[user_rows.USERS.table]:
            remove_user(tx, user_id, now)
        for group_id in owned[group_rows.GROUPS.table]:
            remove_group(tx, group_id)
        for role_id in owned[role_rows.ROLES.table]:
            grant_rows.remove_of_role(tx, role_id)
            delete(tx, role_rows.ROLES, role_id)
