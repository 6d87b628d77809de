"""Rows of the fleet: other sites, feeds and their logs, what of a feed is here, and what is still on its way."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from appliance.db.engine.base import Database, IntegrityError, Row, Tx
from appliance.db.records import one_of
from appliance.errors import Conflict
from appliance.values import Micros

ARRIVAL = "arrival"
"""The key of a content's label that names the feed of blocks that are on their way."""


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """Another site. One without a URL is known by its key alone: what it signs comes as files."""

    name: str
    key: str
    url: str
    pin: str
    """The SHA-256 of its certificate or of the key in that, or authorities in PEM, if it is known by one of these."""
    paired_at: Micros


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """A feed: our own (`wanted` says which images are in it), or one of another site that we follow."""

    name: str
    origin: str
    """The key of the site that signs it."""
    source: str
    """The name that it has there."""
    is_own: bool
    wanted: Mapping[str, Any] = field(default_factory=dict)
    readers: Sequence[str] = ()
    """The names of peers that may follow it from here."""
    peer: str = ""
    """From whom it is followed; empty if it comes as bundles alone."""
    remote: str = ""
    """The name that it has there: a relay may call it otherwise than its origin."""
    tree: str = ""
    """Where its files are, if it is followed from a web server; the peer is then its origin."""
    policy: str = "mirror"
    project: str | None = None
    """Whose its images are here; None for the same project as there."""
    every: int = 0
    hours: str = ""
    rate: int = 0
    serve_hours: str = ""
    serve_rate: int = 0
    """When, and at how many bytes a second in all, its blocks are handed on from here."""
    sequence: int = 0
    head: str = "0" * 64
    applied: int = 0
    """Up to which entry of the log the images here are as it says."""
    created_at: Micros = 0
    asked_at: Micros = 0
    applied_at: Micros = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry of a feed's log, as it was signed."""

    sequence: int
    image_id: str
    is_put: bool
    body: str
    signature: str


@dataclass(frozen=True, slots=True)
class FleetImage:
    """An image of a feed: which entry is in force for it, and how it is here."""

    image_id: str
    sequence: int
    revision: int = 0
    state: str = ""
    note: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


_FEED = tuple(field.name for field in fields(FeedRecord))
_JSON = ("wanted", "readers")
_IMAGE = "image_id, sequence, revision, state, note, facts"
_MATCHING = """
SELECT i.id, i.revision FROM images i
 WHERE i.status IN ('active', 'deactivated') AND i.size IS NOT NULL
   AND EXISTS (SELECT 1 FROM image_locations l WHERE l.image_id = i.id AND l.content_id IS NOT NULL)
"""


