"""The lock that lets one piece of background work at a time fill an image; one that has expired can be broken."""

import logging

from appliance.db.database import Database, Tx
from appliance.db.images import ImageRecord, ImageRows
from appliance.errors import Conflict
from appliance.image.model import IMPORT_LOCK
from appliance.image.tasks import Tasks
from appliance.values import Clock

log = logging.getLogger(__name__)

_MINUTE = 60 * 1_000_000
_LOCK_LIFE = {"pending": 120 * _MINUTE}
_USUAL_LOCK_LIFE = 60 * _MINUTE


class ImportLock:
    """Held by a task, whose id is its value."""

    def __init__(self, db: Database, tasks: Tasks, clock: Clock) -> None:
        self._db = db
        self._rows = ImageRows(db)
        self._tasks = tasks
        self._clock = clock

    def check(self, image: ImageRecord) -> None:
        """Raise `Conflict` if other work is going on; break its lock if it can't be any more."""
        holder = image.properties.get(IMPORT_LOCK)
        if holder is None:
            return
        task = self._tasks.find(holder)
        if task is not None:
            life = _LOCK_LIFE.get(task.status, _USUAL_LOCK_LIFE)
            if self._clock() - task.updated_at < life:
                raise Conflict("Image has active task")
        with self._db.write() as tx:
            if not self._rows.release_property(tx, image.id, IMPORT_LOCK, holder):
                raise Conflict("Image has active task")
            self._tasks.fail(tx, holder, "Expired lock preempted")
        log.warning("image %s: the lock of task %s had expired and was broken", image.id, holder)

    def take(self, tx: Tx, image_id: str, task_id: str) -> None:
        """Lock the image for a task. Raises `Conflict` if another one was faster."""
        if not self._rows.claim_property(tx, image_id, IMPORT_LOCK, task_id):
            raise Conflict(
                f"New operation on image '{image_id}' is not permitted as prior operation is still in progress"
            )
