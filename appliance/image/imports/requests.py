"""Interoperable import: what may be asked for, in which state, and the lock that lets one work on an image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.image.images import ImageRecord
from appliance.errors import Conflict, Invalid
from appliance.image.context import ImageContext, ImageFinder
from appliance.image.imports.run import ImportJob, ImportRun
from appliance.image.imports.tasks import ImportLock, Tasks, mark_pending
from appliance.image.quotas import Quota, Quotas
from appliance.settings import Settings
from appliance.values import Caller, is_uuid, new_uuid

FindImageService = Callable[[Caller, str, str], str | None]
"""Region and interface in, address of the image service there out, None if the catalog has none."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What the body of an import says."""

    method: str
    details: Mapping[str, Any]
    stores: tuple[str, ...] | None
    all_stores: bool
    all_must_succeed: bool


def read_request(body: Mapping[str, Any], store_header: str | None, settings: Settings) -> ImportRequest:
    """Check the form of an import's body. Raises `Invalid`."""
    method = body.get("method")
    if not isinstance(method, dict):
        raise Invalid("Import request requires a 'method' field.")
    name = method.get("name")
    if not isinstance(name, str):
        raise Invalid("Import request requires a 'name' field.")
    if name not in settings.enabled_import_methods:
        raise Invalid(f"Unknown import method name '{name}'.")
    for flag in ("all_stores", "all_stores_must_succeed"):
        if not isinstance(body.get(flag, False), bool):
            raise Invalid(f"'{flag}' must be boolean value only")
    stores = body.get("stores")
    if stores is not None and not isinstance(stores, list):
        raise Invalid("'stores' must be a list of store identifiers")
    all_stores = body.get("all_stores", False)
    if all_stores and (stores is not None or store_header):
        raise Invalid("All_stores parameter can't be used with x-image-meta-store header or stores parameter")
    if stores is not None and store_header:
        raise Invalid("Stores parameter and x-image-meta-store header can't be both specified")
    if store_header:
        stores = [store_header]
    chosen = tuple(dict.fromkeys(str(store) for store in stores)) if stores is not None else None
    return ImportRequest(name, method, chosen, all_stores, body.get("all_stores_must_succeed", True))


