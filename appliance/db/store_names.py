"""Which stores a database names, asked of its file alone: for verbs that don't know the stores yet."""

import sqlite3
from pathlib import Path

from appliance.db.database import open_read_only

_IN_USE = "SELECT name FROM stores s WHERE EXISTS (SELECT 1 FROM segments g WHERE g.store = s.id) ORDER BY id"


def stores_in_use(database: Path) -> list[str]:
    """The names of the stores that have segments. Raises `Corrupt` or `StorageFault` if the file can't be read."""
    with open_read_only(database) as connection:
        try:
            return [row[0] for row in connection.execute(_IN_USE)]
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise
