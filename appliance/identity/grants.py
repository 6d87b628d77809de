"""Granting: giving and taking roles on projects, domains and the system."""

from appliance.db import grants as rows
from appliance.db.grants import Grant
from appliance.db.records import Record, find_many
from appliance.db.roles import ROLES
from appliance.errors import Forbidden, NotFound
from appliance.identity.domains import Domains
from appliance.identity.groups import Groups
from appliance.identity.ledger import Ledger
from appliance.identity.projects import Projects
from appliance.identity.roles import Roles
from appliance.identity.users import Users


class Grants:
    """`check`, `add` and `remove` raise `NotFound` when any id of a grant names nothing."""

    def __init__(
        self, ledger: Ledger, users: Users, groups: Groups, projects: Projects, domains: Domains, roles: Roles
    ) -> None:
        self._ledger = ledger
        self._users = users
        self._groups = groups
        self._projects = projects
        self._domains = domains
        self._roles = roles

    def roles(self, grant: Grant) -> list[Record]:
        """The roles that the actor has on the target by grants of this kind; `role_id` is not looked at."""
        self._actor(grant)
        self._target(grant)
        found = rows.select(
            self._ledger.db,
            actor_type=grant.actor_type,
            actor_id=grant.actor_id,
            target_type=grant.target_type,
            target_id=grant.target_id,
            inherited=grant.inherited,
        )
        return find_many(self._ledger.db, ROLES, [one.role_id for one in found])

    def check(self, grant: Grant) -> None:
        self._require(grant)
        if not rows.exists(self._ledger.db, grant):
            raise NotFound(f"Could not find role assignment with role: {grant.role_id}.")

    def add(self, grant: Grant) -> None:
        """Idempotent. A role of a domain is for that domain's projects only."""
        role = self._require(grant)
        bound = grant.target_type == "project" and role["domain_id"] is not None
        if bound and self._projects.get(grant.target_id)["domain_id"] != role["domain_id"]:
            raise Forbidden(f"Role {role['id']} belongs to another domain than project {grant.target_id}.")
        with self._ledger.write() as tx:
            rows.add(tx, grant)

    def remove(self, grant: Grant) -> None:
        """Take a role, also from someone who is gone."""
        self._roles.get(grant.role_id)
        self._target(grant)
        with self._ledger.write() as tx:
            if not rows.remove(tx, grant):
                raise NotFound(f"Could not find role assignment with role: {grant.role_id}.")

    def _require(self, grant: Grant) -> Record:
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
