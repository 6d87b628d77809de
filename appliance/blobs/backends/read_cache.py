"""Pieces of remote segments on a local disk: read ahead, kept across restarts, bounded, and never needed.

Each segment has a sparse file, `NAME.SIZE`, into which its chunks are written at their own offsets, so that it can be
sent with sendfile. What the file has is what is no hole. Nothing here is durable, and nothing is believed: a reader
checks each block, and reads it afresh from the backend if the copy is damaged. When the disk is full or the directory
is gone, chunks are handed on from memory.
"""

import logging
import os
import shutil
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from itertools import count
from pathlib import Path

from appliance.blobs.durable import Bytes, Disk
from appliance.errors import StorageFault
from appliance.values import MIB

log = logging.getLogger(__name__)

CHUNK = MIB
_GROUP = 4
"""Chunks that one request brings."""
_AHEAD = 8
"""Chunks that are on their way before a reader that goes straight on asks for them."""
_IN_MEMORY = 8
_IDLE_FILES, _IDLE_MEMORY = 64, 4
"""How many segments that nobody reads keep their file open, and their chunks in memory."""
_LEAVE_FREE = 256 * MIB

Fetch = Callable[[int, int], Bytes]
"""Offset and length → exactly those bytes of the segment."""

_versions = count(1)


