"""Rows of roles, what they imply, and who has which of them where."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.db.engine.base import Reader, Row, Tx
from appliance.db.records import Options, Table, one
from appliance.values import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    id: str
    name: str
    domain_id: str | None = None
    description: str | None = None
    options: Options = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


ROLES = Table("roles", Role)


def by_name(reader: Reader, name: str) -> Role | None:
    """The global role of this name."""
    return one(reader, ROLES, "name = ? AND domain_id IS NULL", name)


def implications(reader: Reader) -> list[tuple[str, str]]:
    """Every (prior role, implied role)."""
    rows = reader.rows("SELECT prior_role_id, implied_role_id FROM implied_roles ORDER BY 1, 2")
    return [(row["prior_role_id"], row["implied_role_id"]) for row in rows]


def imply(tx: Tx, prior_role_id: str, implied_role_id: str) -> bool:
    """False if it does so already."""
    added = tx.execute(
        "INSERT INTO implied_roles VALUES (?, ?) ON CONFLICT DO NOTHING", (prior_role_id, implied_role_id)
    )
    return added.rowcount > 0


def no_longer_imply(tx: Tx, prior_role_id: str, implied_role_id: str) -> bool:
    deleted = tx.execute(
        "DELETE FROM implied_roles WHERE prior_role_id = ? AND implied_role_id = ?", (prior_role_id, implied_role_id)
    )
    return deleted.rowcount > 0


SYSTEM = "system"
"""The id of the one system target."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One assignment. `actor_type` is user or group; `target_type` is project, domain or system."""

    actor_type: str
    actor_id: str
    target_type: str
    target_id: str
    role_id: str
    inherited: bool = False


def _read(row: Row) -> Grant:
    return Grant(
        row["actor_type"],
        row["actor_id"],
        row["target_type"],
        row["target_id"],
        row["role_id"],
        bool(row["inherited"]),
    )


def add(tx: Tx, grant: Grant) -> None:
    tx.execute("INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", _values(grant))


def remove(tx: Tx, grant: Grant) -> bool:
    clause = "actor_type = ? AND actor_id = ? AND target_type = ? AND target_id = ? AND role_id = ? AND inherited = ?"
    return tx.execute(f"DELETE FROM grants WHERE {clause}", _values(grant)).rowcount > 0


def exists(reader: Reader, grant: Grant) -> bool:
    clause = "actor_type = ? AND actor_id = ? AND target_type = ? AND target_id = ? AND role_id = ? AND inherited = ?"
    return reader.row(f"SELECT 1 FROM grants WHERE {clause}", _values(grant)) is not None


def _values(grant: Grant) -> list[Any]:
    return [
        grant.actor_type,
        grant.actor_id,
        grant.target_type,
        grant.target_id,
        grant.role_id,
        int(grant.inherited),
    ]


def select(reader: Reader, **columns: str | bool | None) -> list[Grant]:
    """Grants whose columns have these values; a None is no condition."""
    given = {name: value for name, value in columns.items() if value is not None}
    sql = "SELECT * FROM grants"
    if given:
        sql += " WHERE " + " AND ".join(f"{name} = ?" for name in given)
    return [_read(row) for row in reader.rows(f"{sql} ORDER BY 1, 2, 3, 4, 5, 6", list(given.values()))]


def of_user(reader: Reader, user_id: str, now: Micros, idp_id: str | None = None) -> list[Grant]:
    """Everything granted to a user, directly and through groups.

    Groups that a log-in has put them into count for what that identity provider vouches for, and else until they end.
    """
    rows = reader.rows(
        "SELECT * FROM grants WHERE (actor_type = 'user' AND actor_id = ?) OR (actor_type = 'group' "
        "AND actor_id IN (SELECT group_id FROM group_members WHERE user_id = ? UNION SELECT group_id "
        "FROM federated_group_members WHERE user_id = ? AND (expires_at > ? OR idp_id = ?))) "
        "ORDER BY 1, 2, 3, 4, 5, 6",
        (user_id, user_id, user_id, now, idp_id or ""),
    )
    return [_read(row) for row in rows]


def remove_of_actor(tx: Tx, actor_type: str, actor_id: str) -> None:
    tx.execute("DELETE FROM grants WHERE actor_type = ? AND actor_id = ?", (actor_type, actor_id))


def remove_of_target(tx: Tx, target_type: str, target_id: str) -> None:
    tx.execute("DELETE FROM grants WHERE target_type = ? AND target_id = ?", (target_type, target_id))


def remove_of_role(tx: Tx, role_id: str) -> None:
    tx.execute("DELETE FROM grants WHERE role_id = ?", (role_id,))
