"""Which roles someone has where: grants, groups, inheritance down the tree, and what roles imply."""

from collections.abc import Iterable

from appliance.db import grants as grant_rows
from appliance.db import groups as group_rows
from appliance.db import projects as project_rows
from appliance.db import roles as role_rows
from appliance.db.grants import SYSTEM, Grant
from appliance.db.records import Reader, Record, find_many
from appliance.identity.ledger import Ledger


class Assignments:
    """Answers about effective roles. Each reads rows; callers that ask often keep what they learn by generation."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def grants_of(self, user_id: str) -> list[Grant]:
        """Everything granted to a user, directly and through groups."""
        db = self._ledger.db
        return grant_rows.of_actors(db, user_id, group_rows.ids_of_user(db, user_id))

    def project_roles(self, user_id: str, project_id: str) -> list[Record]:
        """The global roles that a user has on a project, inherited and implied ones included."""
        return self._global(self.project_role_ids(user_id, project_id))

    def project_role_ids(self, user_id: str, project_id: str) -> set[str]:
        """The ids of all roles that a user has on a project, those of domains among them."""
        above = [project["id"] for project in project_rows.ancestors(self._ledger.db, project_id)]
        granted = [grant.role_id for grant in self.grants_of(user_id) if _reaches(grant, project_id, above)]
        return closure(self._ledger.db, granted)

    def domain_roles(self, user_id: str, domain_id: str) -> list[Record]:
        granted = [
            grant.role_id
            for grant in self.grants_of(user_id)
            if grant.target_type == "domain" and grant.target_id == domain_id and not grant.inherited
        ]
        return self.with_implied(granted)

    def system_roles(self, user_id: str) -> list[Record]:
        granted = [
            grant.role_id
            for grant in self.grants_of(user_id)
            if grant.target_type == "system" and grant.target_id == SYSTEM and not grant.inherited
        ]
        return self.with_implied(granted)

    def with_implied(self, role_ids: Iterable[str]) -> list[Record]:
        """The global roles among these and all that they imply. Roles of domains only pass on what they imply."""
        return self._global(closure(self._ledger.db, role_ids))

    def _global(self, role_ids: Iterable[str]) -> list[Record]:
        return [role for role in find_many(self._ledger.db, role_rows.ROLES, role_ids) if role["domain_id"] is None]

    def projects_of(self, user_id: str) -> list[Record]:
        """Every project that the user has a role on, by whatever way."""
        db = self._ledger.db
        wanted: set[str] = set()
        for grant in self.grants_of(user_id):
            if grant.target_type == "project" and not grant.inherited:
                wanted.add(grant.target_id)
            elif grant.inherited:
                wanted |= {p["id"] for p in project_rows.descendants(db, grant.target_id) if not p["is_domain"]}
        return find_many(db, project_rows.PROJECTS, wanted)

    def domains_of(self, user_id: str) -> list[Record]:
        """Every domain that the user can scope a token to."""
        wanted = {g.target_id for g in self.grants_of(user_id) if g.target_type == "domain" and not g.inherited}
        return find_many(self._ledger.db, project_rows.PROJECTS, wanted)


def _reaches(grant: Grant, project_id: str, above: list[str]) -> bool:
    if grant.target_type == "project" and not grant.inherited:
        return grant.target_id == project_id
    return grant.inherited and grant.target_id in above


def closure(reader: Reader, role_ids: Iterable[str]) -> set[str]:
    """These roles and, step by step, all that they imply."""
    implied: dict[str, list[str]] = {}
    for prior, implication in role_rows.implications(reader):
        implied.setdefault(prior, []).append(implication)
    found: set[str] = set()
    pending = list(role_ids)
    while pending:
        role_id = pending.pop()
        if role_id not in found:
            found.add(role_id)
            pending += implied.get(role_id, [])
    return found
