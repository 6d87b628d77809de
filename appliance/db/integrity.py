"""Whether a database file is sound: its pages, its indexes, and the references between its rows."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from appliance.db.database import open_read_only
from appliance.errors import Corrupt

_MOST = 20


def damage(path: Path) -> Iterator[str]:
    """What is wrong with the file, at most twenty things of a kind. Reads all of it, and changes nothing."""
    try:
        with open_read_only(path) as connection:
            for (said,) in connection.execute(f"PRAGMA integrity_check({_MOST})"):
                if said != "ok":
                    yield from (f"the database is damaged: {line}" for line in said.splitlines())
            yield from _references(connection)
    except Corrupt as error:
        yield str(error)


def _references(connection: sqlite3.Connection) -> Iterator[str]:
    for row in connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST):
        yield f"the database is damaged: row {row[1]} of {row[0]} names a row of {row[2]} that is not there"
