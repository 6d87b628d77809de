"""Scopes of blocks: an upload reuses only blocks of its own scope, and equal blocks of several share a place later."""

import sqlite_utils

_STATEMENTS = (
    # Scope 0 has no row: it is that of blocks stored before there were scopes, and of those who share one with all.
    """CREATE TABLE block_scopes (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    )""",
    "ALTER TABLE blocks ADD COLUMN scope INTEGER NOT NULL DEFAULT 0",
    # 1 for a block that has or had the same bytes in the same place as another.
    "ALTER TABLE blocks ADD COLUMN shared INTEGER NOT NULL DEFAULT 0",
    "DROP INDEX blocks_key",
    # With the scope, a lookup touches no row of another one: its cost tells nothing of what others have.
    "CREATE INDEX blocks_key ON blocks (key, scope)",
    "CREATE INDEX blocks_shared ON blocks (segment, offset) WHERE shared = 1",
    # Blocks up to this id were compared with those before them.
    "ALTER TABLE stores ADD COLUMN folded_to INTEGER NOT NULL DEFAULT 0",
)


def create_block_scopes(db: sqlite_utils.Database) -> None:
    """Give the block index scopes."""
    for statement in _STATEMENTS:
        db.execute(statement)
