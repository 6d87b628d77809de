"""Feeds of our own: which images are in them, and the entries that say how these change."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.fleet import EntryRow, FeedRecord, FleetImage
from appliance.db.image.images import ImageRecord
from appliance.errors import Conflict, Invalid, NotFound
from appliance.fleet.context import FleetContext, check_name
from appliance.fleet.feed_log import Entry, Position, current, make, read
from appliance.fleet.manifest import DATA, Manifest, manifest_of
from appliance.image.rules import VISIBILITIES

FILTERS = ("id", "tag", "property", "visibility", "owner")
_AT_ONCE = 100
_ATTEMPTS = 5


def check_wanted(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A filter as it is kept. Raises `Invalid` for one that names nothing: a feed of everything is said so."""
    if unknown := wanted.keys() - {*FILTERS, "all"}:
        raise Invalid(f"A feed can't be filtered by {', '.join(sorted(unknown))}: say {', '.join(FILTERS)}.")
    found = {name: value for name, value in wanted.items() if value}
    if not found:
        raise Invalid("A feed needs a filter: by tag, property, visibility, owner or id, or all images.")
    if "all" in found and len(found) > 1:
        raise Invalid("A feed of all images has no other filter.")
    if not all(visibility in VISIBILITIES for visibility in found.get("visibility", ())):
        raise Invalid(f"A visibility is one of {', '.join(VISIBILITIES)}.")
    return found


class Publisher:
    """Makes feeds, and writes down what has changed in them since the last look."""

    def __init__(self, context: FleetContext) -> None:
        self._context = context
        self._lock = threading.Lock()
        """One look at a time in this process: each begins where the log ends."""

    def create(
        self, name: str, wanted: Mapping[str, Any], readers: list[str], limits: Mapping[str, Any] | None = None
    ) -> FeedRecord:
        """`limits` are those of handing it on. Raises `Conflict` if there is a feed of that name."""
        check_name(name)
        key, at = self._context.key.public, self._context.clock()
        feed = FeedRecord(name, key, name, True, check_wanted(wanted), readers, created_at=at, **limits or {})
        self._context.db.transact(lambda tx: self._context.rows.add_feed(tx, feed))
        return feed

    def delete(self, name: str) -> None:
        """Forget a feed, our own or another's; its images stay. Raises `NotFound`."""
        rows = self._context.rows

        def change(tx: Tx) -> bool:
            for store_id, content_id in rows.arrivals(name):
                self._context.let_go(tx, store_id, content_id)
            return rows.remove_feed(tx, name)

        with self._context.locks.with_feed(name):
            if not self._context.db.transact(change, frees=True):
                raise NotFound(f"There is no feed {name}.")

    def refresh(self, name: str) -> FeedRecord:
        """The feed with entries for whatever has changed. One that we follow is as it is."""
        with self._lock:
            for _ in range(_ATTEMPTS - 1):
                try:
                    return self._refreshed(name)
                except Conflict:
                    continue  # another node has looked at the same time, and what it found is written down
            return self._refreshed(name)

    def _refreshed(self, name: str) -> FeedRecord:
        feed = self._context.feed(name)
        if not feed.is_own:
            return feed
        known = self._context.rows.images(name)
        matching = self._context.rows.matching(feed.wanted)
        changed = [one for one, revision in matching.items() if one not in known or known[one].revision != revision]
        for start in range(0, len(changed), _AT_ONCE):
            feed = self._put(feed, known, changed[start : start + _AT_ONCE])
        return self._remove(feed, [one for one in known if one not in matching])

    def _put(self, feed: FeedRecord, known: Mapping[str, FleetImage], ids: list[str]) -> FeedRecord:
        entries: list[Entry] = []
        images: list[FleetImage] = []
        position = Position(feed.sequence, feed.head)
        for image_id in ids:
            image = self._context.images.context.rows.get(image_id)
            before = known.get(image_id)
            if image is None or image.status not in ("active", "deactivated"):
                continue  # it has changed since, and the next look finds it
            manifest = self._manifest(image, before)
            if before is None or dict(before.facts) != manifest:
                entry = make(self._context.key, feed.source, position, self._context.clock(), image_id, manifest)
                entries.append(entry)
                position = entry.position
            sequence = position.sequence if before is None or dict(before.facts) != manifest else before.sequence
            images.append(FleetImage(image_id, sequence, image.revision, "here", "", manifest))
        return self._append(feed, entries, images)

    def _manifest(self, image: ImageRecord, before: FleetImage | None) -> Manifest:
        """The image's manifest; its data is looked at only once."""
        if before is not None and all(before.facts[name] == getattr(image, name) for name in DATA):
            return manifest_of(image, before.facts["map"])
        block_map = self._context.map_of(image)
        self._context.maps.keep(block_map.digest, block_map.pack())
        return manifest_of(image, block_map.facts())

    def _remove(self, feed: FeedRecord, ids: list[str]) -> FeedRecord:
        entries: list[Entry] = []
        position = Position(feed.sequence, feed.head)
        for image_id in ids:
            entries.append(make(self._context.key, feed.source, position, self._context.clock(), image_id, None))
            position = entries[-1].position
        return self._append(feed, entries, [], ids)

    def _append(
        self, feed: FeedRecord, entries: list[Entry], images: list[FleetImage], gone: list[str] | None = None
    ) -> FeedRecord:
        rows = self._context.rows

        def change(tx: Tx) -> None:
            if entries:
                added = [row_of(entry) for entry in entries]
                rows.append(tx, feed.name, feed.sequence, added, entries[-1].position.head)
            rows.put_images(tx, feed.name, images)
            for image_id in gone or ():
                rows.forget_image(tx, feed.name, image_id)

        if entries or images:
            self._context.db.transact(change)
        return self._context.feed(feed.name)


def row_of(entry: Entry) -> EntryRow:
    """An entry as a row."""
    return EntryRow(entry.sequence, entry.image_id, entry.put is not None, entry.body, entry.signature)


def entry_of(row: EntryRow) -> Entry:
    return read(row.body, row.signature)


def live(context: FleetContext, feed: FeedRecord) -> list[Entry]:
    """The images that are in a feed, as their last entries say."""
    return [entry_of(row) for row in context.rows.current(feed.name, 0, feed.sequence) if row.is_put]


def todo(context: FleetContext, feed: FeedRecord, fresh: Sequence[Entry] = ()) -> list[Entry]:
    """The last entry of each image that is not as the log says, or its `fresh` end; removals behind the others."""
    rows = list(context.rows.current(feed.name, feed.applied))
    last = current([*map(entry_of, rows), *fresh])
    return sorted(last.values(), key=lambda entry: (entry.put is None, entry.sequence))
