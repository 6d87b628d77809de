"""The locations API: where an image's data is, for services; and a URL in place of an upload, checked later."""

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.image.images import ImageRecord, LocationRecord
from appliance.db.image.tasks import TaskRecord
from appliance.errors import ApplianceError, Conflict, Corrupt, Forbidden, Gone, Invalid
from appliance.image.context import ImageContext, ImageFinder
from appliance.image.data import EMPTY, ImageData, gone
from appliance.image.imports.queue import ImportQueue
from appliance.image.imports.tasks import ImportLock, Tasks
from appliance.image.locations.changes import is_hexadecimal
from appliance.image.rules import IMPORT_LOCK
from appliance.image.web.content import Web
from appliance.values import MIB, Caller, new_uuid

log = logging.getLogger(__name__)

_TELL_EVERY = 2.0


@dataclass(frozen=True, slots=True)
class LocationJob:
    """A URL that an image is to lie at, and what its client says of the data."""

    image_id: str
    task_id: str
    url: str
    digests: Mapping[str, str]
    held_by: str | None
    """Who does it, where several nodes may."""


class Locations:
    """Locations by their own route. The work in the background is a task on the image."""

    def __init__(
        self,
        context: ImageContext,
        finder: ImageFinder,
        data: ImageData,
        tasks: Tasks,
        web: Web,
        queue: ImportQueue,
    ) -> None:
        self._db = context.db
        self._rows = context.rows
        self._stores = context.stores
        self._settings = context.settings
        self._policies = context.policies
        self._clock = context.clock
        self._finder = finder
        self._data = data
        self._tasks = tasks
        self._web = web
        self._queue = queue
        self._lock = ImportLock(context, tasks)

    def of(self, caller: Caller, image_id: str) -> ImageRecord:
        """The image whose locations a service may know."""
        return self._finder.permitted(caller, image_id, "fetch_image_location")

    def add(self, caller: Caller, image_id: str, body: Mapping[str, Any], request_id: str) -> None:
        """Let a queued image's data lie at a URL. Whatever fails later is told by its task."""
        url, digests = body["url"], body.get("validation_data", {})
        image = self._finder.permitted(caller, image_id, "get_image")
        if image.status != "queued":
            raise Conflict(f"It's not allowed to add locations if image status is {image.status}.")
        self._policies.enforce(caller, "add_image_location", image)
        for_service = caller.has_role("service") or "service" in caller.service_roles
        if not for_service and not (url.startswith("http") and self._stores.takes_urls):
            raise Forbidden("http store must be enabled to use location API by normal user.")
        self._check_digests(digests)
        if url.startswith("http"):
            self._web.check(url)
        self._lock.check(image)
        job = LocationJob(image.id, new_uuid(), url, digests, self._db.holder)
        given = {"image_id": image.id, "loc_url": url, "validation_data": dict(digests)}

        def change(tx: Tx) -> None:
            if not self._rows.change(tx, image.id, ("queued",), {"updated_at": self._clock()}):
                raise Conflict(f"Image {image.id} was changed meanwhile.")
            self._lock.take(tx, image.id, job.task_id)
            self._tasks.add(
                tx, caller, "location_import", given, image_id=image.id, request_id=request_id, task_id=job.task_id
            )

        self._db.transact(change)
        self._submit(job, caller.project_id)

    def _check_digests(self, digests: Mapping[str, str]) -> None:
        value = digests.get("os_hash_value")
        if value is None:
            return
        algorithm = digests.get("os_hash_algo", self._settings.hashing_algorithm)
        wanted = hashlib.new(algorithm, usedforsecurity=False).digest_size
        if not is_hexadecimal(value, wanted):
            raise Invalid(f"os_hash_value: ({value}) is not a hexadecimal value of the {wanted} bytes of {algorithm}")

    # -- in the background -----------------------------------------------------------------------------------------

    def resume(self, tasks: Iterable[TaskRecord]) -> None:
        """Go on with what a restart has interrupted; the tasks are those that `deletion.recover` has left."""
        for task in tasks:
            given = task.input or {}
            job = LocationJob(given["image_id"], task.id, given["loc_url"], given["validation_data"], self._db.holder)
            log.info("the location of image %s is looked at again after a restart", job.image_id)
            self._submit(job, task.owner)

    def _submit(self, job: LocationJob, owner: str | None) -> None:
        self._queue.submit(owner, lambda: self._run(job))

    def _run(self, job: LocationJob) -> None:
        try:
            if not self._db.transact(lambda tx: self._tasks.start(tx, job.task_id)):
                return
            message = self._do(job)
        except Exception as error:
            if self._queue.stopping.is_set():
                # The next start goes on with it.
                return
            if not isinstance(error, ApplianceError):
                log.exception("the location of image %s could not be added", job.image_id)
            self._end(job, str(error) if isinstance(error, ApplianceError) else "an unexpected error")
            return
        self._end(job, None, message)

    def _do(self, job: LocationJob) -> str:
        """Give the image its location and look at the data, as far as that was not done before a restart."""
        image = self._image(job)
        if image.status == "queued":
            self._place(job, image)
            image = self._image(job)
        if image.os_hash_value or not self._settings.do_secure_hash:
            return ""
        algorithm = image.os_hash_algo or self._settings.hashing_algorithm
        if image.status == "importing":
            self._verify(job, algorithm)
            return ""
        try:
            self._store_digests(job, self._digests(job, algorithm), ("active", "deactivated"), {})
        except Gone:
            raise
        except (ApplianceError, OSError) as error:
            if self._queue.stopping.is_set():
                raise
            # The location was good when it was added, and is there to stay; only its digest is not known.
            log.warning("the data of image %s could not be hashed: %s", job.image_id, error)
            return f"Hash calculation failed: {error}"
        return ""

    def _image(self, job: LocationJob) -> ImageRecord:
        """The image, unless it is gone or has got its data from elsewhere."""
        image = self._rows.get(job.image_id)
        if image is None or (image.status != "queued" and not any(at.url == job.url for at in image.locations)):
            raise gone(job.image_id)
        return image

    def _place(self, job: LocationJob, image: ImageRecord) -> None:
        """The image is there now: active, or importing until what its client says of the data is found to be true."""
        size = self._web.size(job.url)
        self._data.limits(image, None).check(size)
        if self._settings.do_secure_hash:
            algorithm = job.digests.get("os_hash_algo", self._settings.hashing_algorithm)
            values = {"status": "importing" if job.digests else "active", "os_hash_algo": algorithm}
        else:
            values = {"status": "active", **job.digests}

        def change(tx: Tx) -> None:
            self._tasks.check_held(tx, job.task_id, job.held_by)
            changes = {"size": size, "updated_at": self._clock(), **values}
            if not self._rows.change(tx, job.image_id, ("queued",), changes):
                raise gone(job.image_id)
            self._rows.clear_locations(tx, job.image_id)
            self._rows.add_location(tx, job.image_id, LocationRecord(self._stores.for_urls, url=job.url))

        self._db.transact(change)

    def _verify(self, job: LocationJob, algorithm: str) -> None:
        found = self._digests(job, algorithm)
        expected = job.digests["os_hash_value"].lower()
        if found["os_hash_value"] != expected:
            raise Corrupt(
                f"os_hash_value: ({expected}) not matched with actual os_hash_value: ({found['os_hash_value']})"
            )
        self._store_digests(job, found, ("importing",), {"status": "active"})

    def _store_digests(
        self, job: LocationJob, found: Mapping[str, str], states: tuple[str, ...], values: Mapping[str, str]
    ) -> None:
        def change(tx: Tx) -> None:
            self._tasks.check_held(tx, job.task_id, job.held_by)
            if not self._rows.change(tx, job.image_id, states, {**found, **values, "updated_at": self._clock()}):
                raise gone(job.image_id)

        self._db.transact(change)

    def _digests(self, job: LocationJob, algorithm: str) -> dict[str, str]:
        """Read all of it. Gives up as soon as the image is deleted, or the service stops."""
        image = self._rows.get(job.image_id)
        if image is None or image.size is None:
            raise gone(job.image_id)
        checksum, value = hashlib.md5(usedforsecurity=False), hashlib.new(algorithm, usedforsecurity=False)
        looked = time.monotonic()
        done = 0
        content = self._web.fetch(job.url, image, image.size)
        try:
            while part := content.read(MIB):
                checksum.update(part)
                value.update(part)
                done += len(part)
                self._queue.check()
                if time.monotonic() - looked >= _TELL_EVERY:
                    looked = time.monotonic()
                    if self._rows.get(job.image_id) is None:
                        raise gone(job.image_id)
                    self._tasks.tell(job.task_id, f"Hashed {done // MIB} MiB")
        finally:
            content.close()
        return {"os_hash_value": value.hexdigest(), "checksum": checksum.hexdigest()}

    def _end(self, job: LocationJob, trouble: str | None, message: str = "") -> None:
        try:

            def change(tx: Tx) -> None:
                self._tasks.check_held(tx, job.task_id, job.held_by)
                if trouble is not None:
                    # The location stays in sight, as it does in the original, but a queued image has no data.
                    self._rows.change(tx, job.image_id, ("importing",), EMPTY | {"updated_at": self._clock()})
                    self._tasks.fail(tx, job.task_id, trouble)
                else:
                    self._tasks.succeed(tx, job.task_id, {"image_id": job.image_id}, message)
                if self._rows.exists_in(tx, job.image_id):
                    self._rows.release_property(tx, job.image_id, IMPORT_LOCK, job.task_id)

            self._db.transact(change, frees=True)
        except ApplianceError as error:
            # The next start puts it right.
            log.error("the task %s could not be ended: %s", job.task_id, error)
