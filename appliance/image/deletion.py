"""Deleted images: their records, those that wait for their end, and what a crash left half-way."""

import dataclasses
import json
import logging

from appliance.db.engine.base import Database, Tx
from appliance.db.image.images import ImageRecord, ImageRows
from appliance.errors import NotFound
from appliance.image.data import EMPTY, release
from appliance.image.imports.progress import mark_done
from appliance.image.imports.run import revert
from appliance.image.imports.tasks import Tasks
from appliance.image.rules import IMPORT_LOCK, enforce_admin
from appliance.image.stores import Stores
from appliance.settings import Settings
from appliance.values import Caller, Clock, Micros

_NOT_KEPT = frozenset({"locations", "shared_with_caller", "staged_store", "staged_content", "revision", "tags"})


def deleted_record(image: ImageRecord, *, whole: bool) -> str:
    """The image's facts as text, without where its data lay; without its properties either unless `whole`."""
    left_out = _NOT_KEPT if whole else _NOT_KEPT | {"properties"}
    facts = {field.name: getattr(image, field.name) for field in dataclasses.fields(image)}
    return json.dumps({name: value for name, value in facts.items() if name not in left_out})


def as_it_was(facts: str) -> ImageRecord:
    """The image at the moment before it was deleted."""
    return ImageRecord(**json.loads(facts))


def from_deleted_record(facts: str, deleted_at: Micros) -> ImageRecord:
    """The deleted image, as it is shown."""
    image = as_it_was(facts)
    image.status = "deleted"
    image.updated_at = deleted_at
    return image


log = logging.getLogger(__name__)

_SECOND = 1_000_000


class PendingDeletes:
    """Images in state `pending_delete`, from their delete to their end, or to their return."""

    def __init__(self, db: Database, stores: Stores, settings: Settings, clock: Clock) -> None:
        self._db = db
        self._rows = ImageRows(db)
        self._stores = stores
        self._clock = clock
        self._legacy = settings.legacy
        self._delayed = settings.delayed_delete
        self._wait = settings.scrub_time * _SECOND

    def takes(self, image: ImageRecord) -> bool:
        """Whether this image's delete is to be delayed: there has to be something that could come back."""
        return self._delayed and bool(image.locations) and image.status in ("active", "deactivated")

    def scrub(self) -> bool:
        """Let go of one image whose time has come; False if there was none. One step of a job."""
        image = self._rows.oldest_pending(self._clock() - self._wait)
        if image is None:
            return False
        places = [(location.store, location.content_id) for location in image.locations]

        def delete(tx: Tx) -> bool:
            gone = self._rows.delete(tx, image, self._clock(), deleted_record(image, whole=self._legacy))
            if gone:
                release(tx, self._stores, places)
            return gone

        if self._db.transact(delete):
            log.info("image %s is deleted for good", image.id)
        return True

    def restore(self, caller: Caller, image_id: str) -> None:
        """Bring an image back, active as it was. For admins."""
        enforce_admin(caller, "restore")

        def change(tx: Tx) -> None:
            values = {"status": "active", "updated_at": self._clock()}
            if not self._rows.change(tx, image_id, ("pending_delete",), values):
                raise NotFound(f"No image with ID {image_id} waits for its end.")

        self._db.transact(change)


def recover(db: Database, stores: Stores, tasks: Tasks, clock: Clock) -> None:
    """Nobody is at work yet, so whatever looks unfinished is: uploads, stagings and imports go back to `queued`.

    Data that was staged completely stays staged.
    """
    rows = ImageRows(db)
    unfinished = rows.in_states(("saving", "uploading", "importing"))
    copying = rows.with_property(IMPORT_LOCK)
    pending = tasks.unfinished()
    if not (unfinished or copying or pending):
        return

    def change(tx: Tx) -> None:
        for image in unfinished:
            if image.status == "uploading" and image.staged_content is not None:
                continue
            log.info("image %s was %s when the service ended; it is queued again", image.id, image.status)
            if image.status == "importing":
                revert(tx, rows, stores, image.id, None, clock())
            else:
                rows.change(tx, image.id, (image.status,), EMPTY | {"updated_at": clock()})
            staged = rows.take_staged(tx, image.id)
            if staged is not None:
                release(tx, stores, [staged])
        for task in pending:
            tasks.fail(tx, task.id, "The service ended while this task was running.")
            if task.image_id is not None and rows.exists_in(tx, task.image_id):
                failed = (task.input or {}).get("backend") or []
                mark_done(tx, rows, task.image_id, failed, failed=failed)
        for image in copying:
            rows.remove_properties(tx, image.id, [IMPORT_LOCK])

    db.transact(change, frees=True)
