"""What a database file says without being opened for work: its stores, and what a damaged one tells."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.db.engine.base import Parameters, Row
from appliance.db.engine.sqlite import open_read_only
from appliance.db.migrations.steps import STEPS
from appliance.errors import ApplianceError, Unavailable


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


def lacks_steps(database: Path) -> bool:
    """Whether the file is of an older version than this. Changes nothing."""
    with open_read_only(database) as connection:
        try:
            done = {row[0] for row in connection.execute("SELECT name FROM _sqlite_migrations")}
        except sqlite3.OperationalError:
            return True
    return any(name not in done for name, _ in STEPS)


# Both ways, so that what follows a damaged page is read as well.
_FACTS = (
    "SELECT id, name, owner, status, visibility, protected, os_hidden FROM images ORDER BY rowid",
    "SELECT id, name, owner, status, visibility, protected, os_hidden FROM images ORDER BY rowid DESC",
)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """An image as its former row has it."""

    name: str | None
    owner: str | None
    status: str
    visibility: str
    protected: bool
    os_hidden: bool


def salvage(path: Path) -> dict[str, ImageFacts]:
    """Images by their id, as far as the file can be read."""
    found: dict[str, ImageFacts] = {}
    for query in _FACTS:
        for row in _readable(path, query):
            image_id, name, owner, status, visibility, protected, hidden = row
            found[image_id] = ImageFacts(name, owner, status, visibility, bool(protected), bool(hidden))
    return found


def _readable(path: Path, query: str) -> Iterator[sqlite3.Row]:
    """Rows up to the first damage."""
    try:
        with open_read_only(path) as connection:
            yield from connection.execute(query)
    except (ApplianceError, sqlite3.Error):
        return
