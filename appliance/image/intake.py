"""Bytes into a store: counted against every limit, inspected, hashed, sealed. Rows are the caller's business."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from appliance.blobs.index import Sealed
from appliance.blobs.twins import MayKnow
from appliance.errors import Invalid, LimitExceeded, StorageFull
from appliance.image.inspection import Inspection
from appliance.image.signature import Verifier
from appliance.image.stores import Store
from appliance.values import MIB, Source

_CHUNK = MIB

_ReadInto = Callable[[memoryview], int]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many bytes may come, and which sentence refuses more."""

    declared: int | None
    """What the client said; the bytes have to add up to it. None if it did not say."""
    size_cap: int
    quota_left: int | None = None

    def check(self, size: int) -> None:
        """Raise `LimitExceeded` if so many bytes are too many."""
        if size > self.size_cap:
            raise LimitExceeded(f"The incoming image is too large: it has more than {self.size_cap} bytes.")
        if self.quota_left is not None and size > self.quota_left:
            raise LimitExceeded(
                f"Image exceeds the storage quota: it takes {size} bytes and the project has {self.quota_left} left."
            )

    def check_declared(self, store: Store) -> None:
        """Refuse what can't fit before its first byte is read."""
        if self.declared is None:
            return
        self.check(self.declared)
        if self.declared > store.free_space():
            raise StorageFull("Image storage media is full: there is not enough room for the declared size.")


@dataclass(frozen=True, slots=True)
class Taken:
    """What an intake produced: durable bytes that no row names yet."""

    sealed: Sealed
    virtual_size: int | None


@contextmanager
def take_in(
    store: Store,
    source: Source,
    limits: Limits,
    *,
    hash_algorithm: str,
    inspection: Inspection | None,
    label: bytes,
    verifier: Verifier | None = None,
    progress: Callable[[int], None] | None = None,
    may_know: MayKnow | None = None,
    scope: str,
) -> Iterator[Taken]:
    """Store a source's bytes. Commit `sealed` inside the block: leaving it gives up what was not committed.

    `may_know` says which stored contents the bytes may be recognized as, and `scope` whose blocks they may reuse.
    """
    watching: list[Inspection | Verifier] = [watcher for watcher in (inspection, verifier) if watcher is not None]
    with store.writer.begin(
        hash_algorithm=hash_algorithm, may_know=may_know, expected_size=limits.declared, scope=scope
    ) as ingest:
        size = 0
        read = _reader(source)
        while count := _fill(read, room := ingest.room()[:_CHUNK]):
            size += count
            limits.check(size)
            for watcher in watching:
                watcher.write(bytes(room[:count]))
            ingest.filled(count)
            if progress is not None:
                progress(size)
        if limits.declared is not None and size != limits.declared:
            raise Invalid(f"The size of uploaded data, {size} bytes, is different from the declared {limits.declared}.")
        virtual_size = inspection.verdict() if inspection is not None else None
        if verifier is not None:
            verifier.verify()
        yield Taken(ingest.seal(label), virtual_size)


def chunks(source: Source) -> Iterator[memoryview]:
    """The source's bytes in full chunks of 1 MiB. Each is valid until the next one is asked for."""
    buffer = memoryview(bytearray(_CHUNK))
    read = _reader(source)
    while count := _fill(read, buffer):
        yield buffer[:count]


def _fill(read: _ReadInto, room: memoryview) -> int:
    """How many bytes were put into the room: all that fit, or fewer if these are the last."""
    size = 0
    while size < len(room) and (count := read(room[size:])):
        size += count
    return size


def _reader(source: Source) -> _ReadInto:
    """The way to read with the fewest copies."""
    readinto: _ReadInto | None = getattr(source, "readinto", None)
    if readinto is not None:
        return readinto

    def read(room: memoryview) -> int:
        part = source.read(len(room))
        room[: len(part)] = part
        return len(part)

    return read
