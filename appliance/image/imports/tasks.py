"""Tasks: a record of everything that happens to images in the background, for those who ask how it went."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from appliance.db.engine.base import Database, Tx
from appliance.db.image.tasks import SORT_KEYS, TaskRecord, TaskRows
from appliance.errors import Invalid, NotFound
from appliance.image.draft import check_text
from appliance.image.listing import page_limit
from appliance.image.rules import enforce_admin
from appliance.image.web.addresses import without_secrets
from appliance.settings import Settings
from appliance.values import Caller, Clock, Micros, is_uuid, new_uuid

STATUSES = ("pending", "processing", "success", "failure")
_HOUR = 3600 * 1_000_000


class Tasks:
    """Tasks as their API shows them, and as background work moves them on."""

    def __init__(self, db: Database, settings: Settings, clock: Clock) -> None:
        self._db = db
        self._rows = TaskRows(db)
        self._settings = settings
        self._clock = clock

    # -- for the API -----------------------------------------------------------------------------------------------

    def get(self, caller: Caller, task_id: str) -> TaskRecord:
        enforce_admin(caller, "tasks_api_access")
        task = self.find(task_id)
        if task is None:
            raise NotFound(f"No task found with ID {task_id}")
        return _shown(caller, task)

    def page(self, caller: Caller, parameters: Mapping[str, str]) -> tuple[list[TaskRecord], bool]:
        """A page of tasks, and whether there may be more."""
        enforce_admin(caller, "tasks_api_access")
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
        )
        self._rows.add(tx, task)
        return task

    def start(self, tx: Tx, task_id: str) -> bool:
        """The work begins; False if the task was ended before."""
        return self._rows.change(tx, task_id, ("pending",), "processing", self._clock())

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

    def unfinished(self) -> list[TaskRecord]:
        return self._rows.unfinished()

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
