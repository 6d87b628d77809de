"""Reads blocks out of segments: files are kept open while in demand, and checks are remembered for a short while."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from appliance.blobs.backends.base import Backend, SegmentHandle, SegmentMissing
from appliance.blobs.codec import block_digest, decode
from appliance.blobs.index import Span
from appliance.blobs.runs import Run
from appliance.errors import Corrupt, Failure
from appliance.values import KIB, FileRange

_MOST = 16384

_Run = tuple[str, int, int]
"""Segment, offset, length."""


class RecentChecks:
    """Two generations of runs, the older of which is forgotten when the younger is old or full. For any thread.

    With runs of up to 1 MiB it knows 16 GiB or more, in at most 8 MiB of memory.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """A run is trusted for so many seconds after its check; for 0, never."""
        self._half = seconds / 2
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._young: set[_Run] = set()
        self._old: set[_Run] = set()
        self._began = monotonic()

    def add(self, segment: str, offset: int, length: int) -> None:
        """This run was found sound just now."""
        if self._half <= 0:
            return
        with self._lock:
            self._grow_older()
            if len(self._young) >= _MOST:
                self._turn(self._monotonic())
            self._young.add((segment, offset, length))

    def has(self, segment: str, offset: int, length: int) -> bool:
        """Whether exactly this run was found sound a short while ago."""
        with self._lock:
            self._grow_older()
            run = (segment, offset, length)
            return run in self._young or run in self._old

    def forget(self) -> None:
        """Damage was found: nothing is trusted any more."""
        with self._lock:
            self._young, self._old = set(), set()

    def _grow_older(self) -> None:
        # A generation's time begins when that of the one before it ends, so nothing lives longer than two of them.
        now = self._monotonic()
        if now - self._began >= 2 * self._half:
            self._young, self._old, self._began = set(), set(), now
        elif now - self._began >= self._half:
            self._turn(self._began + self._half)

    def _turn(self, began: float) -> None:
        self._young, self._old, self._began = set(), self._young, began


@dataclass(slots=True)
class _Entry:
    handle: SegmentHandle
    users: int
    closing: bool = False


class Handles:
    """Hands out open segments by name. Each `acquire` is answered by one `release`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def acquire(self, name: str) -> SegmentHandle:
        """Raises `SegmentMissing` if the backend has it no more and nobody has it open."""
        with self._lock:
            if entry := self._taken(name):
                return entry.handle
        handle = self._backend.open(name)
        with self._lock:
            # Another thread may have opened it while this one did.
            if entry := self._taken(name):
                handle.close()
                return entry.handle
            self._entries[name] = _Entry(handle, 1)
            return handle

    def _taken(self, name: str) -> _Entry | None:
        entry = self._entries.get(name)
        if entry is not None:
            entry.users += 1
            self._entries.move_to_end(name)
        return entry

    def release(self, name: str) -> None:
        with self._lock:
            entry = self._entries[name]
            entry.users -= 1
            if entry.users == 0 and entry.closing:
                del self._entries[name]
                entry.handle.close()
            self._shrink()

    def _shrink(self) -> None:
        idle = [name for name, entry in self._entries.items() if entry.users == 0]
        for name in idle[: max(0, len(idle) - self._backend.idle_handles)]:
            self._entries.pop(name).handle.close()

    def forget(self, name: str) -> None:
        """The segment was deleted: close it as soon as its last reader is through, so that its space comes back."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                return
            entry.closing = True
            if entry.users == 0:
                del self._entries[name]
                entry.handle.close()

    def close(self) -> None:
        """Close what nobody uses; what is in use closes with its last release."""
        with self._lock:
            for name, entry in list(self._entries.items()):
                entry.closing = True
                if entry.users == 0:
                    del self._entries[name]
                    entry.handle.close()


_SMALL_RUN = 32 * KIB

Stored = FileRange | bytes | memoryview | int
"""A piece on its way out; a number stands for that many zeros."""


class Scratch:
    """A buffer that is used again and again, for one run at a time."""

    def __init__(self) -> None:
        self._view = memoryview(b"")

    def room(self, length: int) -> memoryview:
        if len(self._view) < length:
            self._view = memoryview(bytearray(length))
        return self._view[:length]


