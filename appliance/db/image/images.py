"""Rows of images: read whole with their properties, tags and locations; written by compare-and-set."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from appliance.db.engine.base import Database, IntegrityError, Row, Tx
from appliance.errors import Conflict
from appliance.values import Micros


@dataclass(slots=True)
class LocationRecord:
    """One place where an image's bytes are: a content of our own store, or a URL elsewhere."""

    store: str | None
    content_id: int | None = None
    url: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    id: int | None = None


@dataclass(slots=True)
class ImageRecord:
    """An image as it is in the database. `created_at` and `updated_at` are microseconds."""

    id: str
    owner: str | None
    created_at: Micros
    updated_at: Micros
    name: str | None = None
    status: str = "queued"
    visibility: str = "shared"
    protected: bool = False
    os_hidden: bool = False
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    size: int | None = None
    virtual_size: int | None = None
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None
    revision: int = 0
    staged_store: str | None = None
    staged_content: int | None = None
    properties: dict[str, str | None] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    locations: list[LocationRecord] = field(default_factory=list)
    shared_with_caller: bool = False
    """Whether the project that read the image is one of its members, whatever its answer was."""


# The columns are the record's fields in their order, up to where the children begin.
COLUMNS = tuple(field.name for field in fields(ImageRecord))[:21]
assert COLUMNS[-1] == "staged_content"

# One statement reads a whole image, or a page of them, children included. `:project` is the caller's project.
SELECT = f"""
SELECT {", ".join(f"i.{column}" for column in COLUMNS)},
  (SELECT json_group_object(name, value) FROM image_properties WHERE image_id = i.id) AS properties,
  (SELECT json_group_array(value) FROM image_tags WHERE image_id = i.id) AS tags,
  (SELECT json_group_array(json_array(id, store, content_id, url, metadata))
     FROM image_locations WHERE image_id = i.id) AS locations,
  EXISTS (SELECT 1 FROM image_members WHERE image_id = i.id AND member_id = :project) AS shared_with_caller
"""


def record(row: Row) -> ImageRecord:
    """The image of a row that `SELECT` gave."""
    values = tuple(row)
    columns = len(COLUMNS)
    image = ImageRecord(*values[:columns])
    image.protected = bool(image.protected)
    image.os_hidden = bool(image.os_hidden)
    properties, tags, locations, shared = values[columns:]
    if properties != "{}":
        image.properties = json.loads(properties)
    if tags != "[]":
        image.tags = json.loads(tags)
    if locations != "[]":
        image.locations = [
            LocationRecord(store, content_id, url, json.loads(metadata), key)
            for key, store, content_id, url, metadata in sorted(json.loads(locations))
        ]
    image.shared_with_caller = bool(shared)
    return image


