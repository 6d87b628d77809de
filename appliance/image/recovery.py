"""What a crash leaves in the rows of images, put right before the first request."""

import logging

from appliance.db.database import Database
from appliance.db.images import ImageRows
from appliance.image.data import EMPTY, release
from appliance.image.import_notes import cross_off
from appliance.image.import_run import revert
from appliance.image.model import IMPORT_LOCK
from appliance.image.stores import Stores
from appliance.image.tasks import Tasks
from appliance.values import Clock

log = logging.getLogger(__name__)


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
    with db.write(frees=True) as tx:
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
                cross_off(tx, rows, task.image_id, failed, failed=failed)
        for image in copying:
            rows.remove_properties(tx, image.id, [IMPORT_LOCK])
