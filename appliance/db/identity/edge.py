"""Rows as a copy of another identity service's: whole tables brought to what the other one has, by ids."""

from collections.abc import Iterable

from appliance.db.engine.base import Tx
from appliance.db.identity import revocations as revocation_rows
from appliance.db.identity.grants import ROLES, Grant, add
from appliance.db.identity.projects import PROJECTS
from appliance.db.identity.users import GROUPS, USERS
from appliance.db.records import Record, TableSchema, write
from appliance.values import Micros

KINDS: dict[str, TableSchema] = {"projects": PROJECTS, "users": USERS, "groups": GROUPS, "roles": ROLES}


def replace(tx: Tx, records: dict[str, list[Record]]) -> None:
    """Bring projects (domains first, parents before children), users, groups and roles to exactly these."""
    # Names may have been swapped and parents gone: look at the references once all is in place.
    tx.defer_references()
    tx.execute("DELETE FROM grants")
    tx.execute("DELETE FROM group_members")
    tx.execute("DELETE FROM implied_roles")
    for kind, schema in KINDS.items():
        wanted = {record["id"] for record in records[kind]}
        gone = [row["id"] for row in tx.rows(f"SELECT id FROM {schema.table}") if row["id"] not in wanted]
        tx.executemany(f"DELETE FROM {schema.table} WHERE id = ?", [(record_id,) for record_id in gone])
        # Two that have swapped names would meet: move every name out of the way first.
        tx.execute(f"UPDATE {schema.table} SET name = id || '/' || name")
        for record in records[kind]:
            _upsert(tx, schema, record)


def _upsert(tx: Tx, schema: TableSchema, record: Record) -> None:
    row = write(schema, record)
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    changes = ", ".join(f"{name} = excluded.{name}" for name in row if name != "id")
    tx.execute(
        f"INSERT INTO {schema.table} ({names}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {changes}",
        list(row.values()),
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
