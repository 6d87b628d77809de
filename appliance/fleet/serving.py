"""What peers may read of the feeds of this site: entries, block maps, and blocks by a bitmap over one of these maps."""

from dataclasses import dataclass

from appliance.db.fleet import FeedRecord
from appliance.errors import Invalid, NotFound
from appliance.fleet.block_map import BlockMap
from appliance.fleet.context import FleetContext
from appliance.fleet.feed_log import Entry
from appliance.fleet.manifest import Manifest
from appliance.fleet.publishing import Publisher, entry_of
from appliance.fleet.shipping import Shipment
from appliance.values import MIB

EVERYBODY = "all"
MOST_BLOCKS = 64 * MIB
"""Bytes of blocks in one answer."""
_PAGE_ENTRIES = 500
_PAGE_BYTES = 4 * MIB


@dataclass(frozen=True, slots=True)
class Page:
    """Entries of a feed, and how long its log is."""

    entries: list[Entry]
    sequence: int


class Serving:
    """Answers peers. Whatever a peer may not read is not there for it."""

    def __init__(self, context: FleetContext, publisher: Publisher) -> None:
        self._context = context
        self._publisher = publisher

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

    def blocks(self, peer: str, name: str, image_id: str, bits: bytes) -> Shipment:
        """The first of the blocks that a bitmap names, as many as one answer has. Raises `NotFound` or `Invalid`."""
        manifest = self._manifest(peer, name, image_id)
        shipment = Shipment(self._context, manifest, self._map(manifest), bits, MOST_BLOCKS)
        if not shipment.stored:
            raise Invalid("The bitmap names no block.")
        return shipment

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
