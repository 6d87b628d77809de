"""Rows of images: read whole with their properties, tags and locations; written by compare-and-set."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from appliance.db.engine.base import Database, IntegrityError, Reader, Row, Tx
from appliance.db.records import one_of
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
    held_by: str | None = None
    """Who uploads or stages, where several may: a node, and the generation of its lease."""
    properties: dict[str, str | None] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    locations: list[LocationRecord] = field(default_factory=list)
    shared_with_caller: bool = False
    """Whether the project that read the image is one of its members, whatever its answer was."""


@dataclass(frozen=True, slots=True)
class DeletedImage:
    """What is recorded of an image that is no more: how it was at its end."""

    image: ImageRecord
    deleted_at: Micros

    @classmethod
    def read(cls, facts: str, deleted_at: Micros) -> "DeletedImage":
        return cls(ImageRecord(**json.loads(facts)), deleted_at)

    def shown(self) -> ImageRecord:
        """As it is shown to those who ask for deleted images."""
        return replace(self.image, status="deleted", updated_at=self.deleted_at)


_NOT_RECORDED = frozenset(
    {"locations", "shared_with_caller", "staged_store", "staged_content", "held_by", "revision", "tags"}
)


def _facts(image: ImageRecord, *, with_properties: bool) -> str:
    """What is recorded of an image when it is deleted: nothing of where its data was."""
    left_out = _NOT_RECORDED if with_properties else _NOT_RECORDED | {"properties"}
    facts = {field.name: getattr(image, field.name) for field in fields(image)}
    return json.dumps({name: value for name, value in facts.items() if name not in left_out})


# The columns are the record's fields in their order, up to where the children begin.
COLUMNS = tuple(field.name for field in fields(ImageRecord))[:22]
assert COLUMNS[-1] == "held_by"

# The parameters begin with the caller's project.
SELECT = f"""
SELECT {", ".join(f"i.{column}" for column in COLUMNS)},
  EXISTS (SELECT 1 FROM image_members WHERE image_id = i.id AND member_id = ?) AS shared_with_caller
"""
AT_ONCE = 32
"""Images read by one statement."""

_PROPERTIES = "SELECT image_id, name, value FROM image_properties WHERE image_id IN ({})"
_TAGS = "SELECT image_id, value FROM image_tags WHERE image_id IN ({}) ORDER BY value"
_LOCATIONS = (
    "SELECT image_id, id, store, content_id, url, metadata FROM image_locations WHERE image_id IN ({}) ORDER BY id"
)
_MARKS = {1: "?", AT_ONCE: ", ".join("?" * AT_ONCE)}


def bare_record(row: Row) -> ImageRecord:
    """The image of a row that `SELECT` gave, still without what belongs to it."""
    *values, shared = row
    image = ImageRecord(*values)
    image.protected = bool(image.protected)
    image.os_hidden = bool(image.os_hidden)
    image.shared_with_caller = bool(shared)
    return image


def marks_for(ids: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Parameters for up to `AT_ONCE` ids, filled up so that few statements differ."""
    if len(ids) == 1:
        return _MARKS[1], ids
    return _MARKS[AT_ONCE], [*ids, *[ids[-1]] * (AT_ONCE - len(ids))]


def fill(db: Database, images: Mapping[str, ImageRecord], room: int | None = None) -> int | None:
    """Give up to `AT_ONCE` images their properties, tags and locations.

    Says what these take of an answer, roughly; None, and the images are of no use, if it is more than `room`.
    The caller has a snapshot, for there are several tables.
    """
    weight = 0
    read = db.rows if room is None else db.each
    marks, ids = marks_for(list(images))
    for image_id, name, value in read(_PROPERTIES.format(marks), ids):
        images[image_id].properties[name] = value
        weight += _weight(name) + _weight(value or "")
        if room is not None and weight > room:
            return None
    for image_id, value in db.rows(_TAGS.format(marks), ids):
        images[image_id].tags.append(value)
        weight += len(value)
    for image_id, key, store, content_id, url, metadata in db.rows(_LOCATIONS.format(marks), ids):
        images[image_id].locations.append(LocationRecord(store, content_id, url, json.loads(metadata), key))
        weight += len(metadata) + len(url or "")
    return None if room is not None and weight > room else weight


def _weight(text: str) -> int:
    """What a text takes in JSON at most, roughly: twelve bytes for a character that is not ASCII."""
    return len(text) if text.isascii() else 12 * len(text)


