"""The image cache, as admins see and steer it.

What is at a URL is kept in a file, and read from it. What is in one of our own stores is as near as a cache could
bring it: its entry says that it is at hand, and takes no room. A node has the name that the settings give it; without
one, each address under which the service is reached counts as a node with a list of its own, and files are shared.
"""

import logging
from functools import partial

from appliance.db.image.cache import CacheRecord, CacheRows
from appliance.db.image.images import ImageRecord
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound, StorageFault
from appliance.image.cache.files import CacheFiles
from appliance.image.context import ImageContext, ImageFinder
from appliance.image.downloads import Data, Downloads, stored_data
from appliance.image.imports.queue import ImportQueue
from appliance.image.rules import not_found
from appliance.values import MIB, Caller

log = logging.getLogger(__name__)

TARGETS = {"": ("cached", "queued"), "cache": ("cached",), "queue": ("queued",)}


class ImageCache:
    """Entries by node. Every call is for admins, and there is nothing of it without a directory."""

    def __init__(
        self,
        context: ImageContext,
        finder: ImageFinder,
        downloads: Downloads,
        files: CacheFiles | None,
        queue: ImportQueue,
    ) -> None:
        self._db = context.db
        self._rows = CacheRows(context.db)
        self._images = context.rows
        self._settings = context.settings
        self._policies = context.policies
        self._clock = context.clock
        self._finder = finder
        self._downloads = downloads
        self._files = files
        self._queue = queue

    # -- for the API -------------------------------------------------------------------------------------------------

    def entries(self, caller: Caller, node: str, operation: str = "cache_list") -> list[CacheRecord]:
        """What a node has."""
        self._enforce(caller, operation)
        return self._rows.of_node(node, "cached")

    def waiting(self, caller: Caller, node: str, operation: str = "cache_list") -> list[str]:
        """The images that a node is to fetch."""
        self._enforce(caller, operation)
        return [entry.image_id for entry in self._rows.of_node(node, "queued")]

    def queue(self, caller: Caller, node: str, image_id: str) -> None:
        """Have an active image fetched now."""
        self._enforce(caller, "cache_image", self._finder.look_up(caller, image_id))
        self._enqueue(caller, node, image_id)
        self._queue.submit(None, lambda: self.fetch(node, image_id))

    def queue_old(self, caller: Caller, node: str, image_id: str) -> None:
        """Have an active image fetched when the job comes by."""
        self._enforce(caller, "manage_image_cache")
        self._enqueue(caller, node, image_id)

    def _enqueue(self, caller: Caller, node: str, image_id: str) -> None:
        if self._finder.look_up(caller, image_id).status != "active":
            raise Invalid("Only images with status active can be targeted for queueing")
        self._db.transact(lambda tx: self._rows.enqueue(tx, node, image_id, self._clock()))

    def remove(self, caller: Caller, node: str, image_id: str) -> None:
        """Forget an image, cached or queued."""
        known = any(entry.node in (node, "") for entry in self._rows.of_image(image_id))
        self._enforce(caller, "cache_delete", None if known else self._finder.look_up(caller, image_id))
        self._db.transact(lambda tx: self._rows.remove(tx, node, image_id))
        self._drop_unused(image_id)

    def remove_old(self, caller: Caller, node: str, image_id: str, state: str) -> None:
        """Forget an image in one state; there need not be any."""
        self._enforce(caller, "manage_image_cache")
        entries = self._rows.of_image(image_id)
        if any(entry.node in (node, "") and entry.state == state for entry in entries):
            self.remove(caller, node, image_id)

    def clear(self, caller: Caller, node: str, target: str, operation: str = "cache_delete") -> int:
        """Forget all of a node's entries, or its cached or queued ones; how many there were."""
        self._enforce(caller, operation)
        if target not in TARGETS:
            raise Invalid("If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.")
        gone = self._db.transact(
            lambda tx: [image_id for state in TARGETS[target] for image_id in self._rows.clear(tx, node, state)]
        )
        for image_id in gone:
            self._drop_unused(image_id)
        return len(gone)

    def nodes(self, caller: Caller, node: str, image_id: str) -> list[str]:
        """The addresses whose list has the image."""
        self._enforce(caller, "list_cached_nodes")
        if self._settings.image_cache_driver != "centralized_db":
            raise Conflict("Centralized caching is not enabled")
        self._finder.look_up(caller, image_id)
        cached = [entry.node or node for entry in self._rows.of_image(image_id) if entry.state == "cached"]
        return list(dict.fromkeys(cached))

    def prune(self, caller: Caller) -> tuple[int, int]:
        """Make the files fit into the cache's size."""
        self._enforce(caller, "cache_prune")
        return self._prune()

    def clean(self, caller: Caller) -> None:
        """Remove files that nobody finished, and those that no entry is for."""
        self._enforce(caller, "cache_clean")
        self._clean(self._settings.image_cache_stall_time)

    def _enforce(self, caller: Caller, operation: str, image: ImageRecord | None = None) -> None:
        self._policies.enforce_service(caller, operation, image)
        if self._files is None:
            raise NotFound("Caching via API is not supported at this site.")

    # -- in the background -------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Nobody is at work yet: what is half written is of no use."""
        if self._files is not None:
            self._files.prepare()
            self._clean(0)
            for image_id in self._rows.by_access():
                image = self._images.get(image_id)
                if image is None or not (_is_near(image) or self._files.size(image_id) == image.size):
                    self.forget(image_id)

    def step(self) -> bool:
        """One step of the job: fetch something that waits, or else keep the cache in order."""
        if self._files is None:
            return False
        waiting = self._rows.queued()
        for entry in waiting[:1]:
            self.fetch(entry.node, entry.image_id)
        if len(waiting) <= 1:
            self._clean(self._settings.image_cache_stall_time)
            self._prune()
        return len(waiting) > 1

    def fetch(self, node: str, image_id: str) -> None:
        """Have an image at hand that waits for it. Never raises; what can't be had leaves the queue."""
        if not any((entry.node, entry.state) == (node, "queued") for entry in self._rows.of_image(image_id)):
            return
        image = self._images.get(image_id)
        try:
            if image is None or image.status != "active":
                raise not_found(image_id)
            self._bring(image)
            self._db.transact(lambda tx: self._rows.settle(tx, node, image_id, image.size or 0, self._clock()))
        except (ApplianceError, OSError) as error:
            log.warning("image %s could not be cached: %s", image_id, error)
            self._db.transact(lambda tx: self._rows.remove(tx, node, image_id))
        self._drop_unused(image_id)

    def _bring(self, image: ImageRecord) -> None:
        if _is_near(image):
            return
        if (image.size or 0) > self._settings.image_cache_max_size:
            raise StorageFault("it is larger than the whole cache")
        download = stored_data(image)
        if download.state is not Data.READY:
            return
        content = self._downloads.open(download, background=True)
        try:
            while content.read(MIB):
                pass
        finally:
            content.close()
        if self._files is not None and self._files.size(image.id) != image.size:
            raise StorageFault("it could not be kept")

    def forget(self, image_id: str) -> None:
        """The image is deleted."""
        if self._files is not None:
            self._db.transact(lambda tx: self._rows.remove_image(tx, image_id))
            self._files.remove(image_id)

    def _drop_unused(self, image_id: str) -> None:
        if self._files is not None and not self._rows.of_image(image_id):
            self._files.remove(image_id)

    def _clean(self, stalled: int) -> None:
        assert self._files is not None
        self._files.drop_stalled(stalled)
        for image_id in self._files.names():
            self._drop_unused(image_id)

    def _prune(self) -> tuple[int, int]:
        assert self._files is not None
        sizes = {image_id: size for image_id in self._files.names() if (size := self._files.size(image_id)) is not None}
        over = sum(sizes.values()) - self._settings.image_cache_max_size
        files = freed = 0
        for image_id in self._rows.by_access():
            if freed >= over:
                break
            if image_id in sizes:
                self._db.transact(partial(self._rows.remove_image, image_id=image_id))
                self._files.remove(image_id)
                files, freed = files + 1, freed + sizes[image_id]
        return files, freed


def _is_near(image: ImageRecord) -> bool:
    """Whether one of our own stores has the data."""
    return any(location.content_id is not None for location in image.locations)
