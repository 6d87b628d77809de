"""A backend made of an object store and a local directory, in which segments are staged and what was read is cached.

In the bucket: `store`, the mark; `segments/NAME.seg`; `deleted/UPLOAD`, an empty object for each deletion. So a bucket
alone is all that a rebuild needs.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from appliance.blobs.backends.base import SegmentHandle, SegmentMissing, StagedSegment
from appliance.blobs.backends.objects import ObjectInfo, ObjectMissing, Objects, Unreachable
from appliance.blobs.backends.read_cache import CachedSegment, ReadCache
from appliance.blobs.durable import Bytes, Disk, DurableFile, ensure_directory, remove_files, replace_file
from appliance.errors import Failure, Fatal, StorageFault, Unavailable
from appliance.values import KIB, MIB, Micros

log = logging.getLogger(__name__)

T = TypeVar("T")

_SUFFIX = ".seg"
_UPLOAD = re.compile(r"([0-9a-f]{2})+")
_THREADS = 4
_REST = 5.0
"""Seconds after a failure in which nobody else waits for a store that does not answer."""
_PUT_TRIES = 3
_LOOK_BACK = 64 * KIB
_FRESH = 4 * MIB
_SECOND_LOOK = 0.2


class Reach:
    """Whether the object store answers. While it does not, only one caller at a time waits to find out."""

    def __init__(self, place: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._trouble: str | None = None
        self._next_try = 0.0

    def ask(self, call: Callable[[], T]) -> T:
        """Make a call, unless one has failed a moment ago. Raises what the call raises."""
        with self._lock:
            if self._trouble and self._monotonic() < self._next_try:
                raise Unreachable(self._trouble)
            # Until this call has ended the others are not to wait, too.
            self._next_try = self._monotonic() + _REST * 12 if self._trouble else 0.0
        try:
            result = call()
        except Unreachable as error:
            self._note(str(error))
            raise
        except BaseException:
            self._note(None)
            raise
        self._note(None)
        return result

    def _note(self, trouble: str | None) -> None:
        with self._lock:
            before, self._trouble = self._trouble, trouble
            self._next_try = self._monotonic() + _REST if trouble else 0.0
        if trouble and not before:
            log.error("%s", trouble)
        elif before and not trouble:
            log.info("%s answers again", self._place)

    def trouble(self) -> str | None:
        return self._trouble

    def is_due(self) -> bool:
        """Whether there is trouble, and it is time to look whether it has passed."""
        with self._lock:
            return self._trouble is not None and self._monotonic() >= self._next_try


class RemoteHandle:
    """A segment of the object store, read through the cache."""

    def __init__(self, backend: "RemoteBackend", cached: CachedSegment) -> None:
        self._backend = backend
        self._cached = cached
        self._lock = threading.Lock()
        self._fresh: tuple[int, memoryview] = (0, memoryview(b""))
        self._fresh_end = 0
        self.size = cached.size
        self.identity = cached.identity

    def _fetch(self, offset: int, length: int) -> Bytes:
        return self._backend.fetch(self._cached.name, offset, length)

    def read_into(self, buffer: memoryview, offset: int, *, fresh: bool = False) -> None:
        if not fresh:
            self._cached.read_into(buffer, offset, self._fetch)
            return
        if offset + len(buffer) > self.size:
            raise StorageFault("a stored segment is shorter than it was when it was written")
        with self._lock:
            start, window = self._fresh
            # Whoever goes straight on is served from one larger read; whoever asks again gets other bytes.
            if not (start <= self._fresh_end <= offset and offset + len(buffer) <= start + len(window)):
                length = min(max(_FRESH, len(buffer)), self.size - offset)
                start, window = self._fresh = (offset, memoryview(self._fetch(offset, length)))
            buffer[:] = window[offset - start :][: len(buffer)]
            self._fresh_end = offset + len(buffer)
        if self._cached.differs(offset, buffer):
            log.warning("the cached copy of segment %s is damaged and is thrown away", self._cached.name)
            self._backend.cache.drop(self._cached.name)

    def read_ahead(self, offset: int, length: int) -> bool:
        """Only what is in the file needs no thread that waits for it."""
        return self._cached.file_with(offset, length) is not None

    def file_with(self, offset: int, length: int) -> int | None:
        return self._cached.file_with(offset, length)

    def close(self) -> None:
        self._fresh = (0, memoryview(b""))
        self._backend.cache.close(self._cached)


class RemoteStaged:
    """A segment that is written to a local file, and then put into the bucket."""

    def __init__(self, backend: "RemoteBackend", name: str, file: DurableFile) -> None:
        self._backend = backend
        self._name = name
        self._file = file

    @property
    def size(self) -> int:
        return self._file.size

    def write(self, parts: Sequence[Bytes]) -> None:
        self._file.write(parts)

    def publish(self) -> None:
        self._backend.upload(self._name, self._file.path, self._file.size)
        self._backend.cache.adopt(self._name, self._file.path, self._file.size)
        self._file.discard()

    def discard(self) -> None:
        self._file.discard()


class RemoteBackend:
    """Satisfies `Backend`. `directory` is a local one of its own; `cache_directory` is for what was read."""

    idle_handles = 0
    is_remote = True

    def __init__(
        self, objects: Objects, directory: Path, cache_directory: Path, cache_size: int, disk: Disk | None = None
    ) -> None:
        self._objects = objects
        self._directory = directory
        self._staging = directory / "staging"
        self._mark = directory / "store"
        self._disk = disk or Disk()
        self._reach = Reach(objects.place)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="remote-read")
        self._probing = threading.Lock()
        self.cache = ReadCache(cache_directory, cache_size, self._disk, self._pool)

    @property
    def place(self) -> str:
        return self._objects.place

    @property
    def details(self) -> Mapping[str, object]:
        return self._objects.details

    @property
    def working_directory(self) -> Path | None:
        return self._directory

    @property
    def segment_size(self) -> int:
        return self._objects.largest

    def is_there(self) -> bool:
        next(self._list("segments/"), None)
        return True

    def prepare(self) -> None:
        for path in (self._directory.parent, self._directory, self._staging):
            ensure_directory(self._disk, path)
        self.cache.load()

    # -- small things --------------------------------------------------------------------------------------------------

    def read_mark(self) -> bytes | None:
        """A copy is kept here, so that an appliance starts, with its other stores, while this one is out of reach."""
        copy = self._mark.read_bytes() if self._mark.is_file() else None
        try:
            mark = self._get_mark()
            if mark is None or mark != copy:
                # What is missing or has changed is looked at twice: it would make another store of this one.
                time.sleep(_SECOND_LOOK)
                mark = self._get_mark()
        except Unavailable as error:
            if copy is None:
                raise Fatal(str(error)) from error
            log.error("%s: the store is not available until that changes", error)
            return copy
        if mark is not None and mark != copy:
            replace_file(self._disk, self._mark, mark)
        return mark

    def _get_mark(self) -> bytes | None:
        try:
            return self._reach.ask(lambda: self._objects.get("store"))
        except ObjectMissing:
            return None

    def write_mark(self, mark: bytes) -> None:
        self._do(lambda: self._objects.put("store", mark))
        if self._get_mark() != mark:
            raise StorageFault(f"{self.place} does not give back what was put there")
        replace_file(self._disk, self._mark, mark)

    def note_deletions(self, uploads: Collection[bytes]) -> None:
        for upload in uploads:
            key = f"deleted/{upload.hex()}"
            self._do(lambda key=key: self._objects.put(key, b""))  # type: ignore[misc]

    def deletions(self) -> set[bytes]:
        names = {info.key.removeprefix("deleted/") for info in self._list("deleted/")}
        if strange := {name for name in names if not _UPLOAD.fullmatch(name)}:
            log.warning("%s/deleted/%s is none of the store's objects", self.place, min(strange))
        return {bytes.fromhex(name) for name in names - strange}

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        listing = self._do(lambda: iter(self._objects.list(prefix)))
        while (info := self._do(lambda: next(listing, None))) is not None:
            yield info

    def _do(self, call: Callable[[], T]) -> T:
        """Ask for what can't be missing."""
        try:
            return self._reach.ask(call)
        except ObjectMissing as error:
            raise Unreachable(f"{self.place} answers that there is no such object, which makes no sense") from error

    # -- segments ------------------------------------------------------------------------------------------------------

    def _key(self, name: str) -> str:
        return f"segments/{name}{_SUFFIX}"

    def stage(self, name: str) -> StagedSegment:
        return RemoteStaged(self, name, DurableFile(self._disk, self._staging / (name + _SUFFIX)))

    def upload(self, name: str, path: Path, size: int) -> None:
        """Put a file, and see that it is there: its size, and how it ends.

        Put again if it isn't. What does not answer is not asked again here: the objects' own calls are repeated.
        """
        for rest in reversed(range(_PUT_TRIES)):
            try:
                self._do(lambda: self._objects.put_file(self._key(name), path, size))
                self._check_upload(name, path, size)
                return
            except StorageFault as error:
                if not rest:
                    raise
                log.warning("segment %s is put once more: %s", name, error)
                time.sleep(_SECOND_LOOK)

    def _check_upload(self, name: str, path: Path, size: int) -> None:
        info = self._reach.ask(lambda: self._objects.head(self._key(name)))
        length = min(_LOOK_BACK, size)
        with path.open("rb") as file:
            file.seek(size - length)
            end = file.read(length)
        if info is None or info.size != size or self.fetch(name, size - length, length) != end:
            raise StorageFault(f"{self.place} does not give back what was put there")

    def fetch(self, name: str, offset: int, length: int) -> Bytes:
        """Exactly those bytes. Raises `SegmentMissing`, `StorageFault`, `Unavailable`."""
        if not length:
            return b""
        for again in (True, False):
            try:
                data = self._reach.ask(lambda: self._objects.get_range(self._key(name), offset, length))
                if len(data) == length:
                    return data
            except ObjectMissing as error:
                # Some stores say so for a moment of what is there.
                if not again:
                    raise SegmentMissing(f"{self.place}/{self._key(name)}") from error
            time.sleep(_SECOND_LOOK if again else 0)
        raise StorageFault("a stored segment is shorter than it was when it was written")

    def open(self, name: str) -> SegmentHandle:
        size = self.cache.size_of(name)
        if size is None:
            size = self.size(name)
        if size is None:
            raise SegmentMissing(f"{self.place}/{self._key(name)}")
        return RemoteHandle(self, self.cache.open(name, size))

    def names(self) -> Iterator[str]:
        for info in self._list("segments/"):
            if info.key.endswith(_SUFFIX):
                yield info.key.removeprefix("segments/").removesuffix(_SUFFIX)

    def _info(self, name: str) -> ObjectInfo | None:
        info = self._reach.ask(lambda: self._objects.head(self._key(name)))
        if info is None:
            time.sleep(_SECOND_LOOK)
            info = self._reach.ask(lambda: self._objects.head(self._key(name)))
        return info

    def size(self, name: str) -> int | None:
        info = self._info(name)
        return info.size if info else None

    def age(self, name: str, now: Micros) -> int:
        info = self._info(name)
        return now - info.modified_at if info else 0

    def delete(self, name: str) -> None:
        self.cache.drop(name)
        self._reach.ask(lambda: self._objects.delete(self._key(name)))

    def clear_staging(self) -> int:
        return remove_files(self._disk, self._staging)

    # -- how it is -----------------------------------------------------------------------------------------------------

    def free_space(self) -> int | None:
        return None

    def trouble(self) -> str | None:
        """What went wrong last. Looks, without making anybody wait, whether it is over."""
        if self._reach.is_due() and self._probing.acquire(blocking=False):
            try:
                self._pool.submit(self._probe)
            except RuntimeError:
                self._probing.release()
        return self._reach.trouble()

    def _probe(self) -> None:
        try:
            self._reach.ask(lambda: self._objects.head("store"))
        except Failure:
            pass
        finally:
            self._probing.release()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.cache.shut()
        self._objects.close()
