"""The legacy role, `_member_`: what Identity API v2.0 gives whoever is put into a tenant."""

from appliance.db.identity import grants as rows
from appliance.db.identity.grants import ROLES, Grant, Role
from appliance.db.records import find, insert
from appliance.errors import NotFound
from appliance.identity.resources.assignments import Grants
from appliance.identity.resources.roles import Roles
from appliance.identity.store import IdentityStore, names_unique

NAME = "_member_"
ID = "9fe2ff9ee4384b1894a90878d3e92bab"
"""The same in every cloud of the time."""

_TODAY = "member"


class LegacyMemberRole:
    def __init__(self, store: IdentityStore, roles: Roles, grants: Grants) -> None:
        self._store = store
        self._roles = roles
        self._grants = grants

    def create_role(self, name: str) -> Role:
        """A role as one made it then.

        `_member_`, or `Member` as the guides had it, meant: may work in this tenant. So it implies today's `member`,
        which is what other services and we ourselves ask for.
        """
        if name != NAME:
            role = self._roles.create({"name": name})
            if name.lower() == _TODAY:
                self._imply(role.id)
            return role
        with names_unique("role", name):
            self._store.transact(lambda tx: insert(tx, ROLES, Role(id=ID, name=NAME)))
        self._imply(ID)
        return self._roles.get(ID)

    def join(self, user_id: str, project_id: str) -> None:
        """Give a user the role on a project, making the role if this is the first time."""
        known = rows.by_name(self._store.db, NAME)
        role = known if known is not None else self.create_role(NAME)
        self._grants.add(Grant("user", user_id, "project", project_id, role.id))

    def leave(self, user_id: str, project_id: str) -> None:
        """Take it again, if it was given."""
        role = rows.by_name(self._store.db, NAME)
        if role is None:
            return
        try:
            self._grants.remove(Grant("user", user_id, "project", project_id, role.id))
        except NotFound:
            return

    def _imply(self, role_id: str) -> None:
        today = rows.by_name(self._store.db, _TODAY)
        if today is None or find(self._store.db, ROLES, role_id) is None:
            return
        self._store.transact(lambda tx: rows.imply(tx, role_id, today.id))
