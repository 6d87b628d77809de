"""Tasks: a record of what happens to images in the background, for those who ask how it went; and what they leave on
their images while they run: the lock, and which stores are pending or have failed."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.image.images import ImageRecord, ImageRows
from appliance.db.image.tasks import SORT_KEYS, TaskRecord, TaskRows
from appliance.errors import Conflict, Gone, Invalid, NotFound
from appliance.image.context import ImageContext
from appliance.image.draft import check_text
from appliance.image.listing import page_limit
from appliance.image.rules import FAILED_IMPORT, IMPORT_LOCK, IMPORTING_TO
from appliance.image.web.addresses import without_secrets
from appliance.values import Caller, Micros, is_uuid, new_uuid

STATUSES = ("pending", "processing", "success", "failure")
log = logging.getLogger(__name__)

_HOUR = 3600 * 1_000_000


class Tasks:
    """Tasks as their API shows them, and as background work moves them on."""

    def __init__(self, context: ImageContext) -> None:
        self._db = context.db
        self._rows = TaskRows(context.db)
        self._settings = context.settings
        self._policies = context.policies
        self._clock = context.clock

    # -- for the API -----------------------------------------------------------------------------------------------

    def get(self, caller: Caller, task_id: str) -> TaskRecord:
        self._policies.enforce_service(caller, "tasks_api_access")
        task = self.find(task_id)
        if task is None:
            raise NotFound(f"No task found with ID {task_id}")
        return _shown(caller, task)

    def page(self, caller: Caller, parameters: Mapping[str, str]) -> tuple[list[TaskRecord], bool]:
        """A page of tasks, and whether there may be more."""
        self._policies.enforce_service(caller, "tasks_api_access")
        limit = page_limit(parameters.get("limit"), self._settings.limit_param_default, self._settings.api_limit_max)
        found = self._rows.page(
            _filters(parameters),
            sort_key=_one_of(parameters.get("sort_key", "created_at"), SORT_KEYS, "sort key"),
            sort_dir=_one_of(parameters.get("sort_dir", "desc"), ("asc", "desc"), "sort direction"),
            marker=self._marker(parameters.get("marker")),
            limit=limit,
            at=self._clock(),
        )
        return found, bool(found) and len(found) == limit

    def _marker(self, task_id: str | None) -> TaskRecord | None:
        """What a page begins after: it may have expired meanwhile."""
        if task_id is None:
            return None
        if not is_uuid(task_id):
            raise Invalid("Invalid marker format")
        marker = self._rows.get(task_id)
        if marker is None:
            raise Invalid(f"No task found with ID {task_id}")
        return marker

    def of_image(self, caller: Caller, image_id: str) -> list[TaskRecord]:
        """The caller's project's tasks of an image that the caller has been found to see; all of them for admins."""
        found = self._rows.of_image(image_id, self._clock())
        return [_shown(caller, task) for task in found if caller.is_admin or _is_own(caller, task)]

    # -- for the work ----------------------------------------------------------------------------------------------

    def find(self, task_id: str) -> TaskRecord | None:
        return self._rows.get(task_id, self._clock())

    def add(
        self,
        tx: Tx,
        caller: Caller,
        kind: str,
        given: dict[str, Any],
        *,
        image_id: str | None = None,
        request_id: str | None = None,
        task_id: str | None = None,
    ) -> TaskRecord:
        """A new task, pending. Raises `Invalid` if what is asked of it is more than the original could store."""
        check_text("The input of a task", json.dumps(given))
        at = self._clock()
        self._rows.purge(tx, at)
        task = TaskRecord(
            id=task_id or new_uuid(),
            type=kind,
            owner=caller.project_id,
            created_at=at,
            updated_at=at,
            image_id=image_id,
            user_id=caller.user_id,
            request_id=request_id,
            input=given,
            held_by=self._db.holder,
        )
        self._rows.add(tx, task)
        return task

    def start(self, tx: Tx, task_id: str) -> bool:
        """The work begins, or goes on after a restart; False if the task was ended before."""
        return self._rows.change(tx, task_id, ("pending", "processing"), "processing", self._clock())

    def tell(self, task_id: str, message: str) -> None:
        """How far the work has come."""
        self._db.transact(
            lambda tx: self._rows.change(tx, task_id, ("processing",), "processing", self._clock(), message=message)
        )

    def succeed(self, tx: Tx, task_id: str, result: dict[str, Any] | None = None, message: str = "") -> None:
        told = {"message": message} if message else {}
        self._rows.change(
            tx, task_id, ("processing",), "success", self._clock(), result=result, expires_at=self._expiry(), **told
        )

    def fail(self, tx: Tx, task_id: str, message: str) -> None:
        self._rows.change(
            tx,
            task_id,
            ("pending", "processing"),
            "failure",
            self._clock(),
            message=message,
            expires_at=self._expiry(),
        )

    def name_image(self, tx: Tx, task_id: str, image_id: str) -> None:
        """Say which image the work is about, so that whoever recovers leaves both alone, or neither."""
        self._rows.name_image(tx, task_id, image_id)

    def unfinished(self) -> list[TaskRecord]:
        return self._rows.unfinished()

    def check_held(self, tx: Tx, task_id: str, held_by: str | None) -> None:
        """Raise `Gone` if the work is no longer this one's: another node has taken over, and may be at it itself."""
        if not self._rows.is_held(tx, task_id, held_by):
            raise Gone("The node was away for too long: what it was at was given up, or is done by another.")

    def take_over(self, tx: Tx, task: TaskRecord) -> bool:
        """Do the work of a task whose node is gone; False if another node was faster."""
        return self._rows.take_over(tx, task, self._db.holder)

    def _expiry(self) -> Micros:
        return self._clock() + self._settings.task_time_to_live * _HOUR


def _is_own(caller: Caller, task: TaskRecord) -> bool:
    return task.owner is not None and task.owner == caller.project_id


def _shown(caller: Caller, task: TaskRecord) -> TaskRecord:
    """The task; for all but the user who began it, without what opens the addresses in its input."""
    if task.user_id == caller.user_id:
        return task
    return replace(task, input=_opened_by_nobody(task.input))


def _opened_by_nobody(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _opened_by_nobody(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_opened_by_nobody(part) for part in value]
    if isinstance(value, str) and "://" in value:
        return without_secrets(value)
    return value


def _one_of(value: str, known: tuple[str, ...], what: str) -> str:
    if value not in known:
        raise Invalid(f"Invalid {what}: {value}")
    return value


def _filters(parameters: Mapping[str, str]) -> dict[str, str]:
    filters = {name: parameters[name] for name in ("type", "status", "owner") if parameters.get(name)}
    if "status" in filters:
        _one_of(filters["status"], STATUSES, "status value")
    if "type" in filters:
        _one_of(filters["type"], ("import",), "type value")
    return filters


_MINUTE = 60 * 1_000_000
_LOCK_LIFE = {"pending": 120 * _MINUTE}
_USUAL_LOCK_LIFE = 60 * _MINUTE


class ImportLock:
    """The lock on an image, held by a task; its value is the id of the task."""

    def __init__(self, context: ImageContext, tasks: Tasks) -> None:
        self._db = context.db
        self._rows = context.rows
        self._tasks = tasks
        self._clock = context.clock

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
