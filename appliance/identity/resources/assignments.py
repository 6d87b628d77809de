"""Who has which role where: grants, what follows from them, and their list."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from appliance.db.engine.base import Reader, Tx
from appliance.db.identity import grants as rows
from appliance.db.identity import projects as project_rows
from appliance.db.identity import users as group_rows
from appliance.db.identity.grants import ROLES, SYSTEM, Grant, Role
from appliance.db.identity.projects import PROJECTS, Project
from appliance.db.identity.users import USERS
from appliance.db.records import Table, find, find_many
from appliance.errors import Forbidden, Invalid, NotFound
from appliance.identity.resources.groups import Groups
from appliance.identity.resources.projects import Domains, Projects
from appliance.identity.resources.roles import Roles
from appliance.identity.resources.users import Users
from appliance.identity.store import IdentityStore


class Assignments:
    """Answers about effective roles. Each reads rows; callers that ask often keep what they learn by generation.

    `idp_id` is the identity provider by which somebody has logged in: what its groups give them counts, too.
    """

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def grants_of(self, user_id: str, idp_id: str | None = None) -> list[Grant]:
        """Everything granted to a user, directly and through groups."""
        return rows.of_user(self._store.db, user_id, self._store.clock(), idp_id)

    def project_roles(self, user_id: str, project_id: str, idp_id: str | None = None) -> list[Role]:
        """The global roles that a user has on a project, inherited and implied ones included."""
        return self._global(self.project_role_ids(user_id, project_id, idp_id))

    def project_role_ids(self, user_id: str, project_id: str, idp_id: str | None = None) -> set[str]:
        """The ids of all roles that a user has on a project, those of domains among them."""
        above = [project.id for project in project_rows.ancestors(self._store.db, project_id)]
        granted = [grant.role_id for grant in self.grants_of(user_id, idp_id) if _reaches(grant, project_id, above)]
        return closure(self._store.db, granted)

    def domain_roles(self, user_id: str, domain_id: str, idp_id: str | None = None) -> list[Role]:
        granted = [
            grant.role_id
            for grant in self.grants_of(user_id, idp_id)
            if grant.target_type == "domain" and grant.target_id == domain_id and not grant.inherited
        ]
        return self.with_implied(granted)

    def system_roles(self, user_id: str, idp_id: str | None = None) -> list[Role]:
        granted = [
            grant.role_id
            for grant in self.grants_of(user_id, idp_id)
            if grant.target_type == "system" and grant.target_id == SYSTEM and not grant.inherited
        ]
        return self.with_implied(granted)

    def with_implied(self, role_ids: Iterable[str]) -> list[Role]:
        """The global roles among these and all that they imply. Roles of domains only pass on what they imply."""
        return self._global(closure(self._store.db, role_ids))

    def _global(self, role_ids: Iterable[str]) -> list[Role]:
        return [role for role in find_many(self._store.db, ROLES, role_ids) if role.domain_id is None]

    def projects_of(self, user_id: str, idp_id: str | None = None) -> list[Project]:
        """Every project that the user has a role on, by whatever way."""
        db = self._store.db
        wanted: set[str] = set()
        for grant in self.grants_of(user_id, idp_id):
            if grant.target_type == "project" and not grant.inherited:
                wanted.add(grant.target_id)
            elif grant.inherited:
                wanted |= {p.id for p in project_rows.descendants(db, grant.target_id) if not p.is_domain}
        return find_many(db, PROJECTS, wanted)

    def domains_of(self, user_id: str, idp_id: str | None = None) -> list[Project]:
        """Every domain that the user can scope a token to."""
        grants = self.grants_of(user_id, idp_id)
        wanted = {grant.target_id for grant in grants if grant.target_type == "domain" and not grant.inherited}
        return find_many(self._store.db, PROJECTS, wanted)


def _reaches(grant: Grant, project_id: str, above: list[str]) -> bool:
    if grant.target_type == "project" and not grant.inherited:
        return grant.target_id == project_id
    return grant.inherited and grant.target_id in above


def closure(reader: Reader, role_ids: Iterable[str]) -> set[str]:
    """These roles and, step by step, all that they imply."""
    implied: dict[str, list[str]] = {}
    for prior, implication in rows.implications(reader):
        implied.setdefault(prior, []).append(implication)
    found: set[str] = set()
    pending = list(role_ids)
    while pending:
        role_id = pending.pop()
        if role_id not in found:
            found.add(role_id)
            pending += implied.get(role_id, [])
    return found


@dataclass(frozen=True, slots=True)
class Assignment:
    """A grant, or what one amounts to, with the way by which it does: group, inheritance, implied role."""

    grant: Grant
    via_group: str | None = None
    via_target: tuple[str, str] | None = None
    """(project or domain, id) that it is inherited from."""
    via_role: str | None = None
    """The role that implies this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which assignments are asked for; None is any."""

    user_id: str | None = None
    group_id: str | None = None
    role_id: str | None = None
    project_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    inherited: bool | None = None
    effective: bool = False
    include_subtree: bool = False

    def check(self) -> None:
        """Raise `Invalid` for what excludes itself."""
        if len([one for one in (self.project_id, self.domain_id, self.system or None) if one]) > 1:
            raise Invalid("Specify one of project, domain and system.")
        if self.user_id and self.group_id:
            raise Invalid("Specify a user or group, not both.")
        if self.effective and self.group_id:
            raise Invalid("Combining effective and group filter will always result in an empty list.")
        if self.effective and self.inherited and self.domain_id:
            raise Invalid("Combining effective, domain and inherited filters will always result in an empty list.")


class AssignmentList:
    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def search(self, wanted: Wanted) -> list[Assignment]:
        """The assignments that are asked for.

        Raises `Invalid` for a combination that makes no sense, and `NotFound` for the effective ones of nobody.
        """
        wanted.check()
        targets = self._targets(wanted)
        if not wanted.effective:
            return [Assignment(grant) for grant in self._granted(wanted) if _on(grant, targets)]
        self._require_known("user", USERS, wanted.user_id)
        self._require_known("project", PROJECTS, wanted.project_id)
        effective = self._implied(self._inherited(self._by_user(wanted), wanted.inherited))
        return [
            one
            for one in dict.fromkeys(effective)
            if _on(one.grant, targets) and wanted.role_id in (None, one.grant.role_id)
        ]

    def _require_known(self, kind: str, table: Table[Any], row_id: str | None) -> None:
        if row_id and find(self._store.db, table, row_id) is None:
            raise NotFound(f"Could not find {kind}: {row_id}.")

    def _targets(self, wanted: Wanted) -> set[tuple[str, str]] | None:
        """The (type, id) of what may be assigned on; None for anything."""
        if wanted.system:
            return {("system", SYSTEM)}
        if wanted.domain_id:
            return {("domain", wanted.domain_id)}
        if not wanted.project_id:
            return None
        ids = [wanted.project_id]
        if wanted.include_subtree:
            ids += [project.id for project in project_rows.descendants(self._store.db, wanted.project_id)]
        return {("project", project_id) for project_id in ids}

    def _granted(self, wanted: Wanted) -> list[Grant]:
        return rows.select(
            self._store.db,
            actor_type="user" if wanted.user_id else "group" if wanted.group_id else None,
            actor_id=wanted.user_id or wanted.group_id,
            role_id=wanted.role_id,
            inherited=wanted.inherited,
        )

    def _by_user(self, wanted: Wanted) -> Iterator[Assignment]:
        """Grants to users, and each grant to a group as one to each of its members."""
        db = self._store.db
        if wanted.user_id:
            grants = rows.of_user(db, wanted.user_id, self._store.clock())
        else:
            grants = rows.select(db)
        for grant in grants:
            if grant.actor_type == "user":
                yield Assignment(grant)
                continue
            members = (
                [wanted.user_id] if wanted.user_id else group_rows.member_ids(db, grant.actor_id, self._store.clock())
            )
            for user_id in members:
                yield Assignment(replace(grant, actor_type="user", actor_id=user_id), via_group=grant.actor_id)

    def _inherited(self, assignments: Iterable[Assignment], inherited: bool | None) -> Iterator[Assignment]:
        """Each inherited assignment as one on every project below."""
        for one in assignments:
            if not one.grant.inherited:
                if inherited is not True:
                    yield one
            elif inherited is not False:
                origin = (one.grant.target_type, one.grant.target_id)
                for project in project_rows.descendants(self._store.db, one.grant.target_id):
                    grant = replace(one.grant, target_type="project", target_id=project.id, inherited=False)
                    yield replace(one, grant=grant, via_target=origin)

    def _implied(self, assignments: Iterable[Assignment]) -> Iterator[Assignment]:
        """Each assignment and what its role implies, without roles of domains."""
        implied: dict[str, list[str]] = {}
        for prior, role_id in rows.implications(self._store.db):
            implied.setdefault(prior, []).append(role_id)
        given = list(assignments)
        global_roles = self._global_roles(given, implied)
        for one in given:
            for step in _with_implied(one, implied):
                if step.grant.role_id in global_roles:
                    yield step

    def _global_roles(self, assignments: list[Assignment], implied: dict[str, list[str]]) -> set[str]:
        ids = {one.grant.role_id for one in assignments} | {i for several in implied.values() for i in several}
        return {role.id for role in find_many(self._store.db, ROLES, ids) if role.domain_id is None}


def _on(grant: Grant, targets: set[tuple[str, str]] | None) -> bool:
    return targets is None or (grant.target_type, grant.target_id) in targets


def _with_implied(one: Assignment, implied: dict[str, list[str]]) -> Iterator[Assignment]:
    """The assignment, then those of the roles that it implies; each role once, whatever circles there are."""
    seen: set[str] = set()
    pending = [one]
    while pending:
        step = pending.pop(0)
        if step.grant.role_id in seen:
            continue
        seen.add(step.grant.role_id)
        yield step
        for role_id in implied.get(step.grant.role_id, []):
            pending.append(replace(step, grant=replace(step.grant, role_id=role_id), via_role=step.grant.role_id))


class Grants:
    """`check`, `add` and `remove` raise `NotFound` when any id of a grant names nothing."""

    def __init__(
        self, store: IdentityStore, users: Users, groups: Groups, projects: Projects, domains: Domains, roles: Roles
    ) -> None:
        self._store = store
        self._users = users
        self._groups = groups
        self._projects = projects
        self._domains = domains
        self._roles = roles

    def roles(self, grant: Grant) -> list[Role]:
        """The roles that the actor has on the target by grants of this kind; `role_id` is not looked at."""
        self._actor(grant)
        self._target(grant)
        found = rows.select(
            self._store.db,
            actor_type=grant.actor_type,
            actor_id=grant.actor_id,
            target_type=grant.target_type,
            target_id=grant.target_id,
            inherited=grant.inherited,
        )
        return find_many(self._store.db, ROLES, [one.role_id for one in found])

    def check(self, grant: Grant) -> None:
        self._require(grant)
        if not rows.exists(self._store.db, grant):
            raise NotFound(f"Could not find role assignment with role: {grant.role_id}.")

    def add(self, grant: Grant) -> None:
        """Idempotent. A role of a domain is for that domain's projects only."""
        role = self._require(grant)
        if grant.target_type == "system" and role.domain_id is not None:
            raise Invalid(f"Role {role.id} is one of a domain and can't be assigned on the system.")
        bound = grant.target_type == "project" and role.domain_id is not None
        if bound and self._projects.get(grant.target_id).domain_id != role.domain_id:
            raise Forbidden(f"Role {role.id} belongs to another domain than project {grant.target_id}.")
        self._store.transact(lambda tx: rows.add(tx, grant))

    def remove(self, grant: Grant) -> None:
        """Take a role, also from someone who is gone."""
        self._roles.get(grant.role_id)
        self._target(grant)

        def change(tx: Tx) -> None:
            if not rows.remove(tx, grant):
                raise NotFound(f"Could not find role assignment with role: {grant.role_id}.")

        self._store.transact(change)

    def _require(self, grant: Grant) -> Role:
        role = self._roles.get(grant.role_id)
        self._actor(grant)
        self._target(grant)
        return role

    def _actor(self, grant: Grant) -> None:
        if grant.actor_type == "user":
            self._users.get(grant.actor_id)
        else:
            self._groups.get(grant.actor_id)

    def _target(self, grant: Grant) -> None:
        if grant.target_type == "project":
            self._projects.get(grant.target_id)
        elif grant.target_type == "domain":
            self._domains.get(grant.target_id)
