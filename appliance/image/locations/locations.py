"""The locations API: where an image's data is, for services; and a URL in place of an upload, checked later."""

import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.db.engine.base import Database, Tx
from appliance.db.image.images import ImageRecord, ImageRows, LocationRecord
from appliance.errors import ApplianceError, Conflict, Corrupt, Forbidden, Gone, Invalid
from appliance.image.data import EMPTY, ImageData, gone
from appliance.image.imports.progress import ImportLock
from appliance.image.imports.requests import Imports
from appliance.image.imports.tasks import Tasks
from appliance.image.locations.changes import LocationChanges, is_hexadecimal
from appliance.image.members import Lookup
from appliance.image.rules import IMPORT_LOCK, enforce
from appliance.image.web.content import Web
from appliance.settings import Settings
from appliance.values import MIB, Caller, Clock, new_uuid

log = logging.getLogger(__name__)

_TELL_EVERY = 2.0


@dataclass(frozen=True, slots=True)
class LocationJob:
    """A URL that an image is to lie at, and what its client says of the data."""

    image_id: str
    task_id: str
    url: str
    digests: Mapping[str, str]


class Locations:
    """Locations by their own route. The work in the background is a task on the image."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        clock: Clock,
        look_up: Lookup,
        tasks: Tasks,
        imports: Imports,
        data: ImageData,
        changes: LocationChanges,
        web: Web,
    ) -> None:
        self._db = db
        self._rows = ImageRows(db)
        self._settings = settings
        self._clock = clock
        self._look_up = look_up
        self._tasks = tasks
        self._imports = imports
        self._data = data
        self._changes = changes
        self._web = web
        self._lock = ImportLock(db, tasks, clock)

    def of(self, caller: Caller, image_id: str) -> ImageRecord:
        """The image whose locations a service may know."""
        image = self._look_up(caller, image_id)
        enforce(caller, "fetch_image_location", image)
        return image

    def add(self, caller: Caller, image_id: str, body: Mapping[str, Any], request_id: str) -> None:
        """Let a queued image's data lie at a URL. Whatever fails later is told by its task."""
        url, digests = body["url"], body.get("validation_data", {})
        image = self._look_up(caller, image_id)
        enforce(caller, "get_image", image)
        if image.status != "queued":
            raise Conflict(f"It's not allowed to add locations if image status is {image.status}.")
        enforce(caller, "add_image_location", image)
        for_service = caller.has_role("service") or "service" in caller.service_roles
        if not for_service and not (url.startswith("http") and self._changes.takes_urls):
            raise Forbidden("http store must be enabled to use location API by normal user.")
        self._check_digests(digests)
        if url.startswith("http"):
            self._web.check(url)
        self._lock.check(image)
        job = LocationJob(image.id, new_uuid(), url, digests)
        given = {"image_id": image.id, "loc_url": url, "validation_data": dict(digests)}

        def change(tx: Tx) -> None:
            if not self._rows.change(tx, image.id, ("queued",), {"updated_at": self._clock()}):
                raise Conflict(f"Image {image.id} was changed meanwhile.")
            self._lock.take(tx, image.id, job.task_id)
            self._tasks.add(
                tx, caller, "location_import", given, image_id=image.id, request_id=request_id, task_id=job.task_id
            )

        self._db.transact(change)
        self._imports.submit(lambda: self._run(job), caller.project_id)

    def _check_digests(self, digests: Mapping[str, str]) -> None:
        value = digests.get("os_hash_value")
        if value is None:
            return
        algorithm = digests.get("os_hash_algo", self._settings.hashing_algorithm)
        wanted = hashlib.new(algorithm, usedforsecurity=False).digest_size
        if not is_hexadecimal(value, wanted):
            raise Invalid(f"os_hash_value: ({value}) is not a hexadecimal value of the {wanted} bytes of {algorithm}")

    # -- in the background -----------------------------------------------------------------------------------------

    def _run(self, job: LocationJob) -> None:
        try:
            if not self._db.transact(lambda tx: self._tasks.start(tx, job.task_id)):
                return
            message = self._do(job)
        except Exception as error:
            if not isinstance(error, ApplianceError):
                log.exception("the location of image %s could not be added", job.image_id)
            self._end(job, str(error) if isinstance(error, ApplianceError) else "an unexpected error")
            return
        self._end(job, None, message)

    def _do(self, job: LocationJob) -> str:
        size = self._web.size(job.url)
        image = self._rows.get(job.image_id)
        if image is None:
            raise gone(job.image_id)
        self._data.limits(image, None).check(size)
        if not self._settings.do_secure_hash:
            self._place(job, size, dict(job.digests) | {"status": "active"})
            return ""
        algorithm = job.digests.get("os_hash_algo", self._settings.hashing_algorithm)
        status = "importing" if job.digests else "active"
        self._place(job, size, {"status": status, "os_hash_algo": algorithm})
        if job.digests:
            self._verify(job, algorithm)
            return ""
        try:
            self._store_digests(job, self._digests(job, algorithm), ("active", "deactivated"), {})
        except Gone:
            raise
        except (ApplianceError, OSError) as error:
            # The location was good when it was added, and is there to stay; only its digest is not known.
            log.warning("the data of image %s could not be hashed: %s", job.image_id, error)
            return f"Hash calculation failed: {error}"
        return ""

    def _place(self, job: LocationJob, size: int, values: dict[str, Any]) -> None:
        """The image is there now."""
        location = LocationRecord(self._changes.web_store(), url=job.url)

        def change(tx: Tx) -> None:
            changes = {"size": size, "updated_at": self._clock()} | values
            if not self._rows.change(tx, job.image_id, ("queued",), changes):
                raise gone(job.image_id)
            self._rows.clear_locations(tx, job.image_id)
            self._rows.add_location(tx, job.image_id, location)

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
                self._imports.run.check_stopping()
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
