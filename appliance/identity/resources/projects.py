"""Projects and domains: where things belong."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.identity import delegation as trust_rows
from appliance.db.identity import federation as federation_rows
from appliance.db.identity import grants as grant_rows
from appliance.db.identity import projects as rows
from appliance.db.identity.grants import ROLES
from appliance.db.identity.projects import PROJECTS, Project
from appliance.db.identity.users import GROUPS, USERS
from appliance.db.records import ALL, Condition, Filter, Page, Record, delete, find, insert, select, update
from appliance.errors import Conflict, Forbidden, Invalid, NotFound
from appliance.identity.federation.providers import remove_provider
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

    def get(self, project_id: str) -> Project:
        """The project or domain, with its `tags`. Raises `NotFound`."""
        project = find(self._store.db, PROJECTS, project_id)
        if project is None:
            raise NotFound(f"Could not find project: {project_id}.")
        return replace(project, tags=rows.tags(self._store.db, project_id))

    def search(
        self, filters: Iterable[Filter] = (), page: Page = ALL, tagged: Sequence[Condition] = ()
    ) -> list[Project]:
        require_marker(self._store.db, PROJECTS, page)
        return self.with_tags(select(self._store.db, PROJECTS, filters, page, more=tagged))

    def with_tags(self, projects: Iterable[Project]) -> list[Project]:
        """The same projects, each with its `tags`."""
        tags = rows.all_tags(self._store.db)
        return [replace(project, tags=tags.get(project.id, ())) for project in projects]

    def parents(self, project_id: str) -> list[Project]:
        """The projects above, the nearest first; the domain is not among them."""
        return [project for project in rows.ancestors(self._store.db, project_id) if not project.is_domain]

    def subtree(self, project_id: str) -> list[Project]:
        """The projects below, level by level."""
        return rows.descendants(self._store.db, project_id)

    def parents_as_ids(self, project_id: str) -> dict[str, Any] | None:
        """`{parent: {grandparent: None}}`, up to the domain."""
        tree: dict[str, Any] | None = None
        for project in reversed(rows.ancestors(self._store.db, project_id)):
            tree = {project.id: tree}
        return tree

    def subtree_as_ids(self, project_id: str) -> dict[str, Any] | None:
        """`{child: {grandchild: None}}`; None without children."""
        below: dict[str, dict[str, Any]] = {project_id: {}}
        descendants = self.subtree(project_id)
        for project in descendants:
            below[project.id] = {}
        for project in descendants:
            below[project.parent_id or ""][project.id] = below[project.id]
        return _without_empty(below[project_id])

    def create(self, project: Record) -> Project:
        """Add a project to its parent, or to its domain if no parent is named."""
        parent_id = project.get("parent_id") or project["domain_id"]
        created = _made(project, new_hex_id(), is_domain=False, parent_id=parent_id)
        self._check_place(created.domain, parent_id)

        def change(tx: Tx) -> None:
            insert(tx, PROJECTS, created)
            rows.set_tags(tx, created.id, created.tags)

        with names_unique("project", created.name):
            self._store.transact(change)
        return self.get(created.id)

    def _check_place(self, domain_id: str, parent_id: str) -> None:
        domain = find(self._store.db, PROJECTS, domain_id)
        if domain is None or not domain.is_domain:
            raise Invalid(f"Could not find domain: {domain_id}.")
        parent = find(self._store.db, PROJECTS, parent_id)
        if parent is None:
            raise Invalid(f"Could not find project: {parent_id}.")
        if parent.domain != domain.id:
            raise Invalid("The parent of a project is in the project's domain.")
        above = [parent, *rows.ancestors(self._store.db, parent.id)]
        if not all(project.enabled for project in above):
            raise Invalid("A project can't be created below a disabled one.")
        if len(above) > self._max_depth:
            raise Forbidden(f"Max hierarchy depth reached for {parent.id} branch.")

    def update(self, project_id: str, changes: Record) -> Project:
        refuse_new_id(changes, project_id)
        project = self.get(project_id)
        refuse_if_immutable("project", project, changes)
        self._check_change(project, changes)
        changed = merged(PROJECTS, project, changes)
        changed = replace(changed, name=changed.name.strip(), description=changed.description or "")

        def change(tx: Tx) -> None:
            update(tx, PROJECTS, changed)
            rows.set_tags(tx, project_id, changed.tags)
            if project.enabled and not changed.enabled:
                self._revocations.add(tx, "domain" if project.is_domain else "project", project_id)

        with names_unique("project", changed.name):
            self._store.transact(change)
        return self.get(project_id)

    def _check_change(self, project: Project, changes: Record) -> None:
        if changes.get("domain_id", project.domain_id) != project.domain_id:
            raise Invalid("Cannot change Domain ID.")
        if changes.get("parent_id", project.parent_id) != project.parent_id:
            raise Forbidden("Update of `parent_id` is not allowed.")
        if changes.get("is_domain", project.is_domain) != project.is_domain:
            raise Invalid("Update of `is_domain` is not allowed.")
        enabled = changes.get("enabled", project.enabled)
        if enabled and not project.enabled and not all(above.enabled for above in self.parents(project.id)):
            raise Forbidden("A project can't be enabled below a disabled one.")
        disabling = project.enabled and not enabled and not project.is_domain
        if disabling and any(below.enabled for below in self.subtree(project.id)):
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
        tags = self.get(project_id).tags
        if tag in tags:
            raise Invalid(f"The project has the tag {tag} already.")
        if len(tags) >= MOST_TAGS:
            raise Invalid(f"A project has at most {MOST_TAGS} tags.")
        self._store.transact(lambda tx: rows.add_tag(tx, project_id, tag))

    def require_tag(self, project_id: str, tag: str) -> None:
        """Raise `NotFound` unless the project has the tag."""
        if tag not in self.get(project_id).tags:
            raise NotFound(f"Could not find project tag: {tag}.")

    def remove_tag(self, project_id: str, tag: str) -> None:
        self.require_tag(project_id, tag)
        self._store.transact(lambda tx: rows.remove_tag(tx, project_id, tag))


def _made(sent: Record, project_id: str, **place: Any) -> Project:
    """A project or domain of what was sent, in its place."""
    described = {"name": sent["name"].strip(), "description": sent.get("description") or ""}
    described["options"] = given_options(sent.get("options", {}))
    return PROJECTS.made({**sent, **described, **place, "id": project_id})


def remove_project(tx: Tx, project_id: str, now: int) -> None:
    """Remove one project and all that refers to it. Tables of other modules cascade by their foreign keys."""
    grant_rows.remove_of_target(tx, "project", project_id)
    trust_rows.end_of_project(tx, project_id, now)
    delete(tx, PROJECTS, project_id)


def _without_empty(tree: dict[str, Any]) -> dict[str, Any] | None:
    return {key: _without_empty(value) for key, value in tree.items()} or None


class Domains:
    def __init__(self, store: IdentityStore, projects: Projects, revocations: Revocations) -> None:
        self._store = store
        self._projects = projects
        self._revocations = revocations

    def get(self, domain_id: str) -> Project:
        """The domain. Raises `NotFound`, for a project that is none too."""
        domain = find(self._store.db, PROJECTS, domain_id)
        if domain is None or not domain.is_domain:
            raise NotFound(f"Could not find domain: {domain_id}.")
        return domain

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Project]:
        require_marker(self._store.db, PROJECTS, page)
        return select(self._store.db, PROJECTS, [*filters, Filter("is_domain", 1)], page)

    def create(self, domain: Record, explicit_id: str | None = None) -> Project:
        created = _made(domain, explicit_id or new_hex_id(), is_domain=True, domain_id=None, parent_id=None)
        if find(self._store.db, PROJECTS, created.id) is not None:
            raise Conflict(f"Conflict occurred attempting to store domain - ID {created.id} is in use.")

        def change(tx: Tx) -> None:
            insert(tx, PROJECTS, created)
            rows.set_tags(tx, created.id, created.tags)

        with names_unique("domain", created.name):
            self._store.transact(change)
        return self.get(created.id)

    def update(self, domain_id: str, changes: Record) -> Project:
        self.get(domain_id)
        self._projects.update(domain_id, changes)
        return self.get(domain_id)

    def delete(self, domain_id: str) -> None:
        """Remove a disabled domain with all that it owns."""
        domain = self.get(domain_id)
        refuse_if_immutable("domain", domain)
        if domain.enabled:
            raise Forbidden("Cannot delete a domain that is enabled, please disable it first.")
        db = self._store.db
        projects = [project.id for project in reversed(self._projects.subtree(domain_id))]
        owned = [Filter("domain_id", domain_id)]
        users, groups, roles = select(db, USERS, owned), select(db, GROUPS, owned), select(db, ROLES, owned)
        now = self._store.clock()

        def change(tx: Tx) -> None:
            for idp_id in federation_rows.of_domain(tx, domain_id):
                remove_provider(tx, idp_id, now, self._revocations)
            for user in users:
                remove_user(tx, user.id, now)
            for group in groups:
                remove_group(tx, group.id)
            for role in roles:
                grant_rows.remove_of_role(tx, role.id)
                delete(tx, ROLES, role.id)
            for project_id in projects:
                remove_project(tx, project_id, now)
            grant_rows.remove_of_target(tx, "domain", domain_id)
            remove_project(tx, domain_id, now)
            self._revocations.add(tx, "domain", domain_id)

        self._store.transact(change)
