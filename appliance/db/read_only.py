"""A look into a database that another process may be using: nothing is migrated, written or waited for."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from appliance.db.database import Parameters, Row
from appliance.errors import Unavailable


class Look:
    """A `records.Reader` on one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        found: Row | None = self._connection.execute(sql, parameters).fetchone()
        return found

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return self._connection.execute(sql, parameters).fetchall()


@contextmanager
def looking(path: Path) -> Iterator[Look]:
    """Read a database as it is. Raises `Unavailable` if it can't be read, or is of another version."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            connection.row_factory = sqlite3.Row
            yield Look(connection)
    except sqlite3.Error as error:
        raise Unavailable(f"{path} can't be read: {error}") from error
