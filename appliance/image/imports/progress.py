"""What an import leaves on its image while it goes on: the lock, and which stores are pending or have failed."""

import logging
from collections.abc import Iterable

from appliance.db.engine.base import Database, Tx
from appliance.db.image.images import ImageRecord, ImageRows
from appliance.errors import Conflict
from appliance.image.imports.tasks import Tasks
from appliance.image.rules import FAILED_IMPORT, IMPORT_LOCK, IMPORTING_TO
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

        def change(tx: Tx) -> None:
            if not self._rows.release_property(tx, image.id, IMPORT_LOCK, holder):
                raise Conflict("Image has active task")
            self._tasks.fail(tx, holder, "Expired lock preempted")

        self._db.transact(change)
        log.warning("image %s: the lock of task %s had expired and was broken", image.id, holder)

    def take(self, tx: Tx, image_id: str, task_id: str) -> None:
        """Lock the image for a task. Raises `Conflict` if another one was faster."""
        if not self._rows.claim_property(tx, image_id, IMPORT_LOCK, task_id):
            raise Conflict(
                f"New operation on image '{image_id}' is not permitted as prior operation is still in progress"
            )


def mark_pending(tx: Tx, rows: ImageRows, image: ImageRecord, stores: Iterable[str]) -> None:
    """An import to these stores begins: what failed there before no longer counts."""
    wanted = list(stores)
    failed = [store for store in _names(image.properties.get(FAILED_IMPORT)) if store not in wanted]
    rows.put_properties(tx, image.id, {IMPORTING_TO: ",".join(wanted), FAILED_IMPORT: ",".join(failed)})


def mark_done(tx: Tx, rows: ImageRows, image_id: str, ended: Iterable[str], failed: Iterable[str] = ()) -> None:
    """These stores have ended, some of them in failure. Does nothing to an image that nothing was announced on."""
    noted = rows.properties_in(tx, image_id, (IMPORTING_TO, FAILED_IMPORT))
    if not noted:
        return
    over = set(ended)
    importing = [store for store in _names(noted.get(IMPORTING_TO)) if store not in over]
    failures = dict.fromkeys([*_names(noted.get(FAILED_IMPORT)), *failed])
    rows.put_properties(tx, image_id, {IMPORTING_TO: ",".join(importing), FAILED_IMPORT: ",".join(failures)})


def _names(text: str | None) -> list[str]:
    return [name for name in (text or "").split(",") if name]
