"""An image's bytes on their way in: uploaded, staged. Rows follow bytes, in one transaction with the block map."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from appliance.blobs.index import Sealed
from appliance.blobs.known_content import ReadableByCaller
from appliance.db.engine.base import Tx
from appliance.db.image.images import ImageRecord, LocationRecord, stored_by
from appliance.errors import ApplianceError, Conflict, Gone, Invalid, LimitExceeded
from appliance.image.context import ImageContext, ImageFinder
from appliance.image.ingest import Inspection, Limits, ingest
from appliance.image.quotas import Quotas
from appliance.image.rules import check_transition, not_found
from appliance.image.signature import Signatures, Verifier
from appliance.image.stores import Store, Stores
from appliance.values import MIB, Caller, Source

log = logging.getLogger(__name__)

# What an image without data looks like, whatever it was before.
EMPTY: dict[str, Any] = {
    "status": "queued",
    "size": None,
    "virtual_size": None,
    "checksum": None,
    "os_hash_algo": None,
    "os_hash_value": None,
    "held_by": None,
}


class ImageData:
    """Takes the bytes of images in."""

    def __init__(self, context: ImageContext, finder: ImageFinder, quotas: Quotas) -> None:
        self._db = context.db
        self._rows = context.rows
        self._stores = context.stores
        self._settings = context.settings
        self._policies = context.policies
        self._clock = context.clock
        self._finder = finder
        self._quotas = quotas
        self._signatures = Signatures(context.settings)
        self._storage_quota = 0 if context.settings.use_keystone_limits else context.settings.user_storage_quota

    def upload(
        self,
        caller: Caller,
        image_id: str,
        source: Source,
        *,
        declared_size: int | None = None,
        store_id: str | None = None,
        checksum: str | None = None,
    ) -> None:
        """Store an image's data and make it active. On any failure the image is `queued` again and without a trace.

        With `checksum`, an MD5, the data has to be what it was made of.
        """
        store = self._stores.writable(store_id)
        image = self._finder.permitted(caller, image_id, "upload_image")
        check_transition(image.status, "saving")
        check_formats(image)
        limits = self.limits(image, declared_size)
        limits.check_declared(store)
        with self._busy(image, "saving", image_size_total=(declared_size or 0) // MIB):
            verifier = self.verifier(image)
            with ingest(
                store,
                source,
                limits,
                hash_algorithm=self._settings.hashing_algorithm,
                inspection=self.inspection(image),
                label=label(image),
                verifier=verifier,
                readable_by_caller=self._readable_by(caller, store),
                scope=self.scope(image),
            ) as taken:
                if checksum is not None and checksum != taken.sealed.md5:
                    raise Invalid(f"The checksum of the data, {taken.sealed.md5}, is not the one given, {checksum}.")

                def change(tx: Tx) -> None:
                    content_id = store.writer.index.commit(tx, taken.sealed)
                    self.activate(tx, image, "saving", taken.sealed, taken.virtual_size)
                    self._rows.add_location(tx, image.id, LocationRecord(store.id, content_id))

                self._db.transact(change)

    def stage(self, caller: Caller, image_id: str, source: Source, *, declared_size: int | None = None) -> None:
        """Keep data for a later import; nothing is checked but its size. The image is `uploading` then."""
        store = self._stores.default
        image = self._finder.permitted(caller, image_id, "modify_image")
        check_transition(image.status, "uploading")
        limits = Limits(declared_size, self._settings.image_size_cap)
        limits.check_declared(store)
        with self._busy(image, "uploading", image_stage_total=(declared_size or 0) // MIB):
            with ingest(
                store,
                source,
                limits,
                hash_algorithm=self._settings.hashing_algorithm,
                inspection=None,
                label=label(image),
                readable_by_caller=self._readable_by(caller, store),
                scope=self.scope(image),
            ) as taken:

                def change(tx: Tx) -> None:
                    content_id = store.writer.index.commit(tx, taken.sealed)
                    staged = {
                        "size": taken.sealed.size,
                        "staged_store": store.id,
                        "staged_content": content_id,
                        "updated_at": self._clock(),
                        "held_by": None,
                    }
                    if not self._rows.change(tx, image.id, ("uploading",), staged, held_by=image.held_by):
                        raise gone(image.id)

                self._db.transact(change)

    def scope(self, image: ImageRecord) -> str:
        """Whose blocks an upload to the image may reuse at once: its owner's, unless the settings say everybody's."""
        return "" if self._settings.dedup_scope == "all" else f"project {image.owner or 'none'}"

    def _readable_by(self, caller: Caller, store: Store) -> ReadableByCaller:
        """Of a store's contents, those that the caller could download."""
        return lambda content_id: self.image_of(caller, store.id, content_id) is not None

    def image_of(self, caller: Caller, store_id: str, content_id: int) -> ImageRecord | None:
        """An image with this content that the caller could download."""
        images = self._rows.with_content(store_id, content_id, caller.project_id)
        return next((image for image in images if self._policies.allows(caller, "download_image", image)), None)

    @contextmanager
    def _busy(self, image: ImageRecord, status: str, **amounts: int) -> Iterator[None]:
        """Hold a queued image in a passing state; whatever goes wrong in the block puts it back.

        Raises `LimitExceeded` if its owner has no such amounts left.
        """
        quota = self._quotas.of(image.owner)
        image.held_by = self._db.holder

        def take(tx: Tx) -> bool:
            values = {"status": status, "updated_at": self._clock(), "held_by": image.held_by}
            taken = self._rows.change(tx, image.id, ("queued",), values, revision=image.revision)
            if taken:
                self._rows.clear_locations(tx, image.id)
                # The image counts as uploading already.
                quota.check(tx, image_count_uploading=0, **amounts)
            return taken

        if not self._db.transact(take):
            self._explain_lost_race(image.id, status)
        try:
            yield
        except BaseException:
            self._put_back(image, status)
            raise

    def _explain_lost_race(self, image_id: str, status: str) -> None:
        now = self._rows.get(image_id)
        if now is None:
            raise not_found(image_id)
        check_transition(now.status, status)
        raise Conflict(f"Image {image_id} was changed while the upload began; try again")

    def _put_back(self, image: ImageRecord, status: str) -> None:
        def change(tx: Tx) -> bool:
            values = EMPTY | {"updated_at": self._clock()}
            return self._rows.change(tx, image.id, (status,), values, held_by=image.held_by)

        try:
            self._db.transact(change, frees=True)
        except ApplianceError as error:
            # The next start does it, or another node.
            log.error("image %s could not be put back to queued: %s", image.id, error)

    def activate(self, tx: Tx, image: ImageRecord, status: str, sealed: Sealed, virtual_size: int | None) -> None:
        """Give an image its data's facts and make it active, in the transaction that commits the data."""
        quota = self._storage_quota
        if quota > 0 and (used := stored_by(tx, image.owner, image.id)) + sealed.size > quota:
            raise LimitExceeded(
                f"Image exceeds the storage quota of {quota} bytes: it takes {sealed.size}, and {used} are used."
            )
        values = {
            "status": "active",
            "size": sealed.size,
            "virtual_size": virtual_size,
            "checksum": sealed.md5,
            "os_hash_algo": sealed.hash_algorithm,
            "os_hash_value": sealed.hash_value,
            "updated_at": self._clock(),
            "held_by": None,
        }
        if not self._rows.change(tx, image.id, (status,), values, held_by=image.held_by):
            raise gone(image.id)

    def check_stored(self, tx: Tx, owner: str | None) -> None:
        """Raise `LimitExceeded` if an owner's images take more than may be stored, what was just added included."""
        if 0 < self._storage_quota < stored_by(tx, owner):
            raise LimitExceeded(f"Image exceeds the storage quota of {self._storage_quota} bytes.")

    def limits(self, image: ImageRecord, declared: int | None) -> Limits:
        """The bounds that an upload to this image has to keep."""
        quota = self._storage_quota
        left = max(0, quota - stored_by(self._db, image.owner, image.id)) if quota > 0 else None
        return Limits(declared, self._settings.image_size_cap, left)

    def inspection(self, image: ImageRecord) -> Inspection | None:
        """The check that the image's data goes through; containers but `bare` are taken as they are."""
        if image.container_format != "bare":
            return None
        return Inspection(
            image.disk_format,
            must_match=self._settings.require_image_format_match,
            nonfatal_gpt_checks=self._settings.gpt_safety_checks_nonfatal,
        )

    def verifier(self, image: ImageRecord) -> Verifier | None:
        """The check of the image's signature, if it has one."""
        return self._signatures.verifier(image)


def check_formats(image: ImageRecord) -> None:
    """Data needs to be told what it is. Raises `Invalid`."""
    missing = [name for name in ("disk_format", "container_format") if getattr(image, name) is None]
    if missing:
        noun = "Properties" if len(missing) > 1 else "Property"
        raise Invalid(f"{noun} {', '.join(missing)} must be set prior to saving data.")


def gone(image_id: str) -> Gone:
    return Gone(
        f"Image {image_id} could not be found after upload. It may have been deleted during the upload; "
        "what was uploaded has been removed."
    )


def label(image: ImageRecord) -> bytes:
    """What is kept with the bytes, so that the image can be put together again if the database is lost."""
    facts = {
        "id": image.id,
        "name": image.name,
        "owner": image.owner,
        "visibility": image.visibility,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "created_at": image.created_at,
        "tags": image.tags,
        "properties": image.properties,
    }
    return json.dumps(facts).encode()


def release(tx: Tx, stores: Stores, places: list[tuple[str | None, int | None]]) -> None:
    """Let go of contents in the transaction that removes the rows that named them."""
    for store_id, content_id in places:
        store = stores.find(store_id)
        if content_id is not None and store is not None and not store.read_only:
            store.writer.index.release(tx, content_id)
