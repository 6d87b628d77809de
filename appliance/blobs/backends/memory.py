"""A backend in memory, for tests: everything that a store asks for, and nothing outlives the object."""

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.blobs.backends.base import SegmentHandle, SegmentMissing, StagedSegment
from appliance.blobs.durable import Bytes
from appliance.errors import StorageFault
from appliance.values import MIB, Micros


@dataclass(slots=True)
class MemoryHandle:
    """The bytes of a segment: they stay for as long as somebody has them."""

    identity: str
    _data: bytes

    @property
    def size(self) -> int:
        return len(self._data)

    def read_into(self, buffer: memoryview, offset: int, *, fresh: bool = False) -> None:
        data = self._data[offset : offset + len(buffer)]
        if len(data) < len(buffer):
            raise StorageFault("a stored segment is shorter than it was when it was written")
        buffer[:] = data

    def read_ahead(self, offset: int, length: int) -> bool:
        return True

    def file_with(self, offset: int, length: int) -> int | None:
        return None

    def close(self) -> None:
        self._data = b""


@dataclass(slots=True)
class MemoryStaged:
    """A segment that is being written."""

    _backend: "MemoryBackend"
    _name: str
    _data: bytearray = field(default_factory=bytearray)

    @property
    def size(self) -> int:
        return len(self._data)

    def write(self, parts: Sequence[Bytes]) -> None:
        for part in parts:
            self._data += part

    def publish(self) -> None:
        self._backend.put(self._name, bytes(self._data))

    def discard(self) -> None:
        self._data = bytearray()


class MemoryBackend:
    """A dictionary of segments. For any thread. Satisfies `Backend`."""

    idle_handles = 0
    segment_size = 512 * MIB
    is_remote = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._segments: dict[str, tuple[bytes, int]] = {}
        self._mark: bytes | None = None
        self._deleted: set[bytes] = set()

    @property
    def place(self) -> str:
        return "memory"

    @property
    def details(self) -> Mapping[str, object]:
        return {}

    @property
    def working_directory(self) -> Path | None:
        return None

    def is_there(self) -> bool:
        return True

    def prepare(self) -> None:
        """Memory is always there."""

    def read_mark(self) -> bytes | None:
        return self._mark

    def write_mark(self, mark: bytes) -> None:
        self._mark = mark

    def note_deletions(self, uploads: Collection[bytes]) -> None:
        with self._lock:
            self._deleted.update(uploads)

    def deletions(self) -> set[bytes]:
        with self._lock:
            return set(self._deleted)

    def stage(self, name: str) -> StagedSegment:
        return MemoryStaged(self, name)

    def put(self, name: str, data: bytes) -> None:
        with self._lock:
            self._segments[name] = (data, time.time_ns() // 1000)

    def open(self, name: str) -> SegmentHandle:
        with self._lock:
            if name not in self._segments:
                raise SegmentMissing(name)
            return MemoryHandle(name, self._segments[name][0])

    def names(self) -> Iterator[str]:
        with self._lock:
            return iter(list(self._segments))

    def size(self, name: str) -> int | None:
        with self._lock:
            return len(self._segments[name][0]) if name in self._segments else None

    def age(self, name: str, now: Micros) -> int:
        with self._lock:
            return now - self._segments[name][1] if name in self._segments else 0

    def delete(self, name: str) -> None:
        with self._lock:
            self._segments.pop(name, None)

    def clear_staging(self) -> int:
        return 0

    def free_space(self) -> int | None:
        return None

    def trouble(self) -> str | None:
        return None

    def close(self) -> None:
        """The segments stay, so that another store can open them."""