class ImageRows:
    """Reads outside of transactions, writes inside of the caller's."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def _one(self, condition: str, *parameters: Any, project: str | None = None) -> ImageRecord | None:
        return next(iter(self._all(condition, *parameters, project=project)), None)

    def _all(self, condition: str, *parameters: Any, project: str | None = None) -> list[ImageRecord]:
        """Images that meet a condition, whole, as they all were at one moment."""
        with self._db.snapshot():
            rows = self._db.rows(f"{SELECT} FROM images i WHERE {condition}", (project, *parameters))
            images = [bare_record(row) for row in rows]
            for start in range(0, len(images), AT_ONCE):
                fill(self._db, {image.id: image for image in images[start : start + AT_ONCE]})
        return images

    def get(self, image_id: str, project: str | None = None) -> ImageRecord | None:
        """The image, or None. `project` decides `shared_with_caller`."""
        return self._one("i.id = ? AND i.status <> 'pending_delete'", image_id, project=project)

    def pending_delete(self, image_id: str) -> ImageRecord | None:
        """The image if it waits for its end."""
        return self._one("i.id = ? AND i.status = 'pending_delete'", image_id)

    def deleted(self, image_id: str) -> DeletedImage | None:
        """What is recorded of a deleted image."""
        row = self._db.row(
            "SELECT facts, deleted_at FROM image_tombstones WHERE id = ? AND facts IS NOT NULL", (image_id,)
        )
        return DeletedImage.read(row["facts"], row["deleted_at"]) if row else None

    def insert(self, tx: Tx, image: ImageRecord) -> None:
        """Store a new image. Raises `Conflict` if its id is or was in use."""
        values = {column: getattr(image, column) for column in COLUMNS}
        marks = ", ".join(f":{column}" for column in COLUMNS)
        taken = f"Image ID {image.id} already exists!"
        try:
            tx.execute(f"INSERT INTO images ({', '.join(COLUMNS)}) VALUES ({marks})", values)
        except IntegrityError as error:
            raise Conflict(taken) from error
        # After the insert: it waits for whoever is deleting an image of this id.
        if tx.row("SELECT 1 FROM image_tombstones WHERE id = ?", (image.id,)):
            raise Conflict(taken)
        self.put_properties(tx, image.id, image.properties)
        self.add_tags(tx, image.id, image.tags)

    def change(
        self,
        tx: Tx,
        image_id: str,
        expected: Iterable[str],
        values: Mapping[str, Any],
        *,
        revision: int | None = None,
        held_by: str | None = None,
    ) -> bool:
        """Set columns if the image is in one of the `expected` states (and unchanged since `revision`, and still
        `held_by` that one; an empty name is nobody).

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
        if held_by is not None:
            sql += " AND coalesce(held_by, '') = ?"
            parameters.append(held_by)
        return tx.execute(sql, parameters).rowcount == 1

    def delete(self, tx: Tx, image: ImageRecord, at: Micros, *, record_properties: bool) -> bool:
        """Remove the image with all that hangs on it, unless it changed since it was read.

        Its id stays taken, and what it was is recorded.
        """
        gone = tx.execute("DELETE FROM images WHERE id = ? AND revision = ?", (image.id, image.revision)).rowcount == 1
        if gone:
            facts = _facts(image, with_properties=record_properties)
            tx.execute("INSERT INTO image_tombstones (id, deleted_at, facts) VALUES (?, ?, ?)", (image.id, at, facts))
        return gone

    def forget_deleted(self, tx: Tx, image_id: str) -> None:
        """Let an id be used again: the image that had it comes back from where it came."""
        tx.execute("DELETE FROM image_tombstones WHERE id = ?", (image_id,))

    def was_deleted(self, image_id: str) -> bool:
        """Whether an image with this id was deleted here."""
        return self._db.row("SELECT 1 FROM image_tombstones WHERE id = ?", (image_id,)) is not None

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
        condition, wanted = one_of("name", tuple(names))
        rows = tx.rows(
            f"SELECT name, value FROM image_properties WHERE image_id = ? AND {condition}", (image_id, *wanted)
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

    def oldest_pending(self, not_after: Micros) -> ImageRecord | None:
        """The image that has waited longest for its end, if it was deleted by then."""
        due = "i.status = 'pending_delete' AND i.updated_at <= ? ORDER BY i.updated_at LIMIT 1"
        return self._one(due, not_after)

    def in_states(self, states: Iterable[str]) -> list[ImageRecord]:
        """Images in one of the states; for start-up, when nobody else is at work."""
        condition, wanted = one_of("i.status", tuple(states))
        return self._all(condition, *wanted)

    def with_content(self, store: str, content_id: int, project: str | None) -> list[ImageRecord]:
        """Active images whose data is this content; `project` is who asks."""
        naming = "SELECT image_id FROM image_locations WHERE content_id = ? AND store = ?"
        return self._all(f"i.status = 'active' AND i.id IN ({naming})", content_id, store, project=project)

    def with_property(self, name: str) -> list[ImageRecord]:
        """Images that have the property, whatever its value."""
        return self._all("i.id IN (SELECT image_id FROM image_properties WHERE name = ?)", name)


# What clients have written about the image `i`, in characters.
METADATA = """
(coalesce((SELECT sum(length(name) + coalesce(length(value), 0)) FROM image_properties WHERE image_id = i.id), 0)
 + coalesce((SELECT sum(length(value)) FROM image_tags WHERE image_id = i.id), 0)
 + coalesce((SELECT sum(length(metadata) - 2) FROM image_locations WHERE image_id = i.id), 0))
"""

_STORED_BY = f"""
SELECT coalesce(sum(CASE WHEN i.id = ? THEN 0 ELSE coalesce(i.size, 0) END
                    * (SELECT count(*) FROM image_locations WHERE image_id = i.id) + {METADATA}), 0) AS stored
FROM images i WHERE i.status <> 'pending_delete' AND
"""


def stored_by(reader: Reader, owner: str | None, excluding: str = "") -> int:
    """Bytes that an owner's images take up: each location counts, as in Glance, and what is written about them.

    For the image `excluding`, whose data is on its way in, only what is written counts.
    """
    if owner is None:
        row = reader.row(f"{_STORED_BY} i.owner IS NULL", (excluding,))
    else:
        row = reader.row(f"{_STORED_BY} i.owner = ?", (excluding, owner))
    return int(row["stored"]) if row else 0
