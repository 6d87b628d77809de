"""What every part of the fleet works with, and the way from an image to the blocks that it is made of."""

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from appliance.blobs.durable import Disk, ensure_directory, replace_file
from appliance.blobs.store import BlobStore
from appliance.db.engine.base import Database, Tx
from appliance.db.fleet import FeedRecord, FleetRows
from appliance.db.image.images import ImageRecord
from appliance.errors import Conflict, Invalid, NotFound
from appliance.fleet.block_map import BlockMap
from appliance.fleet.feed_locks import FeedLocks
from appliance.fleet.keys import SiteKey
from appliance.fleet.manifest import Manifest, same_data
from appliance.image.service import Images
from appliance.values import Clock, Micros

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str) -> str:
    """The name of a feed or peer. Raises `Invalid`."""
    if not _NAME.fullmatch(name):
        raise Invalid(f"{name!r} is no name here: it has up to 64 letters, digits, dots, dashes and underscores")
    return name


POLICIES = ("mirror", "keep")


def check_policy(policy: object) -> None:
    """What follows when an image leaves a feed. Raises `Invalid`."""
    if policy not in POLICIES:
        raise Invalid(f"a policy is {' or '.join(POLICIES)}, not {policy}")


class Maps:
    """Block maps as files, by their hashes. What is missing is made anew from an image, or costs bytes on the wire."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, digest: str, packed: bytes) -> None:
        path = self._path(digest)
        if path.exists():
            return
        for directory in (self._directory.parent, self._directory):
            ensure_directory(Disk(), directory)
        replace_file(Disk(), path, packed)

    def find(self, digest: str) -> bytes | None:
        """The packed map, if it is there and whole."""
        try:
            packed = self._path(digest).read_bytes()
        except OSError:
            return None
        return packed if hashlib.sha256(packed).hexdigest() == digest else None

    def _path(self, digest: str) -> Path:
        return self._directory / f"{digest}.map"


@dataclass(frozen=True, slots=True)
class FleetContext:
    """The database and its fleet rows, the images, the key of this site, and the time."""

    db: Database
    rows: FleetRows
    images: Images
    key: SiteKey
    maps: Maps
    clock: Clock
    locks: FeedLocks

    def feed(self, name: str) -> FeedRecord:
        """Raises `NotFound`."""
        feed = self.rows.feed(name)
        if feed is None:
            raise NotFound(f"There is no feed {name}.")
        return feed

    def give_back(self, before: Micros) -> None:
        """Let go of blocks that came before some time and were never used."""
        for store_id, content_id in self.rows.left_over(before):
            self.db.transact(partial(self.let_go, store_id=store_id, content_id=content_id), frees=True)

    def let_go(self, tx: Tx, store_id: str, content_id: int) -> None:
        """What was on its way is no longer: its blocks stay as far as an image has them."""
        if self.rows.remove_arrival(tx, store_id, content_id):
            store = self.images.stores.find(store_id)
            if store is not None and store.blobs is not None:
                store.blobs.index.release(tx, content_id)

    def content_of(self, image: ImageRecord) -> tuple[BlobStore, int]:
        """Where an image's blocks are. Raises `NotFound` if they are in no store of ours."""
        for location in image.locations:
            store = self.images.stores.find(location.store)
            if location.content_id is not None and store is not None and store.blobs is not None:
                return store.blobs, location.content_id
        raise NotFound(f"The data of image {image.id} is in no store of this appliance.")

    def map_of(self, image: ImageRecord) -> BlockMap:
        """Raises `NotFound`."""
        blobs, content_id = self.content_of(image)
        blocks = blobs.stored_blocks(content_id)
        try:
            return BlockMap.of(blocks.spans())
        finally:
            blocks.close()

    def stored_image(self, manifest: Manifest) -> ImageRecord:
        """The image of this site that has the data of a manifest. Raises `Conflict` if there is none."""
        image = self.images.context.rows.get(manifest["id"])
        if image is None or not same_data(image, manifest):
            raise Conflict(f"image {manifest['id']} of the feed is not here, or is another: it can't be handed on")
        return image

    def map_of_manifest(self, manifest: Manifest) -> BlockMap:
        """The block map that a manifest names. Raises `Conflict` if it is not to be had here."""
        wanted = manifest["map"]["sha256"]
        packed = self.maps.find(wanted)
        if packed is not None:
            return BlockMap.unpack(packed, digest=wanted, size=manifest["size"])
        block_map = self.map_of(self.stored_image(manifest))
        if block_map.digest != wanted:
            raise Conflict(f"the blocks of image {manifest['id']} are not those that the feed tells of")
        return block_map
