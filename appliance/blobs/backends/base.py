"""Where sealed segments are kept: put, read a range, list, delete. A local directory is one, an object store may be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from appliance.blobs.durable import DurableFile


class SegmentHandle(Protocol):
    """An open segment. Its bytes stay readable until it is closed, even if the backend deletes it meanwhile."""

    size: int

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill the buffer. Raises `StorageFault` if that can't be done in full."""
        ...

    def read_ahead(self, offset: int, length: int) -> bool:
        """Have these bytes fetched while the caller does something else; False if only `read_into` fetches."""
        ...

    def file_number(self) -> int | None:
        """A file descriptor for sendfile, if there is one."""
        ...

    def close(self) -> None: ...


class Backend(Protocol):
    """A set of named, immutable segments."""

    def stage(self, name: str) -> DurableFile:
        """A new file, not on the backend yet."""
        ...

    def put(self, name: str, staged: DurableFile) -> None:
        """Put the staged file on the backend: durable when this returns."""
        ...

    def open(self, name: str) -> SegmentHandle:
        """Raises `SegmentMissing` if there is none of that name, `StorageFault` if it can't be opened."""
        ...

    def names(self) -> Iterator[str]: ...

    def size(self, name: str) -> int | None:
        """How long the segment is; None if there is none."""
        ...

    def age(self, name: str, now: int) -> int:
        """How long it has been standing there, in microseconds."""
        ...

    def delete(self, name: str) -> None:
        """Take it off the backend. Fine if it is gone already."""
        ...

    def clear_staging(self) -> int:
        """Remove everything staged by an earlier process; says how many files."""
        ...


class SegmentMissing(Exception):
    """The backend has no such segment: deleted after its blocks moved, or lost."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(f"the segment {path} is missing")