class BlockReader:
    """Turns runs into pieces. Any thread may use it: there is a scratch buffer for each."""

    def __init__(
        self, handles: Handles, on_damage: Callable[[int], None], checks: RecentChecks, *, notes_reads: bool = True
    ) -> None:
        """With `notes_reads` somebody calls `take_reads` now and then."""
        self._handles = handles
        self._on_damage = on_damage
        self._checks = checks
        self._local = threading.local()
        self._notes_reads = notes_reads
        self._read_lately: set[str] = set()

    def take_reads(self) -> list[str]:
        """The segments that were read since the last call."""
        taken, self._read_lately = self._read_lately, set()
        return list(taken)

    def _note(self, segment: str) -> None:
        if self._notes_reads:
            self._read_lately.add(segment)

    def pieces(self, run: Run, keep: Callable[[str], None] | None, scratch: Scratch) -> Iterator[Stored]:
        """The bytes of a run, piece by piece, which may be views of `scratch`.

        With `keep`, those of a raw run come as a file range, after `keep` was told its segment.
        Raises `Corrupt` or `StorageFault`, and `SegmentMissing`, before the first piece, if the segment went away.
        """
        if not run.segment:
            yield run.take
            return
        self._note(run.segment)
        as_file = keep is not None and run.raw and run.stored >= _SMALL_RUN
        if not as_file or keep is None:
            yield from self._blocks(run, self._read(run, scratch)[0])
            return
        if (place := self._as_file(run, keep)) is not None:
            yield place
            return
        stored, identity = self._read(run, self._scratch())
        blocks = list(self._blocks(run, stored))
        if (place := self._as_file(run, keep, identity)) is not None:
            yield place
        else:
            yield from [bytes(block) for block in blocks]

    def read_ahead(self, run: Run) -> bool:
        """Have the run's bytes fetched meanwhile; False if that can only be done by reading them."""
        if not run.segment:
            return True
        try:
            handle = self._handles.acquire(run.segment)
        except SegmentMissing:
            # Whoever reads it looks again where the bytes are.
            return True
        try:
            return handle.read_ahead(run.at, run.stored)
        finally:
            self._handles.release(run.segment)

    def _read(self, run: Run, scratch: Scratch) -> tuple[memoryview, str]:
        """The run's bytes, and the identity of the copy that they are from."""
        buffer = scratch.room(run.stored)
        handle = self._handles.acquire(run.segment)
        try:
            handle.read_into(buffer, run.at)
            return buffer, handle.identity
        finally:
            self._handles.release(run.segment)

    def _as_file(self, run: Run, keep: Callable[[str], None], checked: str = "") -> FileRange | None:
        """The raw run's place in its file, which stays open; None if it is in no file of this machine.

        The file is the copy `checked`, in which the run was found sound now; or one in which it was a short while ago.
        """
        handle = self._handles.acquire(run.segment)
        try:
            if checked == handle.identity:
                self._checks.add(checked, run.at, run.stored)
            elif checked or not self._checks.has(handle.identity, run.at, run.stored):
                return None
            number = handle.file_with(run.at, run.stored)
            if number is None:
                return None
            keep(run.segment)
            return FileRange(number, run.at + run.skip, run.take)
        finally:
            self._handles.release(run.segment)

    def _blocks(self, run: Run, stored: memoryview) -> Iterator[bytes | memoryview]:
        """What is wanted of each block, once the block is found sound."""
        skip, left, done = run.skip, run.take, 0
        for span in run.spans:
            _, plain = self._checked(span, stored[done : done + span.stored])
            done += span.stored
            if skip or left < span.length:
                plain = memoryview(plain)[skip : skip + left]
                skip = 0
            left -= len(plain)
            yield plain

    def stored(self, span: Span) -> memoryview:
        """A block as it is stored, once it is found sound. Raises `Corrupt`, `StorageFault` or `SegmentMissing`."""
        self._note(span.segment)
        return self._checked(span, self._fetched(span))[0]

    def _checked(self, span: Span, stored: memoryview) -> tuple[memoryview, bytes | memoryview]:
        """The block as it is stored, and its own bytes."""
        plain = _plain(span, stored)
        if plain is None:
            # A copy nearby may be damaged, or the bytes may have been on their way here.
            stored = self._fetched(span, fresh=True)
            plain = _plain(span, stored)
        if plain is None:
            self._checks.forget()
            try:
                self._on_damage(span.block_id)
            except Failure:
                pass
            raise Corrupt("stored data is damaged: a block does not match its digest")
        return stored, plain

    def _fetched(self, span: Span, *, fresh: bool = False) -> memoryview:
        buffer = memoryview(bytearray(span.stored))
        handle = self._handles.acquire(span.segment)
        try:
            handle.read_into(buffer, span.at, fresh=fresh)
        finally:
            self._handles.release(span.segment)
        return buffer

    def _scratch(self) -> Scratch:
        scratch: Scratch | None = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = Scratch()
        return scratch


def _plain(span: Span, stored: memoryview) -> bytes | memoryview | None:
    """A block's bytes, or None if they are not what its digest says."""
    try:
        plain = decode(span.codec, stored, span.length)
    except Corrupt:
        return None
    if block_digest(plain) != span.digest:
        return None
    return plain if isinstance(plain, (bytes, memoryview)) else memoryview(plain)
