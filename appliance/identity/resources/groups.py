"""Groups of users. What is granted to a group is granted to each of its members."""

from collections.abc import Iterable
from dataclasses import replace

from appliance.db.engine.base import Tx
from appliance.db.identity import grants as grant_rows
from appliance.db.identity import projects as project_rows
from appliance.db.identity import users as rows
from appliance.db.identity.users import GROUPS, Group
from appliance.db.records import ALL, Filter, Page, Record, delete, find, find_many, insert, select, update
from appliance.errors import Invalid, NotFound
from appliance.identity.store import IdentityStore, merged, names_unique, refuse_new_id, require_marker
from appliance.identity.tokens.revocations import Revocations
from appliance.values import Micros, new_hex_id


class Groups:
    def __init__(self, store: IdentityStore, revocations: Revocations) -> None:
        self._store = store
        self._revocations = revocations

    def get(self, group_id: str) -> Group:
        group = find(self._store.db, GROUPS, group_id)
        if group is None:
            raise NotFound(f"Could not find group: {group_id}.")
        return group

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Group]:
        require_marker(self._store.db, GROUPS, page)
        return select(self._store.db, GROUPS, filters, page)

    def of_user(self, user_id: str) -> list[tuple[Group, Micros | None]]:
        """The groups that a user is in, each with the end of that, if a log-in has put them there."""
        ends = rows.groups_of_user(self._store.db, user_id, self._store.clock())
        return [(group, ends[group.id]) for group in find_many(self._store.db, GROUPS, ends)]

    def member_ids(self, group_id: str) -> list[str]:
        self.get(group_id)
        return rows.member_ids(self._store.db, group_id, self._store.clock())

    def has_member(self, group_id: str, user_id: str) -> bool:
        return group_id in rows.groups_of_user(self._store.db, user_id, self._store.clock())

    def create(self, group: Record) -> Group:
        domain = find(self._store.db, project_rows.PROJECTS, group["domain_id"])
        if domain is None or not domain.is_domain:
            raise NotFound(f"Could not find domain: {group['domain_id']}.")
        named = {"name": group["name"].strip(), "description": group.get("description") or ""}
        created = GROUPS.made({**group, **named, "id": new_hex_id()})
        with names_unique("group", created.name):
            self._store.transact(lambda tx: insert(tx, GROUPS, created))
        return self.get(created.id)

    def update(self, group_id: str, changes: Record) -> Group:
        refuse_new_id(changes, group_id)
        group = self.get(group_id)
        if changes.get("domain_id", group.domain_id) != group.domain_id:
            raise Invalid("Cannot change Domain ID.")
        changed = merged(GROUPS, group, changes)
        changed = replace(changed, description=changed.description or "", name=changed.name.strip())
        with names_unique("group", changed.name):
            self._store.transact(lambda tx: update(tx, GROUPS, changed))
        return self.get(group_id)

    def delete(self, group_id: str) -> None:
        """Remove the group and its grants. Who was in it has to authenticate anew."""
        self.get(group_id)

        def change(tx: Tx) -> None:
            # Of log-ins, too, whenever they end: their tokens have the group as long as they live.
            members = rows.member_ids(tx, group_id, 0)
            remove_group(tx, group_id)
            for user_id in members:
                self._revocations.add(tx, "user", user_id)

        self._store.transact(change)

    def add_member(self, group_id: str, user_id: str) -> None:
        self._require(group_id, user_id)
        self._store.transact(lambda tx: rows.add_member(tx, group_id, user_id))

    def remove_member(self, group_id: str, user_id: str) -> None:
        """Take someone out, who then has to authenticate anew."""
        self._require(group_id, user_id)

        def change(tx: Tx) -> None:
            if not rows.remove_member(tx, group_id, user_id):
                raise _not_in(group_id, user_id)
            self._revocations.add(tx, "user", user_id)

        self._store.transact(change)

    def require_member(self, group_id: str, user_id: str) -> None:
        """Raise `NotFound` unless both exist and the one is in the other."""
        self._require(group_id, user_id)
        if not self.has_member(group_id, user_id):
            raise _not_in(group_id, user_id)

    def _require(self, group_id: str, user_id: str) -> None:
        self.get(group_id)
        if find(self._store.db, rows.USERS, user_id) is None:
            raise NotFound(f"Could not find user: {user_id}.")


def _not_in(group_id: str, user_id: str) -> NotFound:
    return NotFound(f"User {user_id} is not found in group {group_id}.")


def remove_group(tx: Tx, group_id: str) -> None:
    """Remove one group and what was granted to it."""
    grant_rows.remove_of_actor(tx, "group", group_id)
    delete(tx, GROUPS, group_id)
