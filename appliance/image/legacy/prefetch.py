"""Data for images as Image API v1 has it: what fails kills the image, and a copy from the web goes on by itself."""

import logging

from appliance.db.engine.base import Tx
from appliance.db.image.images import ImageRecord, LocationRecord
from appliance.errors import ApplianceError, Conflict, Forbidden, NotFound
from appliance.image.data import check_formats
from appliance.image.downloads import stored_data
from appliance.image.imports.queue import ImportQueue
from appliance.image.ingest import Inspection
from appliance.image.service import Images
from appliance.values import MIB, Caller, Source

log = logging.getLogger(__name__)

_STANDING = (NotFound, Forbidden, Conflict)
"""What says no before a byte was read: the image has nothing to do with it, and lives."""


class Filling:
    """Gives images their data."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self._db = images.context.db
        self._rows = images.context.rows
        self._settings = images.context.settings
        self._clock = images.context.clock

    def upload(
        self,
        caller: Caller,
        image_id: str,
        source: Source,
        *,
        size: int | None,
        checksum: str | None,
        store_id: str | None,
    ) -> None:
        """Store the data and make the image active. If that fails, the image is `killed`."""
        try:
            self._images.data.upload(caller, image_id, source, declared_size=size, store_id=store_id, checksum=checksum)
        except BaseException as error:
            if not isinstance(error, _STANDING):
                self.kill(image_id)
            raise

    def kill(self, image_id: str) -> None:
        """Mark an image that will never get its data. Does nothing to one that is not waiting for it any more."""
        try:

            def change(tx: Tx) -> None:
                values = {"status": "killed", "updated_at": self._clock()}
                self._rows.change(tx, image_id, ("queued",), values)

            self._db.transact(change)
        except ApplianceError as error:
            log.error("image %s could not be marked as killed: %s", image_id, error)

    def check_uri(self, uri: str) -> None:
        """Raise `Invalid` for an address that may not be copied from."""
        self._images.fetcher.check(uri)

    def begin_copy(
        self,
        caller: Caller,
        image: ImageRecord,
        uri: str,
        *,
        size: int | None,
        checksum: str | None,
        store_id: str | None,
    ) -> None:
        """Copy the data from the web when a thread is free. The image is `queued` until then, `killed` if it fails."""
        check_formats(image)
        queue = self._images.queue

        def copy() -> None:
            try:
                with self._images.fetcher.get(uri) as web:
                    source = _UntilStopped(web, queue)
                    declared = size if size else web.size
                    self._images.data.upload(
                        caller, image.id, source, declared_size=declared, store_id=store_id, checksum=checksum
                    )
            except Exception as error:
                log.warning("copying image %s from the web failed: %s", image.id, error)
                # At the end of the process the copy is only put off: somebody may ask for it again.
                if not queue.stopping.is_set() and not isinstance(error, _STANDING):
                    self.kill(image.id)

        queue.submit(caller.project_id, copy)

    def register(self, caller: Caller, image: ImageRecord, url: str, size: int | None) -> None:
        """Let the data lie where it is. The image is active at once; a size that is given has to be the right one."""
        self._images.policies.enforce(caller, "set_image_location", image)
        check_formats(image)
        found = self._images.web.size_for_request(url)
        if size and size != found:
            raise Conflict(f"The data at the location has {found} bytes, and not {size}.")
        self._images.data.limits(image, None).check(found)

        def change(tx: Tx) -> None:
            values = {"status": "active", "size": found, "updated_at": self._clock()}
            if not self._rows.change(tx, image.id, ("queued",), values):
                raise Conflict(f"Image {image.id} was changed meanwhile; try again.")
            self._rows.add_location(tx, image.id, LocationRecord(None, url=url))

        self._db.transact(change)

    def activate_empty(self, image: ImageRecord) -> None:
        """An image of no bytes is active from the start."""

        def change(tx: Tx) -> None:
            values = {"status": "active", "size": 0, "updated_at": self._clock()}
            self._rows.change(tx, image.id, ("queued",), values)

        self._db.transact(change)

    def relabel(self, image: ImageRecord, formats: dict[str, str]) -> None:
        """Change the formats of an image, its data included if there is any.

        v1 allows that. Data that got in unlooked at, in another container, is inspected before it may be called bare.
        """
        changed = {name: value for name, value in formats.items() if getattr(image, name) != value}
        if not changed:
            return
        stored = any(location.content_id is not None for location in image.locations)
        if stored and "container_format" in changed:
            self._inspect(image, changed)

        def change(tx: Tx) -> None:
            values = changed | {"updated_at": self._clock()}
            if not self._rows.change(tx, image.id, (image.status,), values, revision=image.revision):
                raise Conflict(f"Image {image.id} was changed meanwhile; try again.")

        self._db.transact(change)

    def _inspect(self, image: ImageRecord, changed: dict[str, str]) -> None:
        for name, value in changed.items():
            setattr(image, name, value)
        if image.container_format != "bare":
            return
        checks = self._settings.gpt_safety_checks_nonfatal
        inspection = Inspection(image.disk_format, must_match=False, nonfatal_gpt_checks=checks)
        content = self._images.downloads.open(stored_data(image))
        try:
            while chunk := content.read(MIB):
                inspection.write(chunk)
        finally:
            content.close()
        inspection.verdict()


class _UntilStopped:
    """A source that ends with the process."""

    def __init__(self, source: Source, queue: ImportQueue) -> None:
        self._source = source
        self._queue = queue

    def read(self, size: int = -1, /) -> bytes:
        self._queue.check()
        return self._source.read(size)
