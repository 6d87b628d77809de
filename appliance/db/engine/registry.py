"""Which engine a database is of. SQLite is built in; others are loaded by name, and only when they are asked for."""

from pathlib import Path

from appliance.blobs.reserve import Reserve
from appliance.db.engine.base import Database
from appliance.db.engine.sqlite import SqliteDatabase


def open_database(where: Path, reserve: Reserve | None = None) -> Database:
    """Open the database, made or brought up to this version if need be. Only writes that free room use the reserve."""
    return SqliteDatabase(where, reserve)
