"""The cache's directory: one file an image, there only once it is whole; read back with its digest checked."""

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.blobs.durable import Disk, DurableFile, ensure_directory
from appliance.db.image.images import ImageRecord
from appliance.errors import ApplianceError, Corrupt, StorageFault
from appliance.image.signature import ImageDigest
from appliance.values import MIB, Content, Piece, new_uuid

log = logging.getLogger(__name__)


class CacheFiles:
    """Files of images by their ids, and in `incomplete/` those that are being written."""

    def __init__(self, directory: Path) -> None:
        self._disk = Disk()
        self.directory = directory
        self._incomplete = directory / "incomplete"

    def prepare(self) -> None:
        """Make the directories, and remove what a crash has left half written."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFault(f"image_cache_dir: {self.directory} can't be made: {error.strerror}") from error
        ensure_directory(self._disk, self._incomplete)
        self.drop_stalled(0)

    def size(self, image_id: str) -> int | None:
        """How large an image's file is; None if there is none."""
        try:
            found = (self.directory / image_id).stat()
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def names(self) -> list[str]:
        """The images that there are files of."""
        try:
            return [entry.name for entry in os.scandir(self.directory) if entry.is_file()]
        except OSError:
            return []

    def remove(self, image_id: str) -> None:
        """Remove an image's file, if there is one. Who reads it reads on."""
        (self.directory / image_id).unlink(missing_ok=True)

    def drop_stalled(self, seconds: float) -> int:
        """Remove unfinished files that nobody has written to for so long; how many there were."""
        dropped = 0
        for entry in os.scandir(self._incomplete):
            if entry.stat().st_mtime <= time.time() - seconds:
                Path(entry.path).unlink(missing_ok=True)
                dropped += 1
        return dropped

    def begin(self) -> DurableFile:
        """A new file, to be published as an image's."""
        return DurableFile(self._disk, self._incomplete / new_uuid())

    def publish(self, file: DurableFile, image_id: str) -> None:
        file.publish(self.directory / image_id)

    def open(self, image: ImageRecord, start: int, length: int) -> "FileContent | None":
        """A part of an image's file; None if there is none, or it is not of the image's size."""
        try:
            fd = os.open(self.directory / image.id, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        if os.fstat(fd).st_size != image.size:
            os.close(fd)
            return None
        return FileContent(fd, image, start, length)


class FileContent:
    """Satisfies `values.Content`. What is read whole is checked against the image's digest before its last piece."""

    def __init__(self, fd: int, image: ImageRecord, start: int, length: int) -> None:
        self.length = length
        self._fd = fd
        self._at = start
        self._left = length
        self._digest = ImageDigest(image) if length == image.size else None
        self._lock = threading.Lock()

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        wanted = min(self._left, size if size >= 0 else self._left)
        parts = []
        while wanted:
            with self._lock:
                if self._fd < 0:
                    raise StorageFault("the content was closed while it was read")
                try:
                    part = os.pread(self._fd, min(MIB, wanted), self._at)
                except OSError as error:
                    raise StorageFault(f"the image cache can't be read: {error.strerror}") from error
            if not part:
                raise Corrupt("A file of the image cache is shorter than its image.")
            self._at += len(part)
            self._left -= len(part)
            wanted -= len(part)
            self._watch(part)
            parts.append(part)
        return b"".join(parts)

    def _watch(self, part: bytes) -> None:
        if self._digest is not None:
            self._digest.update(part)
            if not self._left:
                self._digest.check()

    def pieces(self) -> Iterator[Piece]:
        """The rest, piece by piece."""
        while piece := self.read(MIB):
            yield piece

    def close(self) -> None:
        with self._lock:
            fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class Kept:
    """Another content on its way through, written to a file as it goes, and published if all of it has gone."""

    def __init__(
        self, content: Content, file: DurableFile, publish: Callable[[DurableFile], None], on_end: Callable[[], None]
    ) -> None:
        self.length = content.length
        self._content = content
        self._file: DurableFile | None = file
        self._publish = publish
        self._on_end = on_end
        # The thread that closes need not be the one that reads.
        self._lock = threading.Lock()

    def read(self, size: int = -1, /) -> bytes:
        part = self._content.read(size)
        self._keep(part)
        return part

    def pieces(self) -> Iterator[Piece]:
        for piece in self._content.pieces():
            if isinstance(piece, bytes | memoryview):
                self._keep(piece)
            yield piece

    def close(self) -> None:
        """What did not come whole is not kept."""
        self._content.close()
        with self._lock:
            self._end(discard=True)

    def _keep(self, part: bytes | memoryview) -> None:
        """Write it down. A full disk is the cache's trouble, not the reader's."""
        with self._lock:
            file = self._file
            if file is None:
                return
            try:
                file.write([part])
                if file.size == self.length:
                    self._publish(file)
                    self._end(discard=False)
            except ApplianceError as error:
                log.warning("an image could not be cached: %s", error)
                self._end(discard=True)

    def _end(self, *, discard: bool) -> None:
        file, self._file = self._file, None
        if file is not None:
            if discard:
                file.discard()
            self._on_end()
