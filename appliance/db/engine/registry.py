"""Which engine a database is of. SQLite is built in; PostgreSQL is loaded by name, and only when it is asked for."""

from pathlib import Path
from typing import cast

from appliance import drivers
from appliance.blobs.reserve import Reserve
from appliance.db.engine.base import Database
from appliance.db.engine.sqlite import SqliteDatabase
from appliance.db.nodes import NodeCard

_SERVERS = ("postgresql://", "postgres://")


def is_server(where: Path | str) -> bool:
    """Whether a database is on a server, and not a file of the data directory."""
    return isinstance(where, str) and where.startswith(_SERVERS)


def open_database(where: Path | str, reserve: Reserve | None = None, card: NodeCard | None = None) -> Database:
    """Open a file, or what a `postgresql://` URL names, made or brought up to this version if need be.

    Only writes that free room use the reserve. Without a `card` nobody else may use the database on a server meanwhile.
    Raises `Fatal` if it can't be used.
    """
    if not is_server(where):
        return SqliteDatabase(Path(where), reserve)
    engine = drivers.load("appliance.db.engine.postgresql", "A database on PostgreSQL")
    return cast(Database, engine.PostgresqlDatabase(where, reserve or Reserve(Path.cwd(), 0), card or NodeCard()))
