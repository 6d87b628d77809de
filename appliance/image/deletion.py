"""The end of images: delayed ones, those whose time has come, and what a crash left half-way."""

import logging

from appliance.db.engine.base import Tx
from appliance.db.image.images import ImageRecord
from appliance.db.image.tasks import TaskRecord
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
    """Nobody is at work yet, so whatever looks unfinished is: uploads, stagings and imports go back to `queued`.

    Data that was staged completely stays staged. Tasks that can go on are left as they are, and returned.
    """
    rows = context.rows
    unfinished = rows.in_states(("saving", "uploading", "importing"))
    locked = rows.with_property(IMPORT_LOCK)
    pending = tasks.unfinished()
    going_on = {task.image_id: task for task in pending if task.type == _CAN_GO_ON and rows.get(task.image_id or "")}
    if not (unfinished or locked or pending):
        return []

    def change(tx: Tx) -> None:
        for image in unfinished:
            if image.id not in going_on and not (image.status == "uploading" and image.staged_content is not None):
                _requeue(tx, context, image)
        for task in pending:
            if going_on.get(task.image_id) is task:
                continue
            tasks.fail(tx, task.id, "The service ended while this task was running.")
            if task.image_id is not None and rows.exists_in(tx, task.image_id):
                failed = (task.input or {}).get("backend") or []
                mark_done(tx, rows, task.image_id, failed, failed=failed)
        for image in locked:
            if image.id not in going_on:
                rows.remove_properties(tx, image.id, [IMPORT_LOCK])

    context.db.transact(change, frees=True)
    return list(going_on.values())


def _requeue(tx: Tx, context: ImageContext, image: ImageRecord) -> None:
    log.info("image %s was %s when the service ended; it is queued again", image.id, image.status)
    if image.status == "importing":
        revert(tx, context.rows, context.stores, image.id, None, context.clock())
    else:
        context.rows.change(tx, image.id, (image.status,), EMPTY | {"updated_at": context.clock()})
    staged = context.rows.take_staged(tx, image.id)
    if staged is not None:
        release(tx, context.stores, [staged])
