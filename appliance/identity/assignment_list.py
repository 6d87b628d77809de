"""The list of role assignments: as they were granted, or as they take effect."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from appliance.db import grants as grant_rows
from appliance.db import groups as group_rows
from appliance.db import projects as project_rows
from appliance.db import roles as role_rows
from appliance.db.grants import SYSTEM, Grant
from appliance.db.records import find_many
from appliance.errors import Invalid
from appliance.identity.ledger import Ledger


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
        if self.include_subtree and not self.project_id:
            raise Invalid("scope.project.id must be specified if include_subtree is also specified.")


class AssignmentList:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def search(self, wanted: Wanted) -> list[Assignment]:
        """The assignments that are asked for. Raises `Invalid` for a combination that makes no sense."""
        wanted.check()
        targets = self._targets(wanted)
        if not wanted.effective:
            return [Assignment(grant) for grant in self._granted(wanted) if _on(grant, targets)]
        effective = self._implied(self._inherited(self._by_user(wanted), wanted.inherited))
        return [
            one
            for one in dict.fromkeys(effective)
            if _on(one.grant, targets) and wanted.role_id in (None, one.grant.role_id)
        ]

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
            ids += [project["id"] for project in project_rows.descendants(self._ledger.db, wanted.project_id)]
        return {("project", project_id) for project_id in ids}

    def _granted(self, wanted: Wanted) -> list[Grant]:
        return grant_rows.select(
            self._ledger.db,
            actor_type="user" if wanted.user_id else "group" if wanted.group_id else None,
            actor_id=wanted.user_id or wanted.group_id,
            role_id=wanted.role_id,
            inherited=wanted.inherited,
        )

    def _by_user(self, wanted: Wanted) -> Iterator[Assignment]:
        """Grants to users, and each grant to a group as one to each of its members."""
        db = self._ledger.db
        if wanted.user_id:
            grants = grant_rows.of_actors(db, wanted.user_id, group_rows.ids_of_user(db, wanted.user_id))
        else:
            grants = grant_rows.select(db)
        for grant in grants:
            if grant.actor_type == "user":
                yield Assignment(grant)
                continue
            members = [wanted.user_id] if wanted.user_id else group_rows.member_ids(db, grant.actor_id)
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
                for project in project_rows.descendants(self._ledger.db, one.grant.target_id):
                    grant = replace(one.grant, target_type="project", target_id=project["id"], inherited=False)
                    yield replace(one, grant=grant, via_target=origin)

    def _implied(self, assignments: Iterable[Assignment]) -> Iterator[Assignment]:
        """Each assignment and what its role implies, without roles of domains."""
        implied: dict[str, list[str]] = {}
        for prior, role_id in role_rows.implications(self._ledger.db):
            implied.setdefault(prior, []).append(role_id)
        given = list(assignments)
        global_roles = self._global_roles(given, implied)
        for one in given:
            for step in _with_implied(one, implied):
                if step.grant.role_id in global_roles:
                    yield step

    def _global_roles(self, assignments: list[Assignment], implied: dict[str, list[str]]) -> set[str]:
        ids = {one.grant.role_id for one in assignments} | {i for several in implied.values() for i in several}
        return {role["id"] for role in find_many(self._ledger.db, role_rows.ROLES, ids) if role["domain_id"] is None}


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
