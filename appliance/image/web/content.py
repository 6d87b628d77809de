"""Content that is read from a web server while it is asked for, and kept in the image cache."""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from appliance.blobs.durable import DurableFile
from appliance.db.engine.base import IntegrityError, Tx
from appliance.db.image.cache import CacheRows
from appliance.db.image.images import ImageRecord
from appliance.errors import ApplianceError, Corrupt, Invalid, Refusal, Unavailable
from appliance.image.cache.files import CacheFiles, Kept
from appliance.image.context import ImageContext
from appliance.image.signature import ImageDigest
from appliance.image.web.source import Fetcher, Patience, WebSource
from appliance.values import KIB, Content, Piece

log = logging.getLogger(__name__)


class WebCache:
    """Files and entries of the image cache on the way of a download. Who may read has been asked before."""

    def __init__(self, context: ImageContext, files: CacheFiles) -> None:
        self._db = context.db
        self._rows = CacheRows(context.db)
        self._files = files
        self._most = context.settings.image_cache_max_size
        self._node = context.settings.worker_self_reference_url
        self._clock = context.clock
        # Images that are being written: once at a time is enough.
        self._writing: set[str] = set()
        self._lock = threading.Lock()

    def open(self, image: ImageRecord, start: int, length: int) -> Content | None:
        """A part of an image from its file; None if there is none."""
        content = self._files.open(image, start, length)
        if content is not None:
            self._db.transact(lambda tx: self._rows.touch(tx, image.id, self._clock()))
        return content

    def note(self, image: ImageRecord, length: int) -> None:
        """Somebody reads an image that one of our own stores has: from the first whole read on it has an entry."""

        def change(tx: Tx) -> None:
            if not self._rows.touch(tx, image.id, self._clock()) and length == image.size:
                self._rows.add_found(tx, self._node, image.id, length, self._clock())

        try:
            self._db.transact(change)
        except (ApplianceError, IntegrityError) as error:
            # It was deleted meanwhile, or nothing can be written: no matter to who reads it.
            log.warning("the cache could not take note of image %s: %s", image.id, error)

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
            self._db.transact(lambda tx: self._rows.add_found(tx, self._node, image.id, image.size or 0, self._clock()))
        except IntegrityError:
            # The image was deleted under the download.
            self._files.remove(image.id)

    def _end(self, image_id: str) -> None:
        with self._lock:
            self._writing.discard(image_id)


_PIECE = 256 * KIB
# A server that is slow keeps a thread of ours waiting: more requests than this at a time are sent away.
MOST_READERS = 4
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)


class Web:
    """Opens URLs that images lie at."""

    def __init__(self, fetcher: Fetcher, cache: WebCache | None = None) -> None:
        self._cache = cache
        self._fetcher = fetcher
        patience = fetcher.patience
        # A size comes with the answer's first bytes. A download takes as long as its client takes, and outlives the
        # imports when the service ends.
        self._sizes = Fetcher(fetcher.uris, replace(patience, total=patience.stall))
        self._downloads = Fetcher(fetcher.uris, Patience(patience.stall, rate=patience.rate))
        self._readers = threading.BoundedSemaphore(MOST_READERS)

    def check(self, url: str) -> None:
        """Raise `Invalid` for a URL that no location may have."""
        if not url.startswith(("http://", "https://")):
            raise Invalid("Invalid location")
        self._fetcher.check(url)

    def size_for_request(self, url: str) -> int:
        """The same as `size`, for somebody who waits for the answer: one of a few at a time."""
        self._begin()
        try:
            return self.size(url)
        finally:
            self._readers.release()

    def _begin(self) -> None:
        if not self._readers.acquire(blocking=False):
            raise Unavailable("Too many images are being read from other servers. Try again later.")

    def size(self, url: str) -> int:
        """How large it is, by its server. Raises `Invalid` if nothing of a known size is there."""
        self.check(url)
        for method in ("HEAD", "GET"):
            try:
                with self._sizes.get(url, method=method) as source:
                    if source.size:
                        return source.size
            except Unavailable:
                continue
        raise Invalid("Invalid location")

    def open(self, url: str, image: ImageRecord, start: int, length: int, *, background: bool = False) -> Content:
        """`length` bytes from `start` on, from the cache if it has them. Raises `Unavailable` if they can't be had.

        In the background nobody waits for them, and they end with the service.
        """
        if image.size is None:
            raise Unavailable(f"Nobody knows the size of image {image.id}.")
        cached = self._cache.open(image, start, length) if self._cache else None
        if cached is not None:
            return cached
        self._begin()
        try:
            fetcher = self._fetcher if background else self._downloads
            content = self._fetch(fetcher, url, image, start, length, self._readers.release)
        except BaseException:
            self._readers.release()
            raise
        return self._cache.keep(content, image) if self._cache and length == image.size else content

    def fetch(self, url: str, image: ImageRecord, length: int) -> "WebContent":
        """For work in the background: from the URL itself, whatever is cached and however many others read."""
        return self._fetch(self._fetcher, url, image, 0, length, lambda: None)

    def _fetch(
        self, fetcher: Fetcher, url: str, image: ImageRecord, start: int, length: int, on_close: Callable[[], None]
    ) -> "WebContent":
        headers = None if length == image.size else {"Range": f"bytes={start}-{start + length - 1}"}
        try:
            source = fetcher.get(url, headers)
        except Refusal as error:
            raise Unavailable(f"The location may not be read any more: {error}") from error
        return WebContent(source, image, start, length, on_close)


class WebContent:
    """Satisfies `values.Content`. What was read whole is checked against the image's digest before its last piece."""

    def __init__(
        self, source: WebSource, image: ImageRecord, start: int, length: int, on_close: Callable[[], None]
    ) -> None:
        self.length = length
        self._source = source
        self._left = length
        self._spare: memoryview | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._digest = ImageDigest(image) if length == image.size else None
        try:
            self._skip = self._begin(image.size or 0, start)
        except BaseException:
            source.close()
            raise
        self._on_close = on_close

    def _begin(self, size: int, start: int) -> int:
        """How many bytes come before those that are wanted."""
        if self._source.content_range is None:
            if self._source.size is not None and self._source.size != size:
                raise Corrupt(f"The data at the location has {self._source.size} bytes now, and not {size}.")
            return start
        told = _RANGE.fullmatch(self._source.content_range)
        if told is None or int(told[1]) != start or (told[3] != "*" and int(told[3]) != size):
            raise Corrupt("The location's server gave another part than was asked for.")
        return 0

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        parts = []
        wanted = size if size >= 0 else self.length
        while wanted and (piece := self._spare or self._next()):
            taken, rest = piece[:wanted], piece[wanted:]
            self._spare = rest if len(rest) else None
            wanted -= len(taken)
            parts.append(taken)
        return b"".join(parts)

    def pieces(self) -> Iterator[Piece]:
        """The rest, piece by piece."""
        while piece := self._spare or self._next():
            self._spare = None
            yield piece

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._source.close()
        self._on_close()

    def _next(self) -> memoryview | None:
        while self._skip:
            self._skip -= len(self._receive(self._skip))
        if not self._left:
            return None
        part = self._receive(self._left)
        self._left -= len(part)
        if self._digest is not None:
            self._digest.update(part)
            if not self._left:
                self._digest.check()
        return memoryview(part)

    def _receive(self, most: int) -> bytes:
        if self._closed:
            raise Unavailable("the content was closed while it was read")
        part = self._source.read(min(_PIECE, most))
        if not part:
            raise Corrupt("The data at the location ended before its length.")
        return part
