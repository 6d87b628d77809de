"""Projects and domains: where things belong."""

from collections.abc import Iterable, Sequence
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.identity import delegation as trust_rows
from appliance.db.identity import grants as grant_rows
from appliance.db.identity import grants as role_rows
from appliance.db.identity import projects as rows
from appliance.db.identity import users as group_rows
from appliance.db.identity import users as user_rows
from appliance.db.records import ALL, Condition, Filter, Page, Record, delete, find, insert, select, update
from appliance.errors import Conflict, Forbidden, Invalid, NotFound
from appliance.identity.resources.groups import remove_group
from appliance.identity.resources.users import remove_user
from appliance.identity.store import (
    IdentityStore,
    given_options,
    merged,
    names_unique,
    refuse_if_immutable,
    refuse_new_id,
    require_marker,
)
from appliance.identity.tokens.revocations import Revocations
from appliance.values import new_hex_id

MOST_TAGS = 80


class Projects:
    def __init__(self, store: IdentityStore, revocations: Revocations, max_depth: int) -> None:
        self._store = store
        self._revocations = revocations
        self._max_depth = max_depth

    def get(self, project_id: str) -> Record:
        """The project or domain, with its `tags`. Raises `NotFound`."""
        project = find(self._store.db, rows.PROJECTS, project_id)
        if project is None:
            raise NotFound(f"Could not find project: {project_id}.")
        project["tags"] = rows.tags(self._store.db, project_id)
        return project

    def search(
        self, filters: Iterable[Filter] = (), page: Page = ALL, tagged: Sequence[Condition] = ()
    ) -> list[Record]:
        require_marker(self._store.db, rows.PROJECTS, page)
        return self.with_tags(select(self._store.db, rows.PROJECTS, filters, page, more=tagged))

    def with_tags(self, projects: list[Record]) -> list[Record]:
        """The same records, each with its `tags`."""
        tags = rows.all_tags(self._store.db)
        return [{**project, "tags": tags.get(project["id"], [])} for project in projects]

    def parents(self, project_id: str) -> list[Record]:
        """The projects above, the nearest first; the domain is not among them."""
        return [project for project in rows.ancestors(self._store.db, project_id) if not project["is_domain"]]

    def subtree(self, project_id: str) -> list[Record]:
        """The projects below, level by level."""
        return rows.descendants(self._store.db, project_id)

    def parents_as_ids(self, project_id: str) -> dict[str, Any] | None:
        """`{parent: {grandparent: None}}`, up to the domain."""
        tree: dict[str, Any] | None = None
        for project in reversed(rows.ancestors(self._store.db, project_id)):
            tree = {project["id"]: tree}
        return tree

    def subtree_as_ids(self, project_id: str) -> dict[str, Any] | None:
        """`{child: {grandchild: None}}`; None without children."""
        below: dict[str, dict[str, Any]] = {project_id: {}}
        descendants = self.subtree(project_id)
        for project in descendants:
            below[project["id"]] = {}
        for project in descendants:
            below[project["parent_id"]][project["id"]] = below[project["id"]]
        return _without_empty(below[project_id])

    def create(self, project: Record) -> Record:
        """Add a project to its parent, or to its domain if no parent is named."""
        created: Record = {
            "description": "",
            "enabled": True,
            "options": {},
            **project,
            "id": new_hex_id(),
            "name": project["name"].strip(),
            "is_domain": False,
            "parent_id": project.get("parent_id") or project["domain_id"],
        }
        created["description"] = created["description"] or ""
        created["options"] = given_options(created["options"])
        tags = created.pop("tags", [])
        self._check_place(created)

        def change(tx: Tx) -> None:
            insert(tx, rows.PROJECTS, created)
            rows.set_tags(tx, created["id"], tags)

        with names_unique("project", created["name"]):
            self._store.transact(change)
        return self.get(created["id"])

    def _check_place(self, project: Record) -> None:
        domain = find(self._store.db, rows.PROJECTS, project["domain_id"])
        if domain is None or not domain["is_domain"]:
            raise Invalid(f"Could not find domain: {project['domain_id']}.")
        parent = find(self._store.db, rows.PROJECTS, project["parent_id"])
        if parent is None:
            raise Invalid(f"Could not find project: {project['parent_id']}.")
        if (parent["domain_id"] or parent["id"]) != domain["id"]:
            raise Invalid("The parent of a project is in the project's domain.")
        above = [parent, *rows.ancestors(self._store.db, parent["id"])]
        if not all(project["enabled"] for project in above):
            raise Invalid("A project can't be created below a disabled one.")
        if len(above) > self._max_depth:
            raise Forbidden(f"Max hierarchy depth reached for {parent['id']} branch.")

    def update(self, project_id: str, changes: Record) -> Record:
        refuse_new_id(changes, project_id)
        project = self.get(project_id)
        refuse_if_immutable("project", project, changes)
        self._check_change(project, changes)
        changed = merged(project, changes)
        changed["description"] = changed["description"] or ""
        changed["name"] = changed["name"].strip()
        tags = changed.pop("tags")

        def change(tx: Tx) -> None:
            update(tx, rows.PROJECTS, changed)
            rows.set_tags(tx, project_id, tags)
            if project["enabled"] and not changed["enabled"]:
                self._revocations.add(tx, "domain" if project["is_domain"] else "project", project_id)

        with names_unique("project", changed["name"]):
            self._store.transact(change)
        return self.get(project_id)

    def _check_change(self, project: Record, changes: Record) -> None:
        if changes.get("domain_id", project["domain_id"]) != project["domain_id"]:
            raise Invalid("Cannot change Domain ID.")
        if changes.get("parent_id", project["parent_id"]) != project["parent_id"]:
            raise Forbidden("Update of `parent_id` is not allowed.")
        if changes.get("is_domain", project["is_domain"]) != project["is_domain"]:
            raise Invalid("Update of `is_domain` is not allowed.")
        enabled = changes.get("enabled", project["enabled"])
        if enabled and not project["enabled"] and not all(p["enabled"] for p in self.parents(project["id"])):
            raise Forbidden("A project can't be enabled below a disabled one.")
        disabling = project["enabled"] and not enabled and not project["is_domain"]
        if disabling and any(below["enabled"] for below in self.subtree(project["id"])):
            raise Forbidden("A project can't be disabled while enabled ones are below it.")

    def delete(self, project_id: str) -> None:
        """Remove a project that has no children, and what was granted on it."""
        project = self.get(project_id)
        refuse_if_immutable("project", project)
        if self.subtree(project_id):
            raise Forbidden(f"Project {project_id} has children; they are to be deleted first.")
        self._store.transact(lambda tx: remove_project(tx, project_id, self._store.clock()))

    def set_tags(self, project_id: str, tags: Sequence[str]) -> list[str]:
        self.get(project_id)
        self._store.transact(lambda tx: rows.set_tags(tx, project_id, tags))
        return rows.tags(self._store.db, project_id)

    def add_tag(self, project_id: str, tag: str) -> None:
        tags = self.get(project_id)["tags"]
        if tag in tags:
            raise Invalid(f"The project has the tag {tag} already.")
        if len(tags) >= MOST_TAGS:
            raise Invalid(f"A project has at most {MOST_TAGS} tags.")
        self._store.transact(lambda tx: rows.add_tag(tx, project_id, tag))

    def require_tag(self, project_id: str, tag: str) -> None:
        """Raise `NotFound` unless the project has the tag."""
        if tag not in self.get(project_id)["tags"]:
            raise NotFound(f"Could not find project tag: {tag}.")

    def remove_tag(self, project_id: str, tag: str) -> None:
        self.require_tag(project_id, tag)
        self._store.transact(lambda tx: rows.remove_tag(tx, project_id, tag))


