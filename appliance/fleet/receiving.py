"""Blocks of another site's images on their way in: each is checked, what has come stays, and images are put together.

What counts as here already is what came by the same feed before, and nothing else: so that what is asked for tells
the other side nothing of the rest of this site.
"""

import hashlib
import itertools
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from appliance.blobs.delivery import Delivery, StoredBlock
from appliance.blobs.store import BlobStore
from appliance.db.engine.base import Tx
from appliance.db.fleet import ARRIVAL, FeedRecord
from appliance.errors import Conflict, Corrupt, Invalid, Refusal, StorageFault, StorageFull
from appliance.fleet.block_map import BlockMap
from appliance.fleet.context import FleetContext
from appliance.fleet.keys import fingerprint
from appliance.fleet.manifest import Manifest, check_limits, record_of
from appliance.image.data import label
from appliance.image.stores import Store
from appliance.values import MIB

_Item = TypeVar("_Item")

_LOOKUP = 4000
_BATCH = MIB
_KEEP = 64 * MIB
_KEEP_SECONDS = 10.0
"""What has come becomes durable whenever it is so much, as it is stored, or has taken so long."""
_CHUNK = MIB


@dataclass(frozen=True, slots=True)
class Assembled:
    """The data of an image, stored and compared with its hashes, that no image names yet."""

    store: Store
    content_id: int
    virtual_size: int | None


class Receiver:
    """Takes in what the images of one feed are made of."""

    def __init__(self, context: FleetContext, feed: FeedRecord) -> None:
        self._context = context
        self._feed = feed
        self.store = context.images.stores.default
        self._scope = f"feed {fingerprint(feed.origin)} {feed.source}"

    @property
    def _blobs(self) -> BlobStore:
        return self.store.writer

    def missing(self, block_map: BlockMap) -> set[bytes]:
        """The digests of a map's blocks that have not come by this feed."""
        found: set[bytes] = set()
        for batch in _batches(digest for _, digest, _ in block_map.each_block()):
            found |= set(batch) - self._blobs.index.find(batch, self._scope).keys()
        return found

    def check_room(self, manifest: Manifest) -> None:
        """Raise for an image that is larger than one may be here, or has no room."""
        check_limits(manifest, self._context.images.context.settings)
        free = self.store.free_space()
        if free is not None and manifest["map"]["data"] > free and manifest["map"]["stored"] > free:
            raise StorageFull(
                f"There is no room for image {manifest['id']}: it takes {manifest['map']['stored']} bytes."
            )

    def arrivals(self) -> "Arrivals":
        return Arrivals(self._context, self._feed, self.store, self._scope)

    def assemble(self, manifest: Manifest, block_map: BlockMap) -> Assembled:
        """Make one content of blocks that are here, and compare it with the manifest's hashes.

        Raises `Conflict` if blocks are missing, `Invalid` if it is not what the manifest says.
        """
        record = record_of(manifest, self._feed.project or manifest["owner"], self._context.clock())
        with self._blobs.deliver(self._scope) as delivery:
            self._name_steps(delivery, block_map)
            sealed = delivery.sealed_as(
                manifest["checksum"], manifest["os_hash_algo"], manifest["os_hash_value"], label(record)
            )

            def change(tx: Tx) -> int:
                content_id = self._blobs.index.commit(tx, sealed)
                self._context.rows.add_arrival(tx, self.store.id, content_id, self._feed.name, self._context.clock())
                return content_id

            content_id = self._context.db.transact(change)
        try:
            virtual_size = self._check_data(manifest, content_id)
        except (Refusal, Corrupt):
            self._context.db.transact(lambda tx: self._context.let_go(tx, self.store.id, content_id), frees=True)
            raise
        return Assembled(self.store, content_id, virtual_size)

    def _name_steps(self, delivery: Delivery, block_map: BlockMap) -> None:
        for batch in _batches(block_map.steps()):
            known = self._blobs.index.find([digest for digest, _ in batch if digest], self._scope)
            for digest, length in batch:
                if not digest:
                    delivery.name(digest, length, 0)
                    continue
                block = known.get(digest)
                if block is None or block.length != length:
                    raise Conflict("blocks of an image have gone while it was put together; try again")
                delivery.name(digest, length, block.id)

    def _check_data(self, manifest: Manifest, content_id: int) -> int | None:
        """Read what was put together; its virtual size, if it has one. Raises `Invalid`."""
        record = record_of(manifest, None, 0)
        inspection = self._context.images.data.inspection(record)
        md5 = hashlib.md5(usedforsecurity=False)
        whole = hashlib.new(manifest["os_hash_algo"], usedforsecurity=False)
        with self._blobs.open_content(content_id) as content:
            while chunk := content.read(_CHUNK):
                md5.update(chunk)
                whole.update(chunk)
                if inspection is not None:
                    inspection.write(chunk)
        if md5.hexdigest() != manifest["checksum"] or whole.hexdigest() != manifest["os_hash_value"]:
            raise Invalid(f"the data of image {manifest['id']} is not what its manifest says: its hashes are others")
        return inspection.verdict() if inspection is not None else None


class Arrivals:
    """Blocks that come, each found sound before it is kept. Used with `with`: what has come stays, however it ends."""

    def __init__(self, context: FleetContext, feed: FeedRecord, store: Store, scope: str) -> None:
        self._context = context
        self._feed = feed
        self._store = store
        self._scope = scope
        self._label = json.dumps({ARRIVAL: feed.name}).encode()
        self._waiting: list[StoredBlock] = []
        self._size = 0
        self._opened = ExitStack()
        self._delivery: Delivery | None = None
        self._began = 0.0
        self.stored = 0
        """Bytes that have come, as they are stored."""

    def take(self, block: StoredBlock) -> None:
        """One more block, each only once. Raises `Corrupt` if it, or one just before it, is not sound."""
        self._waiting.append(block)
        self._size += len(block.data)
        self.stored += len(block.data)
        if self._size >= _BATCH:
            self._add()
        if self._delivery is not None and (
            self._delivery.stored >= _KEEP or time.monotonic() - self._began >= _KEEP_SECONDS
        ):
            self.keep()

    def _add(self) -> None:
        waiting, self._waiting, self._size = self._waiting, [], 0
        if not waiting:
            return
        if self._delivery is None:
            self._delivery = self._opened.enter_context(self._store.writer.deliver(self._scope))
            self._began = time.monotonic()
        self._delivery.add(waiting)

    def keep(self) -> None:
        """Make what has come durable, so that it need not come again."""
        self._add()
        delivery, self._delivery = self._delivery, None
        if delivery is None:
            return
        index = self._store.writer.index
        with self._opened.pop_all():
            sealed = delivery.sealed(self._label)

            def change(tx: Tx) -> None:
                content_id = index.commit(tx, sealed)
                self._context.rows.add_arrival(tx, self._store.id, content_id, self._feed.name, self._context.clock())

            self._context.db.transact(change)

    def __enter__(self) -> "Arrivals":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Corrupt):
            self._waiting.clear()
        with self._opened:
            if not isinstance(error, StorageFault | StorageFull):
                self.keep()


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    remaining = iter(items)
    while batch := list(itertools.islice(remaining, _LOOKUP)):
        yield batch