class Imports:
    """Begins imports; `ImportRun` does them, on the threads of a queue."""

    def __init__(
        self,
        context: ImageContext,
        finder: ImageFinder,
        tasks: Tasks,
        quotas: Quotas,
        run: ImportRun,
        find_image_service: FindImageService | None = None,
    ) -> None:
        self._db = context.db
        self._rows = context.rows
        self._stores = context.stores
        self._settings = context.settings
        self._policies = context.policies
        self._clock = context.clock
        self._finder = finder
        self._tasks = tasks
        self._lock = ImportLock(context, tasks)
        self._quotas = quotas
        self._run = run
        self._find_image_service = find_image_service

    def begin(
        self, caller: Caller, image_id: str, body: Mapping[str, Any], store_header: str | None, request_id: str
    ) -> None:
        """Check an import and set it going. Whatever fails later is told by its task."""
        asked = read_request(body, store_header, self._settings)
        image = self._finder.look_up(caller, image_id)
        quota = self._quotas.of(image.owner)
        quota.check(self._db, image_size_total=0)
        check_state(image, asked.method)
        source = self._source_address(caller, asked)
        self._policies.enforce(caller, "copy_image" if asked.method == "copy-image" else "modify_image", image)
        self._lock.check(image)
        stores = self._targets(image, asked)
        if not stores:
            return
        if asked.method == "web-download":
            self._run.fetcher.check(source)
        task_id = self._take_lock(caller, image, asked, body, stores, request_id, quota)
        job = ImportJob(caller, image.id, task_id, asked.method, source, stores, asked.all_must_succeed)
        self._run.submit(job)

    def _source_address(self, caller: Caller, asked: ImportRequest) -> str:
        if asked.method == "web-download":
            uri = asked.details.get("uri")
            if not isinstance(uri, str) or not uri:
                raise Invalid("'uri' needs to be set for web-download import method")
            return uri
        if asked.method == "glance-download":
            return self._remote_image(caller, asked.details)
        return ""

    def _remote_image(self, caller: Caller, details: Mapping[str, Any]) -> str:
        for name in ("glance_region", "glance_image_id"):
            if not isinstance(details.get(name), str):
                raise Invalid(f"'{name}' needs to be set for glance-download import method")
        if not is_uuid(details["glance_image_id"]):
            raise Invalid(f"Remote image id does not look like a UUID: {details['glance_image_id']}")
        interface = details.get("glance_service_interface", "public")
        find = self._find_image_service
        base = find(caller, details["glance_region"], interface) if find and isinstance(interface, str) else None
        # A region that is not in the catalog fails the task, not the request.
        return f"{base.rstrip('/')}/v2/images/{details['glance_image_id']}" if base else ""

    def _targets(self, image: ImageRecord, asked: ImportRequest) -> tuple[str, ...]:
        """The stores that the data goes to; none if a copy has nothing left to do."""
        if not self._stores.several:
            if not asked.all_must_succeed:
                raise Invalid("All_stores_must_succeed can only be set with several stores.")
            return (self._stores.default.id,)
        if asked.method == "copy-image" and asked.stores == ():
            return ()
        if asked.all_stores:
            wanted = tuple(store.id for store in self._stores if not store.read_only)
        else:
            wanted = asked.stores or (self._stores.default.id,)
        for store_id in wanted:
            store = self._stores.find(store_id)
            if store is None or store.read_only:
                raise Conflict(f"Unknown store identifier: {store_id}")
        if asked.method != "copy-image":
            return wanted
        present = {location.store for location in image.locations}
        if asked.all_stores:
            return tuple(store_id for store_id in wanted if store_id not in present)
        for store_id in wanted:
            if store_id in present:
                raise Invalid(f"Image is already present at store '{store_id}'")
        return wanted

    # -- the lock ------------------------------------------------------------------------------------------------------

    def _take_lock(
        self,
        caller: Caller,
        image: ImageRecord,
        asked: ImportRequest,
        body: Mapping[str, Any],
        stores: tuple[str, ...],
        request_id: str,
        quota: Quota,
    ) -> str:
        """Lock the image, note what is to come, and make the task, all at once."""
        task_id = new_uuid()
        given = {"image_id": image.id, "import_req": dict(body), "backend": list(stores)}

        def change(tx: Tx) -> None:
            values: dict[str, Any] = {"updated_at": self._clock()}
            if asked.method != "copy-image":
                values["status"] = "importing"
            if not self._rows.change(tx, image.id, (image.status,), values):
                raise Conflict(f"Image {image.id} was changed meanwhile.")
            self._lock.take(tx, image.id, task_id)
            if image.status == "queued":
                self._rows.clear_locations(tx, image.id)
            if self._stores.several:
                mark_pending(tx, self._rows, image, stores)
            # What is staged was let in when it was staged; anything else comes in now.
            if asked.method != "glance-direct":
                quota.check(tx, image_stage_total=0, image_count_uploading=0)
            self._tasks.add(
                tx,
                caller,
                "api_image_import",
                given,
                image_id=image.id,
                request_id=request_id,
                task_id=task_id,
            )

        self._db.transact(change)
        return task_id


def check_state(image: ImageRecord, method: str) -> None:
    """Raise `Conflict` if the image is not in the state that the method begins from."""
    if image.status == "active" and method != "copy-image":
        raise Conflict("Image with status active cannot be target for import")
    if image.status != "active" and method == "copy-image":
        raise Conflict("Only images with status active can be targeted for copying")
    if image.status != "queued" and method in ("web-download", "glance-download"):
        raise Conflict(f"Image needs to be in 'queued' state to use '{method}' method")
    if method == "glance-direct" and (image.status != "uploading" or image.staged_content is None):
        raise Conflict("Image needs to be staged before 'glance-direct' method can be used")
    for name in ("container_format", "disk_format"):
        if getattr(image, name) is None:
            raise Conflict(f"'{name}' needs to be set before import")
