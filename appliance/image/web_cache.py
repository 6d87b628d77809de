"""The image cache on the way of a download: what lies at a URL is read from its file, or kept in one as it goes by."""

import logging
import threading

from appliance.blobs.durable import DurableFile
from appliance.db.database import Database, IntegrityError
from appliance.db.image_cache import CacheRows
from appliance.db.images import ImageRecord
from appliance.errors import ApplianceError
from appliance.image.cache_files import CacheFiles, Kept
from appliance.settings import Settings
from appliance.values import Clock, Content

log = logging.getLogger(__name__)


class WebCache:
    """Knows files and entries, and nothing of who may read: that has been asked before."""

    def __init__(self, db: Database, files: CacheFiles, settings: Settings, clock: Clock) -> None:
        self._db = db
        self._rows = CacheRows(db)
        self._files = files
        self._most = settings.image_cache_max_size
        self._clock = clock
        # Images that are being written: once at a time is enough.
        self._writing: set[str] = set()
        self._lock = threading.Lock()

    def open(self, image: ImageRecord, start: int, length: int) -> Content | None:
        """A part of an image from its file; None if there is none."""
        content = self._files.open(image, start, length)
        if content is not None:
            with self._db.write() as tx:
                self._rows.touch(tx, image.id, self._clock())
        return content

    def keep(self, content: Content, image: ImageRecord) -> Content:
        """The whole of an image, which is written to a file on its way, if it fits and can be."""
        if content.length > self._most:
            return content
        with self._lock:
            if image.id in self._writing:
                return content
            self._writing.add(image.id)
        try:
            file = self._files.begin()
        except ApplianceError as error:
            log.warning("image %s can't be cached: %s", image.id, error)
            self._end(image.id)
            return content
        return Kept(content, file, lambda whole: self._publish(image, whole), lambda: self._end(image.id))

    def _publish(self, image: ImageRecord, file: DurableFile) -> None:
        self._files.publish(file, image.id)
        try:
            with self._db.write() as tx:
                self._rows.add_found(tx, image.id, image.size or 0, self._clock())
        except IntegrityError:
            # The image was deleted under the download.
            self._files.remove(image.id)

    def _end(self, image_id: str) -> None:
        with self._lock:
            self._writing.discard(image_id)