class ImageRows:
    """Reads outside of transactions, writes inside of the caller's."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, image_id: str, project: str | None = None) -> ImageRecord | None:
        """The image, or None. `project` decides `shared_with_caller`."""
        row = self._db.row(
            f"{SELECT} FROM images i WHERE i.id = :id AND i.status <> 'pending_delete'",
            {"id": image_id, "project": project},
        )
        return record(row) if row else None

    def pending_delete(self, image_id: str) -> ImageRecord | None:
        """The image if it waits for its end."""
        row = self._db.row(
            f"{SELECT} FROM images i WHERE i.id = :id AND i.status = 'pending_delete'",
            {"id": image_id, "project": None},
        )
        return record(row) if row else None

    def deleted(self, image_id: str) -> tuple[str, Micros] | None:
        """What is kept of a deleted image, and when it was deleted."""
        row = self._db.row(
            "SELECT facts, deleted_at FROM image_tombstones WHERE id = ? AND facts IS NOT NULL", (image_id,)
        )
        return (row["facts"], row["deleted_at"]) if row else None

    def insert(self, tx: Tx, image: ImageRecord) -> None:
        """Store a new image. Raises `Conflict` if its id is or was in use."""
        values = {column: getattr(image, column) for column in COLUMNS}
        marks = ", ".join(f":{column}" for column in COLUMNS)
        taken = f"Image ID {image.id} already exists!"
        try:
            inserted = tx.row(
                f"INSERT INTO images ({', '.join(COLUMNS)}) SELECT {marks} "
                "WHERE NOT EXISTS (SELECT 1 FROM image_tombstones WHERE id = :id) RETURNING id",
                values,
            )
        except IntegrityError as error:
            raise Conflict(taken) from error
        if inserted is None:
            raise Conflict(taken)
        self.put_properties(tx, image.id, image.properties)
        self.add_tags(tx, image.id, image.tags)

    def change(
        self, tx: Tx, image_id: str, expected: Iterable[str], values: Mapping[str, Any], *, revision: int | None = None
    ) -> bool:
        """Set columns if the image is in one of the `expected` states (and unchanged since `revision`).

        False if it is not, or does not exist any more: nothing has changed then.
        """
        states = tuple(expected)
        sets = ", ".join(f"{column} = ?" for column in values)
        sql = (
            f"UPDATE images SET {sets}{', ' if sets else ''}revision = revision + 1 "
            f"WHERE id = ? AND status IN ({', '.join('?' * len(states))})"
        )
        parameters: list[Any] = [*values.values(), image_id, *states]
        if revision is not None:
            sql += " AND revision = ?"
            parameters.append(revision)
        return tx.execute(sql, parameters).rowcount == 1

    def delete(self, tx: Tx, image: ImageRecord, at: Micros, facts: str) -> bool:
        """Remove the image with all that hangs on it, unless it changed since it was read.

        Its id stays taken, and `facts` are kept of it.
        """
        gone = tx.execute("DELETE FROM images WHERE id = ? AND revision = ?", (image.id, image.revision)).rowcount == 1
        if gone:
            tx.execute("INSERT INTO image_tombstones (id, deleted_at, facts) VALUES (?, ?, ?)", (image.id, at, facts))
        return gone

    def put_properties(self, tx: Tx, image_id: str, properties: Mapping[str, str | None]) -> None:
        """Set properties, replacing the values of those that exist."""
        tx.executemany(
            "INSERT INTO image_properties (image_id, name, value) VALUES (?, ?, ?) "
            "ON CONFLICT (image_id, name) DO UPDATE SET value = excluded.value",
            [(image_id, name, value) for name, value in properties.items()],
        )

    def remove_properties(self, tx: Tx, image_id: str, names: Iterable[str]) -> None:
        tx.executemany(
            "DELETE FROM image_properties WHERE image_id = ? AND name = ?", [(image_id, name) for name in names]
        )

    def properties_in(self, tx: Tx, image_id: str, names: Iterable[str]) -> dict[str, str | None]:
        """Some properties as they stand in this transaction."""
        wanted = tuple(names)
        rows = tx.rows(
            f"SELECT name, value FROM image_properties WHERE image_id = ? AND name IN ({', '.join('?' * len(wanted))})",
            (image_id, *wanted),
        )
        return {row["name"]: row["value"] for row in rows}

    def claim_property(self, tx: Tx, image_id: str, name: str, value: str) -> bool:
        """Set a property that must not exist yet; False if it does. Serves as a lock on the image."""
        return (
            tx.execute(
                "INSERT INTO image_properties (image_id, name, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (image_id, name, value),
            ).rowcount
            == 1
        )

    def release_property(self, tx: Tx, image_id: str, name: str, value: str) -> bool:
        """Remove a property if it still has the value given."""
        return (
            tx.execute(
                "DELETE FROM image_properties WHERE image_id = ? AND name = ? AND value = ?", (image_id, name, value)
            ).rowcount
            == 1
        )

    def add_tags(self, tx: Tx, image_id: str, tags: Iterable[str]) -> None:
        tx.executemany(
            "INSERT INTO image_tags (image_id, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [(image_id, tag) for tag in tags],
        )

    def add_tag_below(self, tx: Tx, image_id: str, tag: str, quota: int) -> bool:
        """Add one tag unless the image would then have more than `quota` (a negative quota is no limit)."""
        if tx.row("SELECT 1 FROM image_tags WHERE image_id = ? AND value = ?", (image_id, tag)):
            return True
        return (
            tx.execute(
                "INSERT INTO image_tags (image_id, value) SELECT :id, :tag WHERE :quota < 0 "
                "OR (SELECT count(*) FROM image_tags WHERE image_id = :id) < :quota",
                {"id": image_id, "tag": tag, "quota": quota},
            ).rowcount
            == 1
        )

    def remove_tags(self, tx: Tx, image_id: str, tags: Iterable[str]) -> int:
        """Remove tags; how many there were."""
        return tx.executemany(
            "DELETE FROM image_tags WHERE image_id = ? AND value = ?", [(image_id, tag) for tag in tags]
        ).rowcount

    def add_location(self, tx: Tx, image_id: str, location: LocationRecord) -> None:
        tx.execute(
            "INSERT INTO image_locations (image_id, store, content_id, url, metadata) VALUES (?, ?, ?, ?, ?)",
            (image_id, location.store, location.content_id, location.url, json.dumps(location.metadata)),
        )

    def locations_in(self, tx: Tx, image_id: str) -> list[LocationRecord]:
        """Where an image's data is, as it is in this transaction."""
        rows = tx.rows(
            "SELECT store, content_id, url, metadata, id FROM image_locations WHERE image_id = ? ORDER BY id",
            (image_id,),
        )
        return [LocationRecord(r["store"], r["content_id"], r["url"], json.loads(r["metadata"]), r["id"]) for r in rows]

    def exists_in(self, tx: Tx, image_id: str) -> bool:
        return tx.row("SELECT 1 FROM images WHERE id = ?", (image_id,)) is not None

    def take_staged(self, tx: Tx, image_id: str) -> tuple[str, int] | None:
        """Where staged data is that no location names; the image names it no longer. None if there is none."""
        row = tx.row(
            "SELECT staged_store, staged_content FROM images WHERE id = ? AND staged_content IS NOT NULL", (image_id,)
        )
        if row is None:
            return None
        tx.execute("UPDATE images SET staged_store = NULL, staged_content = NULL WHERE id = ?", (image_id,))
        return str(row["staged_store"]), int(row["staged_content"])

    def remove_location(self, tx: Tx, location_id: int) -> bool:
        return tx.execute("DELETE FROM image_locations WHERE id = ?", (location_id,)).rowcount == 1

    def clear_locations(self, tx: Tx, image_id: str) -> None:
        """Forget the URLs at which an image is; contents of our own are not forgotten so lightly."""
        tx.execute("DELETE FROM image_locations WHERE image_id = ? AND content_id IS NULL", (image_id,))

    def set_location_metadata(self, tx: Tx, location: LocationRecord) -> None:
        tx.execute("UPDATE image_locations SET metadata = ? WHERE id = ?", (json.dumps(location.metadata), location.id))

    def metadata_of(self, tx: Tx, image_id: str) -> int:
        """How many characters clients have written about an image, as it is in this transaction."""
        row = tx.row(f"SELECT {METADATA} FROM images i WHERE i.id = ?", (image_id,))
        return int(row[0]) if row else 0

    def stored_by(self, owner: str | None, excluding: str) -> int:
        """Bytes that an owner's images take up, each location counted, without the data of the image `excluding`."""
        row = self._db.row(STORED_BY, {"owner": owner, "excluding": excluding})
        return int(row[0]) if row else 0

    def oldest_pending(self, not_after: Micros) -> ImageRecord | None:
        """The image that has waited longest for its end, if it was deleted by then."""
        row = self._db.row(
            f"{SELECT} FROM images i WHERE i.status = 'pending_delete' AND i.updated_at <= :at "
            "ORDER BY i.updated_at LIMIT 1",
            {"project": None, "at": not_after},
        )
        return record(row) if row else None

    def in_states(self, states: Iterable[str]) -> list[ImageRecord]:
        """Images in one of the states; for start-up, when nobody else is at work."""
        listed = tuple(states)
        marks = ", ".join(f":s{n}" for n in range(len(listed)))
        parameters: dict[str, Any] = {f"s{n}": state for n, state in enumerate(listed)}
        rows = self._db.rows(f"{SELECT} FROM images i WHERE i.status IN ({marks})", {"project": None} | parameters)
        return [record(row) for row in rows]

    def with_content(self, store: str, content_id: int, project: str | None) -> list[ImageRecord]:
        """Active images whose data is this content; `project` is who asks."""
        rows = self._db.rows(
            f"{SELECT} FROM images i WHERE i.status = 'active' AND i.id IN "
            "(SELECT image_id FROM image_locations WHERE content_id = :content AND store = :store)",
            {"project": project, "content": content_id, "store": store},
        )
        return [record(row) for row in rows]

    def with_property(self, name: str) -> list[ImageRecord]:
        """Images that have the property, whatever its value."""
        rows = self._db.rows(
            f"{SELECT} FROM images i WHERE i.id IN (SELECT image_id FROM image_properties WHERE name = :name)",
            {"project": None, "name": name},
        )
        return [record(row) for row in rows]


# What clients have written about the image `i`, in characters.
METADATA = """
(coalesce((SELECT sum(length(name) + coalesce(length(value), 0)) FROM image_properties WHERE image_id = i.id), 0)
 + coalesce((SELECT sum(length(value)) FROM image_tags WHERE image_id = i.id), 0)
 + coalesce((SELECT sum(length(metadata) - 2) FROM image_locations WHERE image_id = i.id), 0))
"""

# An image counts once for each location, as Glance counts; what is written about it counts too, and for the image
# `excluding`, whose data is on its way in, that alone.
STORED_BY = f"""
SELECT coalesce(sum(CASE WHEN i.id = :excluding THEN 0 ELSE coalesce(i.size, 0) END
                    * (SELECT count(*) FROM image_locations WHERE image_id = i.id) + {METADATA}), 0)
FROM images i WHERE i.owner IS :owner AND i.status <> 'pending_delete'
"""
