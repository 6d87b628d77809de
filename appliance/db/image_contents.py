"""Which images name which stored contents: for cross-checks, never for requests."""

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.db.database import Database, Row

_NAMED = """
SELECT l.image_id, i.name, i.status, i.size, l.store, l.content_id, 0 AS staged
  FROM image_locations l JOIN images i ON i.id = l.image_id WHERE l.content_id IS NOT NULL
UNION ALL
SELECT id, name, status, size, staged_store, staged_content, 1 FROM images WHERE staged_content IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class NamedContent:
    """An image's claim on a content. `staged` is what waits for an import."""

    image_id: str
    image_name: str | None
    status: str
    size: int | None
    store: str | None
    content_id: int
    staged: bool


def _named(row: Row) -> NamedContent:
    return NamedContent(
        row["image_id"], row["name"], row["status"], row["size"], row["store"], row["content_id"], bool(row["staged"])
    )


class ImageContents:
    """Reads the claims."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self) -> Iterator[NamedContent]:
        """Every claim, one by one."""
        for row in self._db.stream(_NAMED):
            yield _named(row)

    def of(self, store: str, content_id: int) -> list[NamedContent]:
        """The claims on one content."""
        rows = self._db.rows(f"SELECT * FROM ({_NAMED}) WHERE store = ? AND content_id = ?", (store, content_id))
        return [_named(row) for row in rows]
