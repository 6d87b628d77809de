"""Rows as a copy of another identity service's: whole tables brought to what the other one has, by ids."""

from collections.abc import Iterable, Mapping
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.identity import revocations as revocation_rows
from appliance.db.identity.grants import ROLES, Grant, add
from appliance.db.identity.projects import PROJECTS
from appliance.db.identity.users import GROUPS, USERS
from appliance.db.records import Table, write
from appliance.values import Micros

KINDS: dict[str, Table[Any]] = {"projects": PROJECTS, "users": USERS, "groups": GROUPS, "roles": ROLES}


def replace(tx: Tx, copied: Mapping[str, Iterable[Any]]) -> None:
    """Bring projects (domains first, parents before children), users, groups and roles to exactly these."""
    # Names may have been swapped and parents gone: look at the references once all is in place.
    tx.defer_references()
    tx.execute("DELETE FROM grants")
    tx.execute("DELETE FROM group_members")
    tx.execute("DELETE FROM implied_roles")
    for kind, table in KINDS.items():
        wanted = {row.id for row in copied[kind]}
        gone = [row["id"] for row in tx.rows(f"SELECT id FROM {table.name}") if row["id"] not in wanted]
        tx.executemany(f"DELETE FROM {table.name} WHERE id = ?", [(row_id,) for row_id in gone])
        # Two that have swapped names would meet: move every name out of the way first.
        tx.execute(f"UPDATE {table.name} SET name = id || '/' || name")
        for row in copied[kind]:
            _upsert(tx, table, row)


def _upsert(tx: Tx, table: Table[Any], row: Any) -> None:
    columns = write(table, row)
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "id")
    tx.execute(
        f"INSERT INTO {table.name} ({names}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {changes}",
        list(columns.values()),
    )


def relate(
    tx: Tx, members: Iterable[tuple[str, str]], implied: Iterable[tuple[str, str]], grants: Iterable[Grant]
) -> None:
    """Fill what `replace` has emptied: (group, user), (prior role, implied role), and grants."""
    tx.executemany("INSERT INTO group_members VALUES (?, ?) ON CONFLICT DO NOTHING", members)
    tx.executemany("INSERT INTO implied_roles VALUES (?, ?) ON CONFLICT DO NOTHING", implied)
    for grant in grants:
        add(tx, grant)


def revoke(tx: Tx, events: Iterable[tuple[str, str, Micros]], forget_at: Micros) -> None:
    """Take over (kind, subject, issued before)."""
    for kind, subject, issued_before in events:
        revocation_rows.add(tx, kind, subject, issued_before, forget_at)
