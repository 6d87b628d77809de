"""Cross-checks images, index and segments both ways, repairs what can be, and rebuilds a lost database.

The directory must be stopped: the doctor owns it while it works.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from appliance.blobs.index import ContentRow
from appliance.blobs.rebuild import Rebuilder
from appliance.blobs.scrub import Scrubber
from appliance.blobs.store import BlobStore
from appliance.blobs.verify import Finding, verify
from appliance.db.engine.base import Database, Tx
from appliance.db.engine.files import ImageFacts
from appliance.db.fleet import ARRIVAL
from appliance.db.image.contents import ImageContents
from appliance.db.image.images import ImageRecord, ImageRows, LocationRecord
from appliance.errors import Conflict, Corrupt
from appliance.image.stores import Stores
from appliance.values import Clock, new_uuid

log = logging.getLogger(__name__)

_PAGE = 1000
Progress = Callable[[int], None]


@dataclass(slots=True)
class Recovery:
    """What a rebuild brought back."""

    images: list[str] = field(default_factory=list)
    as_before: int = 0
    """How many of them have the status, visibility, owner and protection that they had last."""
    incomplete: int = 0
    deleted: int = 0
    damage: list[str] = field(default_factory=list)


class Doctor:
    """Examines and treats one opened data directory."""

    def __init__(self, db: Database, stores: Stores, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._blobs = {store.id: store.blobs for store in stores.every() if store.blobs is not None}
        self._claims = ImageContents(db)
        self._rows = ImageRows(db)
        self._former: Mapping[str, ImageFacts] = {}

    # -- examining -----------------------------------------------------------------------------------------------------

    def stored(self) -> int:
        """How many bytes `examine` reads when it is deep."""
        return sum(blobs.index.maintenance.totals().stored for blobs in self._blobs.values())

    def examine(self, *, deep: bool = False, progress: Progress = lambda length: None) -> Iterator[Finding]:
        """Everything that does not fit, one by one. `deep` reads every block, too. Nothing but marks is changed.

        `progress` is told the bytes that were read.
        """
        sound = True
        for text in self._db.damage():
            sound = False
            yield Finding("database-damaged", text)
        try:
            yield from self._examine(deep, progress)
        except Corrupt as error:
            if sound:
                raise
            yield Finding("unfinished", f"what else there may be can't be told: {error}")

    def _examine(self, deep: bool, progress: Progress) -> Iterator[Finding]:
        if deep:
            for blobs in self._blobs.values():
                _read_all(blobs, progress)
        for blobs in self._blobs.values():
            yield from verify(blobs)
        yield from self._images()
        for name, blobs in self._blobs.items():
            yield from self._suffering(name, blobs)
            yield from self._unnamed(name, blobs)

    def _images(self) -> Iterator[Finding]:
        """From each image to its content."""
        for claim in self._claims.all():
            image = f"image {claim.image_id} ({claim.image_name})"
            blobs = self._blobs.get(claim.store or "")
            if blobs is None:
                yield Finding("image-store", f"{image} is in the store {claim.store}, which is not configured")
                continue
            content = blobs.index.content(claim.content_id)
            if content is None:
                yield Finding("image-lost", f"the data of {image} is gone", content_id=claim.content_id)
            elif content.size != claim.size:
                text = f"{image} has {claim.size} bytes by its row, and {content.size} in the store"
                yield Finding("image-size", text, content_id=claim.content_id)

    def _suffering(self, name: str, blobs: BlobStore) -> Iterator[Finding]:
        """From each damaged block to the images that contain it."""
        told: set[str] = set()
        for span in blobs.index.maintenance.damaged_blocks(_PAGE):
            for content_id in blobs.index.maintenance.contents_of(span.block_id, _PAGE):
                for claim in self._claims.of(name, content_id):
                    if claim.image_id in told:
                        continue
                    told.add(claim.image_id)
                    image = f"image {claim.image_id} ({claim.image_name})"
                    text = (
                        f"{image} can't be read in full: it has damaged blocks; the same data uploaded again heals it"
                    )
                    yield Finding("image-damaged", text, content_id=content_id)

    def _unnamed(self, name: str, blobs: BlobStore) -> Iterator[Finding]:
        """From each content to its image."""
        for content in _contents(blobs):
            if not self._is_named(name, content.id):
                text = f"no image names content {content.id} of {content.size} bytes"
                yield Finding("content-unnamed", text, content_id=content.id, segment=name)

    def _is_named(self, store: str, content_id: int) -> bool:
        return bool(self._claims.of(store, content_id)) or self._claims.is_on_its_way(store, content_id)

    # -- treating ------------------------------------------------------------------------------------------------------

    def repair(self) -> list[str]:
        """Give back what nothing names. Says what was done; what can't be repaired stays for `examine` to tell."""
        done = []
        for name, blobs in self._blobs.items():
            unnamed = [content.id for content in _contents(blobs) if not self._is_named(name, content.id)]
            for content_id in unnamed:
                self._db.transact(partial(blobs.index.release, content_id=content_id))
            if unnamed:
                done.append(f"released {len(unnamed)} contents of the store {name} that no image named")
            if leaked := Rebuilder(blobs).mark_leaked():
                done.append(f"handed {leaked} blocks of the store {name} that nothing named to the collection")
        return done

    # -- rebuilding ----------------------------------------------------------------------------------------------------

    def rebuild(self, former: Mapping[str, ImageFacts] | None = None) -> Recovery:
        """Fill an empty database from the segments: blocks, contents, and images as they were when they were stored.

        What was changed after an upload, and who might see the image, is not in the segments. What the `former`
        database can still tell of it is taken over: an image that was deactivated stays so. Any other comes back as a
        private one, active, owned by the project it had, for an admin to hand out.
        """
        self._former = former or {}
        recovery = Recovery()
        images: dict[str, None] = {}  # an image in several stores has a content in each
        for name, blobs in self._blobs.items():
            report = Rebuilder(blobs).run()
            recovery.incomplete += report.incomplete
            recovery.deleted += report.deleted
            recovery.damage += report.damage
            for content_id in sorted(report.contents):
                content = blobs.index.content(content_id)
                if content is not None and _is_arrival(content):
                    # What came of it comes again; the rows that said which feed it belongs to are lost.
                    self._db.transact(partial(blobs.index.release, content_id=content_id))
                elif content is not None:
                    images[self._adopt(name, content)] = None
        recovery.images = list(images)
        recovery.as_before = sum(image_id in self._former for image_id in images)
        return recovery

    def _adopt(self, store: str, content: ContentRow) -> str:
        """Make the image of a content anew; one whose label can't be read gets a name that says so."""
        claims = self._claims.of(store, content.id)
        if claims:
            return claims[0].image_id
        facts = _label(content.label)
        former = self._former.get(facts.get("id") or "")
        image = ImageRecord(
            id=facts.get("id") or new_uuid(),
            owner=facts.get("owner"),
            created_at=facts.get("created_at") or content.created_at,
            updated_at=self._clock(),
            name=facts.get("name") or f"recovered content {content.id}",
            status="active",
            visibility="private",
            disk_format=facts.get("disk_format") or "raw",
            container_format=facts.get("container_format") or "bare",
            min_disk=facts.get("min_disk") or 0,
            min_ram=facts.get("min_ram") or 0,
            size=content.size,
            checksum=content.md5,
            os_hash_algo=content.hash_algorithm,
            os_hash_value=content.hash_value,
            properties=facts.get("properties") or {},
            tags=facts.get("tags") or [],
        )
        location = LocationRecord(store, content.id)
        try:
            if former is not None:
                _take_over(image, former)
            self._insert(image, location)
        except Conflict:
            existing = self._rows.get(image.id)
            if existing is not None and existing.os_hash_value == image.os_hash_value:
                # The same image in a second store.
                self._db.transact(lambda tx: self._rows.add_location(tx, image.id, location))
                return image.id
            # The same id with other bytes: an older upload of it. Both are kept.
            image.id = new_uuid()
            self._insert(image, location)
        return image.id

    def _insert(self, image: ImageRecord, location: LocationRecord) -> None:
        def change(tx: Tx) -> None:
            self._rows.insert(tx, image)
            self._rows.add_location(tx, image.id, location)

        self._db.transact(change)


def _take_over(image: ImageRecord, former: ImageFacts) -> None:
    image.name, image.owner, image.visibility = former.name, former.owner, former.visibility
    image.protected, image.os_hidden = former.protected, former.os_hidden
    if former.status == "deactivated":
        image.status = former.status


def _contents(blobs: BlobStore) -> Iterator[ContentRow]:
    after = 0
    while rows := blobs.index.maintenance.contents(after, _PAGE):
        after = rows[-1].id
        yield from rows


def _is_arrival(content: ContentRow) -> bool:
    """Whether it is a part of what arrived from another site, and never was an image."""
    return ARRIVAL in _label(content.label)


def _read_all(blobs: BlobStore, progress: Progress) -> None:
    """Check every byte that lives; what is found is marked, and so told by `verify`."""
    report = Scrubber(blobs, interval=0).run(progress)
    log.info("read %d blocks of %d segments, %d bytes", report.blocks, report.segments, report.length)


def _label(label: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(label)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
