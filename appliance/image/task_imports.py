"""The old way to import: a task of type `import`, which makes its image itself."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from appliance.db.database import Database
from appliance.db.images import ImageRecord, ImageRows
from appliance.db.tasks import TaskRecord
from appliance.errors import ApplianceError, Invalid
from appliance.image.import_run import ImportJob
from appliance.image.imports import Imports
from appliance.image.model import IMPORT_LOCK
from appliance.image.rules import enforce_admin
from appliance.image.tasks import Tasks
from appliance.image.web_source import Fetcher
from appliance.values import Caller

log = logging.getLogger(__name__)

Create = Callable[[Caller, Mapping[str, Any]], ImageRecord]
Delete = Callable[[Caller, str], None]


class TaskImports:
    """Makes an image and fills it from the web, all in one task. For admins."""

    def __init__(
        self, db: Database, tasks: Tasks, imports: Imports, fetcher: Fetcher, create: Create, delete: Delete
    ) -> None:
        self._db = db
        self._rows = ImageRows(db)
        self._tasks = tasks
        self._imports = imports
        self._create = create
        self._delete = delete
        self._fetcher = fetcher

    def begin(self, caller: Caller, body: Mapping[str, Any], request_id: str) -> TaskRecord:
        """Check a task's body and set it going."""
        enforce_admin(caller, "tasks_api_access")
        given = _input(body)
        self._fetcher.check(given["import_from"])
        with self._db.write() as tx:
            task = self._tasks.add(tx, caller, "import", given, request_id=request_id)
        self._imports.submit(lambda: self._run(caller, task.id, given), caller.project_id)
        return task

    def _run(self, caller: Caller, task_id: str, given: Mapping[str, Any]) -> None:
        try:
            image = self._create(caller, given["image_properties"])
            with self._db.write() as tx:
                self._rows.change(tx, image.id, ("queued",), {"status": "importing"})
                self._rows.claim_property(tx, image.id, IMPORT_LOCK, task_id)
        except ApplianceError as error:
            with self._db.write() as tx:
                self._tasks.fail(tx, task_id, str(error))
            return
        store = self._imports.default_store
        self._imports.run(ImportJob(caller, image.id, task_id, "web-download", given["import_from"], (store,), True))
        made = self._rows.get(image.id)
        if made is not None and made.status == "queued":
            # Nobody has asked for this image by its id: it goes with the task that made it.
            try:
                self._delete(caller, image.id)
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
