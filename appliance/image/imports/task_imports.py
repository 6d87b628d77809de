"""Imports as tasks of their own: `POST /v2/tasks`, the older way, which makes the image as well."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.image.tasks import TaskRecord
from appliance.errors import ApplianceError, Invalid
from appliance.image.imports.run import ImportJob
from appliance.image.rules import IMPORT_LOCK
from appliance.image.service import Images
from appliance.values import Caller

log = logging.getLogger(__name__)


class TaskImports:
    """Makes an image and fills it from the web, all in one task. For admins."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self._db = images.context.db
        self._rows = images.context.rows
        self._policies = images.policies
        self._tasks = images.tasks

    def begin(self, caller: Caller, body: Mapping[str, Any], request_id: str) -> TaskRecord:
        """Check a task's body and set it going."""
        self._policies.enforce_service(caller, "tasks_api_access")
        given = _input(body)
        self._images.fetcher.check(given["import_from"])
        task = self._db.transact(lambda tx: self._tasks.add(tx, caller, "import", given, request_id=request_id))
        self._images.queue.submit(caller.project_id, lambda: self._run(caller, task, given))
        return task

    def _run(self, caller: Caller, task: TaskRecord, given: Mapping[str, Any]) -> None:
        task_id, store = task.id, self._images.stores.default.id
        try:
            image = self._images.create(caller, given["image_properties"])

            def change(tx: Tx) -> None:
                self._rows.change(tx, image.id, ("queued",), {"status": "importing"})
                self._rows.claim_property(tx, image.id, IMPORT_LOCK, task_id)
                self._tasks.name_image(tx, task_id, image.id)

            self._db.transact(change)
        except ApplianceError as error:
            self._db.transact(partial(self._tasks.fail, task_id=task_id, message=str(error)))
            return
        job = ImportJob(caller, image.id, task_id, "web-download", given["import_from"], (store,), True)
        job.held_by = task.held_by
        self._images.run_import(job)
        made = self._rows.get(image.id)
        if made is not None and made.status == "queued":
            # Nobody has asked for this image by its id: it goes with the task that made it.
            try:
                self._images.delete(caller, image.id)
            except ApplianceError as error:
                log.warning("image %s of the failed task %s stays: %s", image.id, task_id, error)


def _input(body: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("type", "input"):
        if name not in body:
            raise Invalid(f"Task '{name}' is required")
    if body["type"] != "import":
        raise Invalid(f"A task of type {body['type']} can't be made by hand.")
    given = body["input"]
    if not isinstance(given, dict):
        raise Invalid("A task's input is a JSON object.")
    for name in ("import_from", "import_from_format"):
        if not isinstance(given.get(name), str):
            raise Invalid(f"Input does not contain '{name}' field")
    if not isinstance(given.get("image_properties"), dict):
        raise Invalid("Input does not contain 'image_properties' field")
    if not given["import_from"].strip().lower().startswith(("http://", "https://")):
        raise Invalid("Only http and https sources can be imported from.")
    return given