def remove_project(tx: Tx, project_id: str, now: int) -> None:
    """Remove one project and all that refers to it. Tables of other modules cascade by their foreign keys."""
    grant_rows.remove_of_target(tx, "project", project_id)
    trust_rows.end_of_project(tx, project_id, now)
    delete(tx, rows.PROJECTS, project_id)


def _without_empty(tree: dict[str, Any]) -> dict[str, Any] | None:
    return {key: _without_empty(value) for key, value in tree.items()} or None


class Domains:
    def __init__(self, store: IdentityStore, projects: Projects, revocations: Revocations) -> None:
        self._store = store
        self._projects = projects
        self._revocations = revocations

    def get(self, domain_id: str) -> Record:
        """The domain. Raises `NotFound`, for a project that is none too."""
        domain = find(self._store.db, rows.PROJECTS, domain_id)
        if domain is None or not domain["is_domain"]:
            raise NotFound(f"Could not find domain: {domain_id}.")
        return domain

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Record]:
        require_marker(self._store.db, rows.PROJECTS, page)
        return select(self._store.db, rows.PROJECTS, [*filters, Filter("is_domain", 1)], page)

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
        created["description"] = created["description"] or ""
        created["options"] = given_options(created["options"])
        tags = created.pop("tags", [])
        if find(self._store.db, rows.PROJECTS, created["id"]) is not None:
            raise Conflict(f"Conflict occurred attempting to store domain - ID {created['id']} is in use.")

        def change(tx: Tx) -> None:
            insert(tx, rows.PROJECTS, created)
            rows.set_tags(tx, created["id"], tags)

        with names_unique("domain", created["name"]):
            self._store.transact(change)
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
        db = self._store.db
        projects = [project["id"] for project in reversed(self._projects.subtree(domain_id))]
        owned = {
            schema.table: [record["id"] for record in select(db, schema, [Filter("domain_id", domain_id)])]
            for schema in (user_rows.USERS, group_rows.GROUPS, role_rows.ROLES)
        }
        now = self._store.clock()

        def change(tx: Tx) -> None:
            self._remove_owned(tx, owned, now)
            for project_id in projects:
                remove_project(tx, project_id, now)
            grant_rows.remove_of_target(tx, "domain", domain_id)
            remove_project(tx, domain_id, now)
            self._revocations.add(tx, "domain", domain_id)

        self._store.transact(change)

    def _remove_owned(self, tx: Tx, owned: dict[str, list[str]], now: int) -> None:
        for user_id in owned[user_rows.USERS.table]:
            remove_user(tx, user_id, now)
        for group_id in owned[group_rows.GROUPS.table]:
            remove_group(tx, group_id)
        for role_id in owned[role_rows.ROLES.table]:
            grant_rows.remove_of_role(tx, role_id)
            delete(tx, role_rows.ROLES, role_id)
