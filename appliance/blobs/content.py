"""A stored content on its way out: windows of blocks, loaded ahead by a small pool, in order."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from types import TracebackType

from appliance.blobs.backends.base import SegmentMissing
from appliance.blobs.block_reader import BlockReader, Handles, Step, Stored
from appliance.blobs.index import BlockIndex, Span
from appliance.errors import Corrupt, RangeNotSatisfiable, Unavailable
from appliance.values import MIB, FileRange, Piece

_WINDOW = MIB
_AHEAD = 2
_SPANS_AT_ONCE = 256
_ZEROS = memoryview(bytes(MIB))


class StoredContent:
    """Satisfies `values.Content`, and can `seek`. Holds at most three windows of 1 MiB in memory; holes need none.

    One thread reads it; any thread may close it.
    """

    def __init__(
        self,
        content_id: int,
        start: int,
        length: int,
        index: BlockIndex,
        reader: BlockReader,
        handles: Handles,
        pool: Executor,
        on_close: Callable[[], None],
    ) -> None:
        self.length = length
        self._id = content_id
        self._at = start
        self._end = start + length
        self._index = index
        self._reader = reader
        self._handles = handles
        self._pool = pool
        self._on_close = on_close
        self._spans: deque[Span] = deque()
        self._windows: deque[Future[list[Stored]]] = deque()
        self._ready: deque[Stored] = deque()
        self._kept: set[str] = set()
        self._closed = False
        self._as_files = False
        self._lock = threading.Lock()

    # -- the two ways to read ----------------------------------------------------------------------------------------

    def pieces(self) -> Iterator[Piece]:
        """The rest, piece by piece: raw runs as file ranges, the others in memory. Each was checked a moment ago."""
        self._as_files = True
        while (piece := self._next()) is not None:
            if isinstance(piece, int):
                for part in range(0, piece, MIB):
                    yield _ZEROS[: min(MIB, piece - part)]
            else:
                yield piece

    @property
    def at_hand(self) -> bool:
        return bool(self._ready)

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most `size`; empty at the end. All that is left if `size` is negative."""
        parts: list[bytes | memoryview] = []
        wanted = size if size >= 0 else self.length
        while wanted:
            piece = self._next()
            if piece is None:
                break
            taken, rest = _split(piece, wanted)
            if rest is not None:
                self._ready.appendleft(rest)
            wanted -= _length(taken)
            parts.append(_in_memory(taken))
        return b"".join(parts)

    def seek(self, position: int) -> None:
        """Go on `position` bytes behind the start of what was opened."""
        if not 0 <= position <= self.length:
            raise RangeNotSatisfiable(f"there is no byte {position} among {self.length}")
        for window in self._windows:
            window.cancel()
        self._windows.clear()
        self._ready.clear()
        self._spans.clear()
        self._at = self._end - self.length + position

    def reach(self) -> None:
        """Read the first window, and go back: a store that can't be reached says so before anything is answered."""
        self._look_ahead()
        if self._windows:
            self._windows[0].result()
        self.seek(0)

    def close(self) -> None:
        """Let go of files and pins."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            kept, self._kept = self._kept, set()
        for window in self._windows:
            window.cancel()
        for name in kept:
            self._handles.release(name)
        self._on_close()

    def __enter__(self) -> "StoredContent":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- windows -------------------------------------------------------------------------------------------------

    def _next(self) -> Stored | None:
        while not self._ready:
            self._look_ahead()
            if not self._windows:
                return None
            self._ready.extend(self._windows.popleft().result())
            self._look_ahead()
        return self._ready.popleft()

    def _look_ahead(self) -> None:
        while len(self._windows) < _AHEAD and (steps := self._plan()):
            if self._closed:
                raise Unavailable("the content was closed while it was read")
            if not steps[0].span.segment:
                hole: Future[list[Stored]] = Future()
                hole.set_result([steps[0].take])
                self._windows.append(hole)
                continue
            try:
                self._windows.append(self._pool.submit(self._load, steps))
            except RuntimeError as error:
                raise Unavailable("the store is shutting down") from error

    def _plan(self) -> list[Step]:
        """The next window: a hole of any length, or up to 1 MiB of blocks."""
        steps: list[Step] = []
        planned = 0
        while self._at < self._end and planned < _WINDOW:
            span = self._span_here()
            if steps and (not span.segment or planned + span.length > _WINDOW):
                break
            skip = self._at - span.offset
            take = min(span.length - skip, self._end - self._at)
            steps.append(Step(span, skip, take))
            self._at += take
            self._spans.popleft()
            planned += span.length
            if not span.segment:
                break
        return steps

    def _span_here(self) -> Span:
        if not self._spans:
            found = self._index.spans(self._id, self._at, _SPANS_AT_ONCE)
            self._spans.extend(span for span in found if span.offset + span.length > self._at)
        span = self._spans[0] if self._spans else None
        # A gap would otherwise read as a short body, or shift what follows it.
        if span is None or not span.offset <= self._at < span.offset + span.length:
            raise Corrupt("the block index lacks a part of a stored content")
        return span

    def _load(self, steps: list[Step]) -> list[Stored]:
        keep = self._keep if self._as_files else None
        try:
            return self._reader.load(steps, keep)
        except SegmentMissing:
            # The collection moved the blocks elsewhere after this reader had looked: look again, once.
            try:
                return self._reader.load([self._again(step) for step in steps], keep)
            except SegmentMissing as error:
                raise Corrupt("a segment that holds stored data is missing") from error

    def _again(self, step: Step) -> Step:
        for span in self._index.spans(self._id, step.span.offset, 1):
            if span.offset == step.span.offset and span.length == step.span.length:
                return Step(span, step.skip, step.take)
        raise Corrupt("the block index lacks a part of a stored content")

    def _keep(self, name: str) -> None:
        """A file range needs its segment open until the content is closed."""
        with self._lock:
            if self._closed:
                raise Unavailable("the content was closed while it was read")
            if name not in self._kept:
                self._handles.acquire(name)
                self._kept.add(name)


def _length(piece: Stored) -> int:
    if isinstance(piece, int):
        return piece
    return piece.length if isinstance(piece, FileRange) else len(piece)


def _split(piece: Stored, size: int) -> tuple[Stored, Stored | None]:
    """The first `size` bytes of a piece, and the rest of it."""
    if _length(piece) <= size:
        return piece, None
    if isinstance(piece, int):
        return size, piece - size
    if isinstance(piece, FileRange):
        first = FileRange(piece.fd, piece.offset, size)
        return first, FileRange(piece.fd, piece.offset + size, piece.length - size)
    view = memoryview(piece)
    return view[:size], view[size:]


def _in_memory(piece: Stored) -> bytes | memoryview:
    if isinstance(piece, int):
        return bytes(piece)
    if isinstance(piece, FileRange):
        data = os.pread(piece.fd, piece.length, piece.offset)
        if len(data) != piece.length:
            raise Corrupt("a stored file is shorter than it was when it was written")
        return data
    return piece
