"""One import, from its first byte to its last row, on a thread in the background."""

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from appliance.blobs.index import ContentRow, Sealed
from appliance.db.engine.base import Tx
from appliance.db.image.images import ImageRecord, ImageRows, LocationRecord
from appliance.errors import ApplianceError, Conflict, Corrupt, Gone, Unavailable
from appliance.image.context import ImageContext
from appliance.image.conversion import Workspace
from appliance.image.data import EMPTY, ImageData, check_formats, gone, label, release
from appliance.image.imports.plugins import Plugins
from appliance.image.imports.queue import ImportQueue
from appliance.image.imports.sources import Offer, SourceFinder
from appliance.image.imports.tasks import Tasks, mark_done
from appliance.image.ingest import ingest
from appliance.image.rules import IMPORT_LOCK
from appliance.image.stores import Stores
from appliance.image.web.source import Fetcher
from appliance.values import MIB, Caller, Micros

log = logging.getLogger(__name__)

_TELL_EVERY = 2.0


@dataclass(slots=True)
class ImportJob:
    """What one import has to do, and how far it has come."""

    caller: Caller
    image_id: str
    task_id: str
    method: str
    address: str
    stores: tuple[str, ...]
    all_must_succeed: bool
    filled: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    held_by: str | None = None
    """Who does it, where several nodes may."""
    over: bool = False
    """Whether nothing more is to be filled."""

    @property
    def is_copy(self) -> bool:
        """Whether the image is active all the time, and only gets another location."""
        return self.method == "copy-image"


