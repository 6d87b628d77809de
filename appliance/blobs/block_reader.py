"""Reads blocks out of segments: files are kept open while in demand, and checks are remembered for a short while."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from appliance.blobs.backends.base import Backend, SegmentHandle
from appliance.blobs.codec import RAW, block_digest, decode
from appliance.blobs.index import Span
from appliance.errors import Corrupt, Failure
from appliance.values import KIB, MIB, FileRange

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


class Step(NamedTuple):
    """The part of a span that is wanted: `take` bytes after the first `skip`."""

    span: Span
    skip: int
    take: int


class BlockReader:
    """Turns steps into pieces. Any thread may use it: there is a scratch buffer for each."""

    def __init__(self, handles: Handles, on_damage: Callable[[int], None], checks: RecentChecks) -> None:
        self._handles = handles
        self._on_damage = on_damage
        self._checks = checks
        self._local = threading.local()

    def load(self, steps: Sequence[Step], keep: Callable[[str], None] | None) -> list[Stored]:
        """The bytes of the steps. With `keep`, raw runs come as file ranges, after `keep` was told their segment.

        Raises `Corrupt` or `StorageFault`, and `SegmentMissing` if a segment went away.
        """
        pieces: list[Stored] = []
        for run in runs(steps):
            if not run[0].span.segment:
                pieces.append(run[0].take)
            else:
                pieces.extend(self._load_run(run, keep))
        return pieces

    def _load_run(self, run: list[Step], keep: Callable[[str], None] | None) -> list[Stored]:
        name, at = run[0].span.segment, run[0].span.at
        length = run[-1].span.at + run[-1].span.stored - at
        as_file = keep is not None and length >= _SMALL_RUN and all(step.span.codec == RAW for step in run)
        handle = self._handles.acquire(name)
        try:
            if keep is not None and as_file and self._checks.has(handle.identity, at, length):
                trusted = self._as_file(handle, run, keep)
                if trusted is not None:
                    return [trusted]
            buffer = self._scratch(length) if as_file else memoryview(bytearray(length))
            handle.read_into(buffer, at)
            pieces, sound = self._checked(handle, run, buffer)
            if keep is not None and as_file and sound and (checked := self._as_file(handle, run, keep)) is not None:
                self._checks.add(handle.identity, at, length)
                return [checked]
            return [bytes(piece) if as_file else piece for piece in pieces]
        finally:
            self._handles.release(name)

    def _as_file(self, handle: SegmentHandle, run: list[Step], keep: Callable[[str], None]) -> FileRange | None:
        """The run's place in its file, which stays open; None if it is in no file of this machine."""
        length = run[-1].span.at + run[-1].span.stored - run[0].span.at
        number = handle.file_with(run[0].span.at, length)
        if number is None:
            return None
        keep(run[0].span.segment)
        return FileRange(number, run[0].span.at + run[0].skip, sum(step.take for step in run))

    def _checked(
        self, handle: SegmentHandle, run: list[Step], buffer: memoryview
    ) -> tuple[list[bytes | memoryview], bool]:
        """What is wanted of each block, and whether all were sound at the first look."""
        pieces: list[bytes | memoryview] = []
        sound = True
        for step in run:
            span = step.span
            plain = _plain(span, buffer[span.at - run[0].span.at :][: span.stored])
            if plain is None:
                # A copy nearby may be damaged, or the bytes may have been on their way here.
                sound = False
                again = bytearray(span.stored)
                handle.read_into(memoryview(again), span.at, fresh=True)
                plain = _plain(span, memoryview(again))
            if plain is None:
                self._note_damage(span)
                raise Corrupt("stored data is damaged: a block does not match its digest")
            pieces.append(plain if step.take == span.length else memoryview(plain)[step.skip : step.skip + step.take])
        return pieces, sound

    def _note_damage(self, span: Span) -> None:
        self._checks.forget()
        try:
            self._on_damage(span.block_id)
        except Failure:
            pass

    def _scratch(self, length: int) -> memoryview:
        scratch: memoryview | None = getattr(self._local, "scratch", None)
        if scratch is None or len(scratch) < length:
            scratch = self._local.scratch = memoryview(bytearray(max(length, 2 * MIB)))
        return scratch[:length]


def _plain(span: Span, stored: memoryview) -> bytes | memoryview | None:
    """A block's bytes, or None if they are not what its digest says."""
    try:
        plain = decode(span.codec, stored, span.length)
    except Corrupt:
        return None
    if block_digest(plain) != span.digest:
        return None
    return plain if isinstance(plain, (bytes, memoryview)) else memoryview(plain)


def runs(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Group steps that follow each other in one segment; a hole is alone."""
    run: list[Step] = []
    for step in steps:
        last = run[-1].span if run else None
        if last and last.segment and last.segment == step.span.segment and last.at + last.stored == step.span.at:
            run.append(step)
            continue
        if run:
            yield run
        run = [step]
    if run:
        yield run
