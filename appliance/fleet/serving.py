"""What peers may read of the feeds of this site: entries, block maps, and blocks by a bitmap over one of these maps.

A feed may be handed on in some hours only, and at so many bytes a second for all who follow it. No thread waits for
that: an answer has what goes out in ten seconds, says how fast that is to be, and whoever asks too soon is told when.
"""

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.blobs.delivery import StoredBlock
from appliance.db.fleet import FeedRecord
from appliance.errors import Invalid, NotFound, TooManyRequests, Unavailable
from appliance.fleet.block_map import BlockMap
from appliance.fleet.context import FleetContext
from appliance.fleet.feed_log import Entry
from appliance.fleet.manifest import Manifest
from appliance.fleet.pace import Bucket, Hours
from appliance.fleet.publishing import Publisher, entry_of
from appliance.fleet.shipping import Shipment
from appliance.values import MIB

EVERYBODY = "all"
MOST_BLOCKS = 64 * MIB
"""Bytes of blocks in one answer."""
_BURST = 10
"""Seconds' worth of blocks in one answer, where they go out at a limited rate."""
_PAGE_ENTRIES = 500
_PAGE_BYTES = 4 * MIB


@dataclass(frozen=True, slots=True)
class Page:
    """Entries of a feed, and how long its log is."""

    entries: list[Entry]
    sequence: int


@dataclass(frozen=True, slots=True)
class Blocks:
    """An answer with blocks, and on which terms it goes out."""

    shipment: Shipment
    hours: Hours
    rate: int
    context: FleetContext

    def sent(self, skip: int) -> Iterator[StoredBlock]:
        """The blocks but for the first ones, until the hours end: who asks again for the rest is told so."""
        for block in self.shipment.blocks(skip):
            if not self.hours.has(self.context.clock()):
                raise Unavailable("The hours have ended in which this feed is handed on.")
            yield block


class Serving:
    """Answers peers. Whatever a peer may not read is not there for it."""

    def __init__(self, context: FleetContext, publisher: Publisher) -> None:
        self._context = context
        self._publisher = publisher
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()

    def feeds(self, peer: str) -> list[FeedRecord]:
        """The feeds that a peer may follow."""
        return [feed for feed in self._context.rows.feeds() if _may_read(peer, feed)]

    def entries(self, peer: str, name: str, after: int) -> Page:
        """The next page after an entry. Raises `NotFound`."""
        self._feed(peer, name)
        feed = self._publisher.refresh(name)
        found, size = list[Entry](), 0
        for row in self._context.rows.entries(feed.name, after, _PAGE_ENTRIES):
            size += len(row.body)
            if found and size > _PAGE_BYTES:
                break
            found.append(entry_of(row))
        return Page(found, feed.sequence)

    def map(self, peer: str, name: str, image_id: str) -> bytes:
        """The block map of an image of the feed. Raises `NotFound`."""
        return self._map(self._manifest(peer, name, image_id)).pack()

    def blocks(self, peer: str, name: str, image_id: str, bits: bytes) -> Blocks:
        """The first of the blocks that a bitmap names, as many as one answer has.

        Raises `NotFound` or `Invalid`, and `TooManyRequests` if it is too soon.
        """
        manifest, feed = self._manifest(peer, name, image_id), self._feed(peer, name)
        hours = Hours(feed.serve_hours)
        if wait := hours.until(self._context.clock()):
            raise TooManyRequests(f"The feed {name} is handed on between {feed.serve_hours} by the clock here.", wait)
        if wait := self.count(feed.name, feed.serve_rate, 0):
            said = f"The feed {name} is handed on at {feed.serve_rate} bytes a second, and these are under way."
            raise TooManyRequests(said, wait)
        most = min(MOST_BLOCKS, feed.serve_rate * _BURST) if feed.serve_rate else MOST_BLOCKS
        shipment = Shipment(self._context, manifest, self._map(manifest), bits, most)
        if not shipment.stored:
            raise Invalid("The bitmap names no block.")
        return Blocks(shipment, hours, feed.serve_rate, self._context)

    def count(self, feed: str, rate: int, length: int) -> int:
        """So many bytes of a feed go out now; how many seconds it takes until there may be more."""
        with self._lock:
            bucket = self._buckets.get(feed)
            if bucket is None or bucket.rate != rate:
                bucket = self._buckets[feed] = Bucket(rate)
            return math.ceil(bucket.take(length))

    def _feed(self, peer: str, name: str) -> FeedRecord:
        feed = self._context.rows.feed(name)
        if feed is None or not _may_read(peer, feed):
            raise NotFound(f"There is no feed {name} for {peer}.")
        return feed

    def _manifest(self, peer: str, name: str, image_id: str) -> Manifest:
        """What the feed says of an image now."""
        feed = self._feed(peer, name)
        row = self._context.rows.last_entry(feed.name, image_id)
        manifest = entry_of(row).put if row is not None else None
        if manifest is None:
            raise NotFound(f"There is no image {image_id} in the feed {name}.")
        return manifest

    def _map(self, manifest: Manifest) -> BlockMap:
        return self._context.map_of_manifest(manifest)


def _may_read(peer: str, feed: FeedRecord) -> bool:
    return peer in feed.readers or EVERYBODY in feed.readers
