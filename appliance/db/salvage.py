"""What a damaged database still says of its images: facts that changed since, and that the stored bytes don't have."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.db.database import open_read_only
from appliance.errors import ApplianceError

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