class FleetRows:
    """Reads outside of transactions, writes inside of the caller's."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # -- peers ---------------------------------------------------------------------------------------------------------

    def peers(self) -> list[PeerRecord]:
        return [
            PeerRecord(*row)
            for row in self._db.rows("SELECT name, key, url, pin, paired_at FROM fleet_peers ORDER BY 1")
        ]

    def add_peer(self, tx: Tx, peer: PeerRecord) -> None:
        """Raises `Conflict` if the name or the key is known already."""
        try:
            tx.execute(
                "INSERT INTO fleet_peers (name, key, url, pin, paired_at) VALUES (?, ?, ?, ?, ?)",
                (peer.name, peer.key, peer.url, peer.pin, peer.paired_at),
            )
        except IntegrityError as error:
            raise Conflict(f"There is a peer {peer.name}, or one with this key, already.") from error

    def change_peer(self, tx: Tx, peer: PeerRecord) -> None:
        tx.execute("UPDATE fleet_peers SET url = ?, pin = ? WHERE name = ?", (peer.url, peer.pin, peer.name))

    def remove_peer(self, tx: Tx, name: str) -> bool:
        return tx.execute("DELETE FROM fleet_peers WHERE name = ?", (name,)).rowcount == 1

    # -- feeds ---------------------------------------------------------------------------------------------------------

    def feeds(self) -> list[FeedRecord]:
        return [_feed(row) for row in self._db.rows(f"SELECT {', '.join(_FEED)} FROM fleet_feeds ORDER BY name")]

    def feed(self, name: str) -> FeedRecord | None:
        row = self._db.row(f"SELECT {', '.join(_FEED)} FROM fleet_feeds WHERE name = ?", (name,))
        return _feed(row) if row else None

    def feed_of(self, origin: str, source: str) -> FeedRecord | None:
        """The feed that a site signs under a name of its own."""
        row = self._db.row(
            f"SELECT {', '.join(_FEED)} FROM fleet_feeds WHERE origin = ? AND source = ?", (origin, source)
        )
        return _feed(row) if row else None

    def add_feed(self, tx: Tx, feed: FeedRecord) -> None:
        """Raises `Conflict` if its name, or the feed itself, is there already."""
        try:
            tx.execute(
                f"INSERT INTO fleet_feeds ({', '.join(_FEED)}) VALUES ({', '.join('?' * len(_FEED))})",
                [_column(name, getattr(feed, name)) for name in _FEED],
            )
        except IntegrityError as error:
            raise Conflict(f"There is a feed {feed.name}, or the same under another name, already.") from error

    def change_feed(self, tx: Tx, name: str, values: Mapping[str, Any]) -> bool:
        """Set columns; False if there is no such feed any more."""
        sets = ", ".join(f"{column} = ?" for column in values)
        parameters = [*(_column(column, value) for column, value in values.items()), name]
        return tx.execute(f"UPDATE fleet_feeds SET {sets} WHERE name = ?", parameters).rowcount == 1

    def remove_feed(self, tx: Tx, name: str) -> bool:
        return tx.execute("DELETE FROM fleet_feeds WHERE name = ?", (name,)).rowcount == 1

    def matching(self, wanted: Mapping[str, Any]) -> dict[str, int]:
        """The images with data that a filter names, and their revisions."""
        clauses, parameters = [_MATCHING], list[Any]()
        for column in ("id", "visibility", "owner"):
            if column in wanted:
                condition, values = one_of(f"i.{column}", wanted[column])
                clauses.append(f"AND {condition}")
                parameters += values
        for tag in wanted.get("tag", ()):
            clauses.append("AND i.id IN (SELECT image_id FROM image_tags WHERE value = ?)")
            parameters.append(tag)
        for name, value in wanted.get("property", {}).items():
            clauses.append("AND i.id IN (SELECT image_id FROM image_properties WHERE name = ? AND value = ?)")
            parameters += [name, value]
        return {row["id"]: row["revision"] for row in self._db.rows("\n".join(clauses), parameters)}

    # -- logs ----------------------------------------------------------------------------------------------------------

    def append(self, tx: Tx, feed: str, before: int, entries: Sequence[EntryRow], head: str) -> None:
        """Make a log longer. Raises `Conflict` if it is not as long as it was, or longer, before."""
        done = tx.execute(
            "UPDATE fleet_feeds SET sequence = ?, head = ? WHERE name = ? AND sequence = ?",
            (entries[-1].sequence, head, feed, before),
        )
        if done.rowcount != 1:
            raise Conflict(f"The feed {feed} was changed meanwhile; try again.")
        tx.executemany(
            "INSERT INTO fleet_entries (feed, sequence, image_id, is_put, body, signature) VALUES (?, ?, ?, ?, ?, ?)",
            [(feed, row.sequence, row.image_id, int(row.is_put), row.body, row.signature) for row in entries],
        )

    def entries(self, feed: str, after: int, most: int) -> list[EntryRow]:
        """What follows an entry."""
        rows = self._db.rows(
            "SELECT sequence, image_id, is_put, body, signature FROM fleet_entries "
            "WHERE feed = ? AND sequence > ? ORDER BY sequence LIMIT ?",
            (feed, after, most),
        )
        return [_entry(row) for row in rows]

    def last_entry(self, feed: str, image_id: str) -> EntryRow | None:
        """What a log says last of an image."""
        row = self._db.row(
            "SELECT sequence, image_id, is_put, body, signature FROM fleet_entries "
            "WHERE feed = ? AND image_id = ? ORDER BY sequence DESC LIMIT 1",
            (feed, image_id),
        )
        return _entry(row) if row else None

    def current(self, feed: str, after: int = 0, up_to: int = 2**62) -> Iterator[EntryRow]:
        """The last entry of each image among those after one and up to another, in their order."""
        for row in self._db.stream(
            "SELECT sequence, image_id, is_put, body, signature FROM fleet_entries e WHERE feed = ? "
            "AND sequence > ? AND sequence <= ? AND NOT EXISTS (SELECT 1 FROM fleet_entries f WHERE f.feed = e.feed "
            "AND f.image_id = e.image_id AND f.sequence > e.sequence AND f.sequence <= ?) ORDER BY sequence",
            (feed, after, up_to, up_to),
        ):
            yield _entry(row)

    # -- images of feeds -----------------------------------------------------------------------------------------------

    def images(self, feed: str) -> dict[str, FleetImage]:
        rows = self._db.rows(f"SELECT {_IMAGE} FROM fleet_images WHERE feed = ? ORDER BY image_id", (feed,))
        return {row["image_id"]: _image(row) for row in rows}

    def image(self, feed: str, image_id: str) -> FleetImage | None:
        row = self._db.row(f"SELECT {_IMAGE} FROM fleet_images WHERE feed = ? AND image_id = ?", (feed, image_id))
        return _image(row) if row else None

    def feeds_with(self, image_id: str) -> list[str]:
        """The feeds by which an image is here."""
        rows = self._db.rows("SELECT feed FROM fleet_images WHERE image_id = ? AND state = 'here'", (image_id,))
        return [row["feed"] for row in rows]

    def put_images(self, tx: Tx, feed: str, images: Iterable[FleetImage]) -> None:
        tx.executemany(
            "INSERT INTO fleet_images (feed, image_id, sequence, revision, state, note, facts) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (feed, image_id) DO UPDATE SET sequence = excluded.sequence, "
            "revision = excluded.revision, state = excluded.state, note = excluded.note, facts = excluded.facts",
            [
                (feed, one.image_id, one.sequence, one.revision, one.state, one.note, json.dumps(dict(one.facts)))
                for one in images
            ],
        )

    def forget_image(self, tx: Tx, feed: str, image_id: str) -> None:
        tx.execute("DELETE FROM fleet_images WHERE feed = ? AND image_id = ?", (feed, image_id))

    # -- what is on its way --------------------------------------------------------------------------------------------

    def add_arrival(self, tx: Tx, store: str, content_id: int, feed: str, at: Micros) -> None:
        tx.execute(
            "INSERT INTO fleet_arrivals (store, content_id, feed, at) VALUES (?, ?, ?, ?)",
            (store, content_id, feed, at),
        )

    def remove_arrival(self, tx: Tx, store: str, content_id: int) -> bool:
        return (
            tx.execute("DELETE FROM fleet_arrivals WHERE store = ? AND content_id = ?", (store, content_id)).rowcount
            == 1
        )

    def arrivals(self, feed: str) -> list[tuple[str, int]]:
        rows = self._db.rows("SELECT store, content_id FROM fleet_arrivals WHERE feed = ?", (feed,))
        return [(row["store"], row["content_id"]) for row in rows]

    def left_over(self, before: Micros) -> list[tuple[str, int]]:
        """What came before some time and was never used."""
        rows = self._db.rows("SELECT store, content_id FROM fleet_arrivals a WHERE at < ?", (before,))
        return [(row["store"], row["content_id"]) for row in rows]


def _column(name: str, value: Any) -> Any:
    if name in _JSON:
        return json.dumps(value)
    return int(value) if isinstance(value, bool) else value


def _feed(row: Row) -> FeedRecord:
    values = {name: json.loads(row[name]) if name in _JSON else row[name] for name in _FEED}
    return FeedRecord(**values | {"is_own": bool(row["is_own"])})


def _entry(row: Row) -> EntryRow:
    return EntryRow(row["sequence"], row["image_id"], bool(row["is_put"]), row["body"], row["signature"])


def _image(row: Row) -> FleetImage:
    return FleetImage(
        row["image_id"], row["sequence"], row["revision"], row["state"], row["note"], json.loads(row["facts"])
    )
