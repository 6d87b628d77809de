"""What the engines keep beside the rows, each in its own way: which tables there are, and ids never given out again."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.db.engine.base import Database, Tx
from appliance.db.migrations.steps import apply


@dataclass(frozen=True, slots=True)
class DeclaredTable:
    """A table as the steps have made it. `is_numbered` if the database gives out its ids."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    names_itself: bool
    is_numbered: bool


def declared_tables() -> list[DeclaredTable]:
    """The tables of this version, in the order in which they were made; read from an empty file in memory."""
    model = sqlite3.connect(":memory:", isolation_level=None)
    apply(model)
    found = []
    for name, sql in model.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
    ).fetchall():
        columns = model.execute(f"PRAGMA table_info({name})").fetchall()
        key = tuple(column[1] for column in sorted(columns, key=lambda column: column[5]) if column[5])
        names_itself = any(row[2] == name for row in model.execute(f"PRAGMA foreign_key_list({name})").fetchall())
        is_numbered = "id INTEGER PRIMARY KEY" in (sql or "")
        found.append(DeclaredTable(name, tuple(column[1] for column in columns), key, names_itself, is_numbered))
    model.close()
    return found


def is_server(db: Database) -> bool:
    """Whether it is PostgreSQL: there, somebody holds a lease."""
    return db.holder is not None


def has_table(db: Database, name: str) -> bool:
    catalog = "pg_tables WHERE tablename" if is_server(db) else "sqlite_master WHERE name"
    return db.row(f"SELECT 1 FROM {catalog} = ?", (name,)) is not None


def last_ids(db: Database, tables: Iterable[str]) -> dict[str, int]:
    """The last id that each of these tables, whose key is a number `id`, has given out."""
    given: dict[str, int] = {}
    for table in tables:
        row = db.row(f"SELECT max(id) AS last FROM {table}")
        given[table] = int(row["last"] or 0) if row else 0
        if is_server(db):
            row = db.row("SELECT pg_sequence_last_value(pg_get_serial_sequence(?, 'id')::regclass) AS last", (table,))
        else:
            row = db.row("SELECT seq AS last FROM sqlite_sequence WHERE name = ?", (table,))
        given[table] = max(given[table], int(row["last"] or 0) if row else 0)
    return given


def set_last_id(db: Database, table: str, last: int) -> None:
    """Go on after that one."""
    if not last:
        return

    def on_server(tx: Tx) -> None:
        tx.row("SELECT setval(pg_get_serial_sequence(?, 'id'), ?)", (table, last))

    def in_file(tx: Tx) -> None:
        # Tables without AUTOINCREMENT go on after the largest id that they have, and need no row here.
        declared = tx.row("SELECT sql FROM sqlite_master WHERE name = ?", (table,))
        if declared is not None and "AUTOINCREMENT" in declared["sql"]:
            tx.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            tx.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))

    db.transact(on_server if is_server(db) else in_file)