class ImportRun:
    """Does imports. Each call is one; it never raises."""

    def __init__(
        self, context: ImageContext, data: ImageData, tasks: Tasks, fetcher: Fetcher, queue: ImportQueue
    ) -> None:
        self._db = context.db
        self._rows = context.rows
        self._stores = context.stores
        self._settings = context.settings
        self._clock = context.clock
        self._data = data
        self._tasks = tasks
        self.fetcher = fetcher
        self._sources = SourceFinder(context.stores, fetcher)
        self._queue = queue
        self.workspace = Workspace(context.settings)
        self._plugins = Plugins(context.settings, self.workspace, queue.check)

    def submit(self, job: ImportJob) -> None:
        """Do it in the background."""
        job.held_by = self._db.holder
        self._queue.submit(job.caller.project_id, lambda: self(job))

    def __call__(self, job: ImportJob) -> None:
        """Fill the image's stores, and tell the task how it went."""
        try:
            if not self._db.transact(lambda tx: self._tasks.start(tx, job.task_id)):
                return
            self._fill_all(job)
        except Exception as error:
            log.exception("import of image %s broke off", job.image_id)
            job.trouble.append(str(error) if isinstance(error, ApplianceError) else "an unexpected error")
        self._end(job)

    def _fill_all(self, job: ImportJob) -> None:
        """The first store that takes the bytes gets them from outside, the others from it, maybe several at a time."""
        waiting = deque(job.stores)
        at_once = 1 if job.is_copy else self._settings.max_parallel_stores
        while waiting and (at_once <= 1 or not job.filled):
            self._try(job, waiting.popleft())
        if waiting:
            with ThreadPoolExecutor(min(at_once, len(waiting)), "import-store") as pool:
                for ended in [pool.submit(self._try, job, store_id) for store_id in waiting]:
                    ended.result()

    def _try(self, job: ImportJob, store_id: str) -> None:
        """Fill one store, unless the import has failed as a whole."""
        if job.over:
            return
        try:
            self._fill(job, store_id)
            job.filled.append(store_id)
        except (ApplianceError, OSError) as error:
            log.warning("import of image %s into store %s failed: %s", job.image_id, store_id, error)
            job.trouble.append(str(error))
            if job.all_must_succeed or isinstance(error, Gone) or self._queue.stopping.is_set():
                job.over = True
                return
            self._give_up(job, store_id)

    def _give_up(self, job: ImportJob, store_id: str) -> None:
        failed = (store_id,)
        self._db.transact(lambda tx: mark_done(tx, self._rows, job.image_id, failed, failed=failed), frees=True)

    # -- one store ---------------------------------------------------------------------------------------------------

    def _fill(self, job: ImportJob, store_id: str) -> None:
        image = self._image(job.image_id)
        with self._offer(job, image) as offer:
            if offer.changes is not None:
                image = self._adopt(image, offer.changes)
            check_formats(image)
            if image.locations or job.is_copy:
                self._copy(job, image, store_id, offer)
            else:
                self._fill_first(job, image, store_id, offer)

    def _fill_first(self, job: ImportJob, image: ImageRecord, store_id: str, offer: Offer) -> None:
        """The first store gets the bytes as the plugins make them of what is offered."""
        with self._plugins.applied(offer, image.disk_format, self._data.limits(image, None)) as (made, disk_format):
            columns = {"disk_format": disk_format} if disk_format != image.disk_format else {}
            properties = self._plugins.injected(job.caller)
            if columns or properties:
                image = self._adopt(image, (columns, properties))
            if made.content is not None and made.content == (store_id, image.staged_content):
                self._move_staged(job, image, store_id, made)
            else:
                self._copy(job, image, store_id, made)

    def _offer(self, job: ImportJob, image: ImageRecord) -> AbstractContextManager[Offer]:
        # Once one store has the bytes, the others get theirs from it.
        if image.locations or job.is_copy:
            return self._sources.stored(image)
        if job.method == "glance-direct":
            return self._sources.staged(image)
        if job.method == "web-download":
            return self._sources.web(job.address)
        if job.method == "glance-download":
            return self._sources.other_glance(job.address, job.caller.token)
        raise Conflict(f"Nothing is known of the import method {job.method}.")

    def _copy(self, job: ImportJob, image: ImageRecord, store_id: str, offer: Offer) -> None:
        store = self._stores.find(store_id)
        if store is None:
            raise Unavailable(f"Store {store_id} is not configured any more.")
        limits = self._data.limits(image, offer.size)
        limits.check_declared(store)
        again = bool(image.locations)
        with ingest(
            store,
            offer.source,
            limits,
            hash_algorithm=(image.os_hash_algo if again else None) or self._settings.hashing_algorithm,
            inspection=None if again else self._data.inspection(image),
            label=label(image),
            verifier=None if again else self._data.verifier(image),
            progress=self._progress(job),
            scope=self._data.scope(image),
        ) as taken:
            if again and image.os_hash_value and taken.sealed.hash_value != image.os_hash_value:
                raise Corrupt(f"The bytes read for image {image.id} are not those that were stored.")

            def change(tx: Tx) -> None:
                content_id = store.writer.index.commit(tx, taken.sealed)
                facts = {} if again else _facts(taken.sealed, taken.virtual_size)
                self._settle(tx, job, LocationRecord(store_id, content_id), facts)

            self._db.transact(change)

    def _move_staged(self, job: ImportJob, image: ImageRecord, store_id: str, offer: Offer) -> None:
        """Staged bytes in the right store stay where they are: they are only inspected, and named anew."""
        inspection = self._data.inspection(image)
        verifier = self._data.verifier(image)
        watching = [watcher for watcher in (inspection, verifier) if watcher is not None]
        while watching and (chunk := offer.source.read(MIB)):
            for watcher in watching:
                watcher.write(chunk)
            self._queue.check()
        virtual_size = inspection.verdict() if inspection is not None else None
        if verifier is not None:
            verifier.verify()
        store = self._stores.find(store_id)
        assert store is not None and offer.content is not None
        content = store.writer.content(offer.content[1])
        self._data.limits(image, None).check(content.size)

        def change(tx: Tx) -> None:
            facts = _facts(content, virtual_size) | {"staged_store": None, "staged_content": None}
            self._settle(tx, job, LocationRecord(store_id, content.id), facts)

        self._db.transact(change)

    def _settle(self, tx: Tx, job: ImportJob, location: LocationRecord, facts: dict[str, Any]) -> None:
        """One store has the bytes: say so, in the transaction that commits them."""
        self._tasks.check_held(tx, job.task_id, job.held_by)
        values = facts | {"updated_at": self._clock()}
        filled = {place.store for place in self._rows.locations_in(tx, job.image_id)} | {location.store}
        make_active = not job.all_must_succeed or filled.issuperset(job.stores)
        importing = values | ({"status": "active"} if make_active else {})
        changed = not job.is_copy and self._rows.change(tx, job.image_id, ("importing",), importing)
        if not changed and not self._rows.change(tx, job.image_id, ("active", "deactivated"), values):
            raise gone(job.image_id)
        self._rows.add_location(tx, job.image_id, location)
        mark_done(tx, self._rows, job.image_id, (location.store or "",))

    def _adopt(self, image: ImageRecord, changes: tuple[dict[str, Any], dict[str, str | None]]) -> ImageRecord:
        """Take over what another Glance, or the operator, says of the image."""
        columns, properties = changes

        def change(tx: Tx) -> None:
            if not self._rows.change(tx, image.id, ("importing",), columns):
                raise gone(image.id)
            self._rows.put_properties(tx, image.id, properties)

        self._db.transact(change)
        return self._image(image.id)

    def _image(self, image_id: str) -> ImageRecord:
        image = self._rows.get(image_id)
        if image is None:
            raise gone(image_id)
        return image

    def _progress(self, job: ImportJob) -> Callable[[int], None]:
        told = 0.0

        def progress(size: int) -> None:
            nonlocal told
            self._queue.check()
            if time.monotonic() - told >= _TELL_EVERY:
                told = time.monotonic()
                self._tasks.tell(job.task_id, f"Copied {size // MIB} MiB")

        return progress

    # -- the end -----------------------------------------------------------------------------------------------------

    def _end(self, job: ImportJob) -> None:
        failed = bool(job.trouble) and (job.all_must_succeed or not job.filled)
        try:

            def change(tx: Tx) -> None:
                self._tasks.check_held(tx, job.task_id, job.held_by)
                if failed:
                    revert(
                        tx, self._rows, self._stores, job.image_id, job.filled if job.is_copy else None, self._clock()
                    )
                self._drop_staged(tx, job.image_id)
                if self._rows.exists_in(tx, job.image_id):
                    mark_done(tx, self._rows, job.image_id, job.stores, failed=job.stores if failed else ())
                    self._rows.release_property(tx, job.image_id, IMPORT_LOCK, job.task_id)
                if failed:
                    self._tasks.fail(tx, job.task_id, "; ".join(job.trouble))
                else:
                    self._tasks.succeed(tx, job.task_id, {"image_id": job.image_id})

            self._db.transact(change, frees=True)
        except ApplianceError as error:
            # The next start puts it right.
            log.error("import of image %s could not be ended: %s", job.image_id, error)

    def _drop_staged(self, tx: Tx, image_id: str) -> None:
        staged = self._rows.take_staged(tx, image_id)
        if staged is not None:
            release(tx, self._stores, [staged])


def revert(tx: Tx, rows: ImageRows, stores: Stores, image_id: str, only_stores: list[str] | None, at: Micros) -> None:
    """Undo what an import has stored: in some stores of an active image, or all of an importing one."""
    if only_stores is None and not rows.change(tx, image_id, ("importing",), EMPTY | {"updated_at": at}):
        return
    for location in rows.locations_in(tx, image_id):
        if only_stores is None or location.store in only_stores:
            assert location.id is not None
            rows.remove_location(tx, location.id)
            release(tx, stores, [(location.store, location.content_id)])


def _facts(stored: Sealed | ContentRow, virtual_size: int | None) -> dict[str, Any]:
    return {
        "size": stored.size,
        "virtual_size": virtual_size,
        "checksum": stored.md5,
        "os_hash_algo": stored.hash_algorithm,
        "os_hash_value": stored.hash_value,
    }
