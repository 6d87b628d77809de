"""Rows of users, their passwords and options, and groups with their members."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.db.engine.base import Reader, Row, Tx
from appliance.db.records import Condition, Filter, Options, Table, computed, conditions, one, one_of
from appliance.values import Micros

FEDERATED_ID = 64
"""The length of the id of a user whom a log-in has made. Others have 32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: str
    name: str
    domain_id: str
    enabled: bool = True
    default_project_id: str | None = None
    options: Options = field(default_factory=dict)
    created_at: Micros
    last_active_at: Micros | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    password_expires_at: Micros | None = computed()
    """When the password in force does, unless the user is exempt."""
    federated: Sequence[Any] = computed(())
    """Who the user is to identity providers, in Keystone's form."""

    @property
    def is_federated(self) -> bool:
        """Whether a log-in has made the user. Then the name is the id, which is a digest; what the identity provider
        calls them is in `federated_users`, where two may have the same name."""
        return self.name == self.id and len(self.id) == FEDERATED_ID


USERS = Table("users", User)


def by_name(reader: Reader, name: str, domain_id: str) -> User | None:
    return one(reader, USERS, "domain_id = ? AND name = ?", domain_id, name)


def password(reader: Reader, user_id: str) -> Row | None:
    """The password in force."""
    return reader.row("SELECT * FROM passwords WHERE user_id = ? ORDER BY id DESC LIMIT 1", (user_id,))


def password_history(reader: Reader, user_id: str, count: int) -> list[Row]:
    """The last `count` passwords, the one in force first."""
    return reader.rows("SELECT * FROM passwords WHERE user_id = ? ORDER BY id DESC LIMIT ?", (user_id, count))


def password_expiries(reader: Reader) -> dict[str, Micros | None]:
    """When each user's password in force expires; users without a password are missing."""
    rows = reader.rows(
        "SELECT user_id, expires_at FROM passwords WHERE id IN (SELECT max(id) FROM passwords GROUP BY user_id)"
    )
    return {row["user_id"]: row["expires_at"] for row in rows}


def add_password(
    tx: Tx,
    user_id: str,
    hash_text: str,
    *,
    self_service: bool,
    created_at: Micros,
    expires_at: Micros | None,
    keep: int,
) -> None:
    """Put a new password in force and keep at most `keep` of them in all."""
    tx.execute(
        "INSERT INTO passwords (user_id, hash, self_service, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        (user_id, hash_text, int(self_service), created_at, expires_at),
    )
    tx.execute(
        "DELETE FROM passwords WHERE user_id = ? AND id NOT IN "
        "(SELECT id FROM passwords WHERE user_id = ? ORDER BY id DESC LIMIT ?)",
        (user_id, user_id, max(keep, 1)),
    )


def replace_hash(tx: Tx, password_id: int, old: str, new: str) -> None:
    """Keep the same password in another form, unless it was changed meanwhile."""
    tx.execute("UPDATE passwords SET hash = ? WHERE id = ? AND hash = ?", (new, password_id, old))


def failures(reader: Reader, user_id: str) -> tuple[int, Micros | None]:
    """How often in a row authentication failed, and when it last did."""
    row = reader.row("SELECT failed_auth_count, failed_auth_at FROM users WHERE id = ?", (user_id,))
    return (0, None) if row is None else (row["failed_auth_count"], row["failed_auth_at"])


def count_failure(tx: Tx, user_id: str, at: Micros) -> None:
    tx.execute(
        "UPDATE users SET failed_auth_count = failed_auth_count + 1, failed_auth_at = ? WHERE id = ?", (at, user_id)
    )


def count_for_nobody(tx: Tx, at: Micros) -> None:
    """Write as much as `count_failure` does. Without it, the time of a wrong log-in would tell who is counted."""
    tx.execute(
        "INSERT INTO notes (key, value) VALUES ('users:nobody', ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (str(at),),
    )


def begin_lockout(tx: Tx, user_id: str, at: Micros) -> None:
    """Count the time of a lock-out from here."""
    tx.execute("UPDATE users SET failed_auth_at = ? WHERE id = ?", (at, user_id))


def forget_failures(tx: Tx, user_id: str) -> None:
    tx.execute("UPDATE users SET failed_auth_count = 0, failed_auth_at = NULL WHERE id = ?", (user_id,))


def set_active(tx: Tx, user_id: str, at: Micros) -> None:
    tx.execute("UPDATE users SET last_active_at = ? WHERE id = ?", (at, user_id))


def expiring(item: Filter) -> Condition:
    """A condition: the password in force expires as the filter on `password_expires_at` says."""
    clauses, values = conditions([Filter("expires_at", item.value, item.comparator)])
    latest = "SELECT max(id) FROM passwords GROUP BY user_id"
    return f"id IN (SELECT user_id FROM passwords WHERE id IN ({latest}) AND {clauses[0]})", values


def called(item: Filter) -> Condition:
    """A condition: the user's name is as the filter on `name` says, or what an identity provider calls them is."""
    clauses, values = conditions([item])
    others, more = conditions([Filter("display_name", item.value, item.comparator)])
    if not clauses:
        return "1 = 1", ()
    federated = f"id IN (SELECT user_id FROM federated_users WHERE {others[0]})"
    return f"({clauses[0]} OR (name = id AND {federated}))", [*values, *more]


def among(ids: Iterable[str]) -> Condition:
    """A condition: the user is one of these."""
    return one_of("id", list(ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    id: str
    name: str
    domain_id: str
    description: str
    extra: Mapping[str, Any] = field(default_factory=dict)


GROUPS = Table("user_groups", Group)


def groups_of_user(reader: Reader, user_id: str, now: Micros) -> dict[str, Micros | None]:
    """The ids of the groups that a user is in, and when that ends, if it was a log-in that has said so."""
    rows = reader.rows(
        "SELECT group_id, expires_at FROM federated_group_members WHERE user_id = ? AND expires_at > ? "
        "ORDER BY group_id, expires_at",
        (user_id, now),
    )
    ending: dict[str, Micros | None] = {row["group_id"]: row["expires_at"] for row in rows}
    lasting = reader.rows("SELECT group_id FROM group_members WHERE user_id = ? ORDER BY group_id", (user_id,))
    return {**ending, **{row["group_id"]: None for row in lasting}}


def member_ids(reader: Reader, group_id: str, now: Micros) -> list[str]:
    """Those in the group, and those whose log-in has put them there if that has not ended by `now`."""
    rows = reader.rows(
        "SELECT user_id FROM group_members WHERE group_id = ? UNION "
        "SELECT user_id FROM federated_group_members WHERE group_id = ? AND expires_at > ? ORDER BY user_id",
        (group_id, group_id, now),
    )
    return [row["user_id"] for row in rows]


def add_member(tx: Tx, group_id: str, user_id: str) -> None:
    tx.execute("INSERT INTO group_members VALUES (?, ?) ON CONFLICT DO NOTHING", (group_id, user_id))


def remove_member(tx: Tx, group_id: str, user_id: str) -> bool:
    """False if they are not in it, or only by a log-in."""
    deleted = tx.execute("DELETE FROM group_members WHERE group_id = ? AND user_id = ?", (group_id, user_id))
    return deleted.rowcount > 0
