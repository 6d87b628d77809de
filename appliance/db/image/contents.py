"""The contents of images, and how much of them a project uses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.db.engine.base import Database, Row, Tx
from appliance.db.image.images import METADATA
from appliance.db.records import one_of

_NAMED = """
SELECT l.image_id, i.name, i.status, i.size, l.store, l.content_id, 0 AS staged
  FROM image_locations l JOIN images i ON i.id = l.image_id WHERE l.content_id IS NOT NULL
UNION ALL
SELECT id, name, status, size, staged_store, staged_content, 1 FROM images WHERE staged_content IS NOT NULL
"""
_SPACE = ("logical", "new", "stored", "zeros", "shared")
_ON_THE_WAY = "SELECT 1 FROM fleet_arrivals WHERE store = ? AND content_id = ?"


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
        sql = f"SELECT * FROM ({_NAMED}) AS named WHERE store = ? AND content_id = ?"
        rows = self._db.rows(sql, (store, content_id))
        return [_named(row) for row in rows]

    def is_on_its_way(self, store: str, content_id: int) -> bool:
        """Whether the content is a part of what arrives from another site, and of no image yet."""
        return self._db.row(_ON_THE_WAY, (store, content_id)) is not None


def stored_space(db: Database, ids: Sequence[str], owner: str | None = None) -> dict[str, dict[str, int]]:
    """What images cost when they were stored, all their copies together; with `owner`, of its images alone."""
    condition, wanted = one_of("l.image_id", ids)
    if owner is not None:
        condition, wanted = f"{condition} AND i.owner = ?", [*wanted, owner]
    rows = db.rows(
        "SELECT l.image_id, sum(c.size) AS logical, sum(c.new_length) AS new, sum(c.new_stored) AS stored, "
        "sum(c.hole_length) AS zeros, sum(c.reused_length) AS shared "
        "FROM image_locations l JOIN contents c ON c.id = l.content_id JOIN images i ON i.id = l.image_id "
        f"WHERE {condition} GROUP BY l.image_id",
        tuple(wanted),
    )
    return {row["image_id"]: {key: int(row[key]) for key in _SPACE} for row in rows}


# An image counts once for each location, and with what is written about it. Staged data counts while it waits, and
# while a copy runs.
_USAGE = f"""
WITH own AS (
    SELECT id, coalesce(size, 0) AS size, status, {METADATA} AS metadata,
           EXISTS (SELECT 1 FROM image_properties p WHERE p.image_id = i.id
                   AND p.name = 'os_glance_importing_to_stores' AND p.value <> '') AS copying
      FROM images i WHERE owner = :owner AND status NOT IN ('killed', 'pending_delete')
)
SELECT count(*) AS images,
       coalesce(sum(size * (SELECT count(*) FROM image_locations l WHERE l.image_id = own.id) + metadata), 0) AS stored,
       coalesce(sum(CASE WHEN status IN ('uploading', 'importing') OR copying THEN size ELSE 0 END), 0) AS staged,
       count(*) FILTER (WHERE status IN ('saving', 'uploading', 'importing') OR copying) AS uploading
  FROM own
"""


def usage(reader: Database | Tx, owner: str | None) -> dict[str, int]:
    """`images`, `stored` and `staged` bytes, and `uploading`: as the database is, or a transaction sees it."""
    row = reader.row(_USAGE, {"owner": owner})
    assert row is not None
    return dict(row)
