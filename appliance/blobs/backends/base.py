"""What a store asks of the place where its segments are kept. Each backend of this package satisfies `Backend`.

A backend holds sealed segments, the store's mark, and the journal of deletions: all that a rebuild needs.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from appliance.blobs.durable import Bytes
from appliance.values import Micros


class SegmentMissing(Exception):
    """The backend has no such segment: deleted after its blocks moved, or lost."""

    def __init__(self, place: Path | str) -> None:
        super().__init__(f"the segment {place} is missing")


class SegmentHandle(Protocol):
    """An open segment. Its bytes stay readable until it is closed, even if the backend deletes it meanwhile.

    A backend that can't promise that raises `SegmentMissing` from `read_into`.
    """

    @property
    def size(self) -> int: ...

    @property
    def identity(self) -> str:
        """Which copy of the segment's bytes this is: what was checked in one copy says nothing of another."""
        ...

    def read_into(self, buffer: memoryview, offset: int, *, fresh: bool = False) -> None:
        """Fill the buffer; `fresh` passes every cache by. Raises `StorageFault` if that can't be done in full,
        `Unavailable` if the backend can't be asked at present."""
        ...

    def read_ahead(self, offset: int, length: int) -> bool:
        """Have these bytes fetched while the caller does something else; False if only `read_into` fetches."""
        ...

    def file_with(self, offset: int, length: int) -> int | None:
        """The descriptor of a file that has these bytes at that offset, for sendfile; None if none has.

        They stay there until the handle is closed.
        """
        ...

    def close(self) -> None: ...


class StagedSegment(Protocol):
    """A segment that is being written, not on the backend yet. It may vanish at any moment."""

    @property
    def size(self) -> int: ...

    def write(self, parts: Sequence[Bytes]) -> None:
        """Append. Raises `StorageFull`, `StorageFault`."""
        ...

    def publish(self) -> None:
        """Put it on the backend under its name: durable when this returns. If it raises, it may be there or not."""
        ...

    def discard(self) -> None:
        """Give it up. Never raises; nothing happens after `publish`."""
        ...


class Backend(Protocol):
    """A set of named, immutable segments. Names are random and never used again, so all may be repeated."""

    @property
    def place(self) -> str:
        """Where it is, as people write it: a directory, `s3://bucket/prefix`."""
        ...

    @property
    def details(self) -> Mapping[str, object]:
        """What administrators are told of it, under the names that the original's driver of its kind has for that."""
        ...

    @property
    def working_directory(self) -> Path | None:
        """A directory on the disk that writing takes room from; None if it takes room from none."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether it may be out of reach while all else works."""
        ...

    @property
    def segment_size(self) -> int:
        """How long an upload lets a segment become before it begins the next."""
        ...

    @property
    def idle_handles(self) -> int:
        """How many open segments that nobody reads are worth keeping."""
        ...

    def is_there(self) -> bool:
        """Whether the place exists. Makes nothing. Raises `Unavailable` if it can't be asked."""
        ...

    def prepare(self) -> None:
        """Make what is missing of the place. Called once, before all that follows."""
        ...

    def read_mark(self) -> bytes | None:
        """What says which store this is; None if there is nothing of the kind."""
        ...

    def write_mark(self, mark: bytes) -> None:
        """Durable when this returns."""
        ...

    def note_deletions(self, uploads: Collection[bytes]) -> None:
        """Remember, beside the segments, that these uploads were deleted. Durable when this returns."""
        ...

    def deletions(self) -> set[bytes]:
        """Every deleted upload. Only a rebuild needs them."""
        ...

    def stage(self, name: str) -> StagedSegment: ...

    def open(self, name: str) -> SegmentHandle:
        """Raises `SegmentMissing` if there is none of that name, `StorageFault` if it can't be opened."""
        ...

    def names(self) -> Iterator[str]:
        """Every segment that was there all the while; of those that come or go meanwhile, some."""
        ...

    def size(self, name: str) -> int | None:
        """How long the segment is; None if there is none."""
        ...

    def age(self, name: str, now: Micros) -> int:
        """How long it has been there, in microseconds; 0 if that can't be told."""
        ...

    def delete(self, name: str) -> None:
        """Take it off the backend. Fine if it is gone already."""
        ...

    def clear_staging(self) -> int:
        """Remove everything staged by an earlier process; says how many files."""
        ...

    def free_space(self) -> int | None:
        """How many bytes it has room for; None if nobody can tell."""
        ...

    def trouble(self) -> str | None:
        """Why it can't be used at present, as far as it knows; None if it can."""
        ...

    def close(self) -> None: ...