class CachedSegment:
    """What is here of one segment. For any thread, between `ReadCache.open` and `close`."""

    def __init__(self, cache: "ReadCache", name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.identity = f"{name}.{next(_versions)}"
        self.users = 0
        self.used = 0
        self.fd = -1
        self._cache = cache
        self._lock = threading.Lock()
        self._present: set[int] = set()
        self._memory: OrderedDict[int, memoryview] = OrderedDict()
        self._flights: dict[int, Future[dict[int, memoryview]]] = {}
        self._asked: deque[int] = deque(maxlen=16)

    def load(self, fd: int) -> None:
        """Go on with a file, and what is in it."""
        self.fd = fd
        self._present = set(_chunks_in(fd, self.size))
        self.used = sum(self._length(number) for number in self._present)

    def read_into(self, buffer: memoryview, offset: int, fetch: Fetch) -> None:
        """Fill the buffer, fetching what is not here. Raises what `fetch` raises."""
        if offset + len(buffer) > self.size:
            raise StorageFault("a stored segment is shorter than it was when it was written")
        end = offset + len(buffer)
        at = offset
        while at < end:
            number = at // CHUNK
            until = min(end, (number + 1) * CHUNK)
            out = buffer[at - offset : until - offset]
            data = self._chunk(number, fetch)
            if data is None:
                self._read_file(out, at)
            else:
                out[:] = data[at - number * CHUNK :][: len(out)]
            at = until

    def file_with(self, offset: int, length: int) -> int | None:
        with self._lock:
            wanted = range(offset // CHUNK, (offset + max(length, 1) - 1) // CHUNK + 1)
            return self.fd if self.fd >= 0 and all(number in self._present for number in wanted) else None

    def differs(self, offset: int, data: memoryview) -> bool:
        """Whether the file has other bytes than these at that offset."""
        if self.file_with(offset, len(data)) is None:
            return False
        return os.pread(self.fd, len(data), offset) != data

    def _read_file(self, out: memoryview, offset: int) -> None:
        done = 0
        while done < len(out):
            found = os.preadv(self.fd, [out[done:]], offset + done)
            if not found:
                # Cut off by somebody else: the block's check would fail anyway.
                out[done:] = bytes(len(out) - done)
                return
            done += found

    def _chunk(self, number: int, fetch: Fetch) -> memoryview | None:
        """The chunk's bytes; None if they are in the file."""
        with self._lock:
            goes_on = number == 0 or any(each in self._asked for each in range(number - 2, number + 1))
            self._asked.append(number)
            here = self._is_here(number)
            mine = [] if here else self._take_off(number, _GROUP if goes_on else 1)
            flight = None if here else self._flights[number]
            data = self._memory.get(number)
            ahead = self._group_ahead(number) if goes_on else []
            ahead_flight = self._flights[ahead[0]] if ahead else None
        if ahead_flight is not None:
            self._cache.later(self, lambda: self._fly(ahead, ahead_flight, fetch))
        if flight is None:
            return data
        if mine:
            self._fly(mine, flight, fetch)
        return flight.result()[number]

    def _is_here(self, number: int) -> bool:
        return number in self._present or number in self._memory

    def _group_ahead(self, number: int) -> list[int]:
        """Chunks behind this one to fetch meanwhile: a whole group, or the rest of the segment. The lock is held."""
        last = (self.size - 1) // CHUNK
        for first in range(number + 1, min(number + _AHEAD, last) + 1):
            if not self._is_here(first) and first not in self._flights:
                return self._take_off(first, _GROUP) if min(first + _GROUP - 1, last) <= number + _AHEAD else []
        return []

    def _take_off(self, number: int, most: int) -> list[int]:
        """Announce that this chunk and up to `most` in all are being fetched. The lock is held."""
        flight: Future[dict[int, memoryview]] = Future()
        numbers: list[int] = []
        while len(numbers) < most and number * CHUNK < self.size:
            if self._is_here(number) or number in self._flights:
                break
            self._flights[number] = flight
            numbers.append(number)
            number += 1
        return numbers

    def _fly(self, numbers: list[int], flight: Future[dict[int, memoryview]], fetch: Fetch) -> None:
        start = numbers[0] * CHUNK
        try:
            data = memoryview(fetch(start, sum(self._length(number) for number in numbers)))
            found = {number: data[number * CHUNK - start :][: self._length(number)] for number in numbers}
        except BaseException as error:
            self._land(numbers)
            flight.set_exception(error)
        else:
            # Readers go on while it is written down; who comes meanwhile finds it in the flight.
            flight.set_result(found)
            try:
                self._keep(found)
            finally:
                self._land(numbers)

    def _land(self, numbers: Iterable[int]) -> None:
        with self._lock:
            for number in numbers:
                self._flights.pop(number, None)

    def _keep(self, found: dict[int, memoryview]) -> None:
        written = self.fd >= 0 and self._cache.has_room() and all(self._write(n, data) for n, data in found.items())
        with self._lock:
            if written:
                self._present.update(found)
                self.used += sum(len(data) for data in found.values())
            else:
                self._memory.update(found)
                while len(self._memory) > _IN_MEMORY:
                    self._memory.popitem(last=False)
        self._cache.grew()

    def _write(self, number: int, data: memoryview) -> bool:
        offset = number * CHUNK
        try:
            while data:
                written = os.pwrite(self.fd, data, offset)
                data, offset = data[written:], offset + written
        except OSError as error:
            self._cache.complain(error)
            return False
        return True

    def _length(self, number: int) -> int:
        return min(CHUNK, self.size - number * CHUNK)

    def forget(self) -> None:
        """Let go of what is in memory."""
        with self._lock:
            self._memory.clear()

    def close_file(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


class ReadCache:
    """The cache of one backend: at most `limit` bytes in `directory`; a limit of 0 keeps nothing on the disk."""

    def __init__(self, directory: Path, limit: int, disk: Disk, pool: Executor) -> None:
        self._directory = directory
        self._limit = limit
        self._disk = disk
        self._pool = pool
        self._complained = False
        self._lock = threading.Lock()
        self._segments: OrderedDict[str, CachedSegment] = OrderedDict()
        """Those that are known, the one that was used last at the end."""

    def load(self) -> None:
        """Find what an earlier process has left."""
        if not self._limit:
            return
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = sorted(self._directory.iterdir(), key=lambda path: path.stat().st_mtime)
        except OSError as error:
            self.complain(error)
            return
        for path in found:
            name, _, size = path.name.partition(".")
            if size.isdigit():
                segment = self._segments[name] = CachedSegment(self, name, int(size))
                segment.used = path.stat().st_blocks * 512
        self.grew()

    def size_of(self, name: str) -> int | None:
        """How long a segment is of which something is here."""
        with self._lock:
            segment = self._segments.get(name)
            return segment.size if segment else None

    def open(self, name: str, size: int) -> CachedSegment:
        """What is here of the segment. Each `open` is answered by one `close`."""
        with self._lock:
            segment = self._segments.get(name)
            if segment is None:
                segment = self._segments[name] = CachedSegment(self, name, size)
            segment.users += 1
            self._segments.move_to_end(name)
            if segment.fd < 0 and self._limit:
                self._open_file(segment)
            self._close_idle()
        return segment

    def _open_file(self, segment: CachedSegment) -> None:
        try:
            fd = os.open(self._path(segment), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self.complain(error)
            return
        segment.identity = f"{segment.name}.{next(_versions)}"
        segment.load(fd)

    def complain(self, error: OSError) -> None:
        """Say it once: whatever goes on is only slower."""
        if not self._complained:
            self._complained = True
            log.warning("the read cache in %s can't be used: %s", self._directory, error.strerror)

    def close(self, segment: CachedSegment) -> None:
        with self._lock:
            segment.users -= 1
            if segment.users == 0 and self._segments.get(segment.name) is not segment:
                segment.close_file()

    def adopt(self, name: str, path: Path, size: int) -> None:
        """Take over a whole segment's file, which was just put on the backend, unless there is no room for it."""
        segment = CachedSegment(self, name, size)
        try:
            if not 0 < size <= self._limit:
                self._disk.unlink(path)
                return
            self._disk.rename(path, self._path(segment))
        except OSError as error:
            self.complain(error)
            return
        segment.used = size
        with self._lock:
            self._segments[name] = segment
        self.grew()

    def drop(self, name: str) -> None:
        """The segment was deleted, or its copy here is damaged. Who reads the copy goes on doing so."""
        with self._lock:
            segment = self._segments.pop(name, None)
            if segment is not None:
                self._remove(segment)

    def later(self, segment: CachedSegment, work: Callable[[], None]) -> None:
        """Have something done about a segment by another thread."""
        with self._lock:
            segment.users += 1

        def run() -> None:
            try:
                work()
            finally:
                self.close(segment)

        try:
            self._pool.submit(run)
        except RuntimeError:  # shutting down: others may wait for it all the same
            run()

    def has_room(self) -> bool:
        """Whether the disk has room for more than others need."""
        try:
            return shutil.disk_usage(self._directory).free > _LEAVE_FREE
        except OSError:
            return False

    def grew(self) -> None:
        """Give room back if there is too much; first of what nobody reads, the longest unread of it first."""
        with self._lock:
            total = sum(segment.used for segment in self._segments.values())
            if total <= self._limit:
                return
            for segment in sorted(self._segments.values(), key=lambda each: each.users > 0):
                if total <= self._limit:
                    return
                total -= segment.used
                del self._segments[segment.name]
                self._remove(segment)

    def _remove(self, segment: CachedSegment) -> None:
        try:
            self._disk.unlink(self._path(segment))
        except OSError:
            pass
        if segment.users == 0:
            segment.close_file()

    def _close_idle(self) -> None:
        idle = [segment for segment in self._segments.values() if segment.users == 0]
        for segment in idle[: max(0, len(idle) - _IDLE_MEMORY)]:
            segment.forget()
        with_file = [segment for segment in idle if segment.fd >= 0]
        for segment in with_file[: max(0, len(with_file) - _IDLE_FILES)]:
            segment.close_file()
        if not self._limit:
            for segment in idle[: max(0, len(idle) - _IDLE_MEMORY)]:
                del self._segments[segment.name]

    def _path(self, segment: CachedSegment) -> Path:
        return self._directory / f"{segment.name}.{segment.size}"

    def shut(self) -> None:
        """Close every file."""
        with self._lock:
            for segment in self._segments.values():
                segment.close_file()
            self._segments.clear()


def _chunks_in(fd: int, size: int) -> Iterable[int]:
    """The chunks of which a sparse file has every byte."""
    at = 0
    while at < size:
        try:
            begin = os.lseek(fd, at, os.SEEK_DATA)
            at = os.lseek(fd, begin, os.SEEK_HOLE)
        except OSError:
            return  # nothing but a hole is left, or a file system that can't tell
        whole = range(-(-begin // CHUNK), at // CHUNK)
        yield from whole
        if at >= size and begin <= (size - 1) // CHUNK * CHUNK and size % CHUNK:
            yield (size - 1) // CHUNK
