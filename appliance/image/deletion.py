"""The end of images: delayed ones, those whose time has come, and what a crash left half-way."""

import logging

from appliance.db.engine.base import Tx
from appliance.db.image.images import ImageRecord
from appliance.db.image.tasks import TaskRecord
from appliance.db.nodes import live_holders
from appliance.errors import NotFound
from appliance.image.context import ImageContext
from appliance.image.data import EMPTY, release
from appliance.image.imports.run import revert
from appliance.image.imports.tasks import Tasks, mark_done
from appliance.image.rules import IMPORT_LOCK
from appliance.values import Caller

log = logging.getLogger(__name__)

_SECOND = 1_000_000


class Deletion:
    """Takes images away, or only out of sight until their time has come, or they are brought back."""

    def __init__(self, context: ImageContext) -> None:
        self._context = context
        self._rows = context.rows
        self._records_properties = context.settings.legacy
        self._delayed = context.settings.delayed_delete
        self._wait = context.settings.scrub_time * _SECOND

    def remove(self, image: ImageRecord) -> bool:
        """Take an image away, or out of sight; False if it was changed meanwhile."""
        return self._context.db.transact(lambda tx: self.remove_in(tx, image))

    def remove_in(self, tx: Tx, image: ImageRecord) -> bool:
        """The same in the caller's transaction."""
        if not self._is_delayed(image):
            return self._end_in(tx, image)
        values = {"status": "pending_delete", "updated_at": self._context.clock()}
        return self._rows.change(tx, image.id, (image.status,), values, revision=image.revision)

    def _is_delayed(self, image: ImageRecord) -> bool:
        """Whether the image stays for a while: there has to be something that could come back."""
        return self._delayed and bool(image.locations) and image.status in ("active", "deactivated")

    def scrub(self) -> bool:
        """Let go of one image whose time has come; False if there was none. One step of a job."""
        image = self._rows.oldest_pending(self._context.clock() - self._wait)
        if image is None:
            return False
        if self._end(image):
            log.info("image %s is deleted for good", image.id)
        return True

    def _end(self, image: ImageRecord) -> bool:
        return self._context.db.transact(lambda tx: self._end_in(tx, image))

    def _end_in(self, tx: Tx, image: ImageRecord) -> bool:
        """Remove the row and let the data go; False if the image was changed meanwhile."""
        at = self._context.clock()
        gone = self._rows.delete(tx, image, at, record_properties=self._records_properties)
        if gone:
            places = [(location.store, location.content_id) for location in image.locations]
            release(tx, self._context.stores, [*places, (image.staged_store, image.staged_content)])
        return gone

    def restore(self, caller: Caller, image_id: str) -> None:
        """Bring an image back, active as it was. For admins."""
        self._context.policies.enforce_service(caller, "restore")

        def change(tx: Tx) -> None:
            values = {"status": "active", "updated_at": self._context.clock()}
            if not self._rows.change(tx, image_id, ("pending_delete",), values):
                raise NotFound(f"No image with ID {image_id} waits for its end.")

        self._context.db.transact(change)


_CAN_GO_ON = "location_import"
"""The type of those tasks that a restart does not end."""


def recover(context: ImageContext, tasks: Tasks) -> list[TaskRecord]:
    """Put right what was left by those who are no longer at work: by whatever came before a start, or by a node that is
    gone. Uploads, stagings and imports go back to `queued`; what a live node does is left alone.

    Data that was staged completely stays staged. Tasks that can go on are taken over, and returned.
    """
    rows = context.rows
    # As it all was at one moment: what a live node begins after that is in none of it.
    with context.db.snapshot():
        at_work = live_holders(context.db)
        every = tasks.unfinished()
        passing = rows.in_states(("saving", "uploading", "importing"))
        locked = rows.with_property(IMPORT_LOCK)
    elsewhere = {task.image_id for task in every if task.held_by in at_work}
    unfinished = [image for image in passing if image.held_by not in at_work and image.id not in elsewhere]
    locked = [image for image in locked if image.id not in elsewhere]
    pending = [task for task in every if task.held_by not in at_work]
    going_on = {task.image_id: task for task in pending if task.type == _CAN_GO_ON and rows.get(task.image_id or "")}
    if not (unfinished or locked or pending):
        return []

    def change(tx: Tx) -> list[TaskRecord]:
        for image in unfinished:
            if image.id not in going_on and not (image.status == "uploading" and image.staged_content is not None):
                _requeue(tx, context, image)
        taken = []
        for task in pending:
            if not tasks.take_over(tx, task):
                continue
            if going_on.get(task.image_id) is task:
                taken.append(task)
                continue
            tasks.fail(tx, task.id, "The service ended while this task was running.")
            if task.image_id is not None and rows.exists_in(tx, task.image_id):
                failed = (task.input or {}).get("backend") or []
                mark_done(tx, rows, task.image_id, failed, failed=failed)
        for image in locked:
            if image.id not in going_on:
                rows.release_property(tx, image.id, IMPORT_LOCK, image.properties[IMPORT_LOCK] or "")
        return taken

    return context.db.transact(change, frees=True)


def _requeue(tx: Tx, context: ImageContext, image: ImageRecord) -> None:
    if image.status == "importing":
        revert(tx, context.rows, context.stores, image.id, None, context.clock())
    else:
        values = EMPTY | {"updated_at": context.clock()}
        if not context.rows.change(tx, image.id, (image.status,), values, held_by=image.held_by or ""):
            return
    log.info("image %s was %s when the service ended; it is queued again", image.id, image.status)
    staged = context.rows.take_staged(tx, image.id)
    if staged is not None:
        release(tx, context.stores, [staged])
