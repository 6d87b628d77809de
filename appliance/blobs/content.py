"""A stored content on its way out: windows of blocks, in order.

Whoever takes its pieces reads, checks and decodes them in its own thread, while the kernel fetches what follows. For
`read`, and where only reading fetches, a small pool loads ahead.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from types import TracebackType

from appliance.blobs.backends.base import SegmentMissing
from appliance.blobs.block_reader import BlockReader, Handles, Scratch, Stored
from appliance.blobs.index import BlockIndex
from appliance.blobs.runs import Plan, Run
from appliance.errors import Corrupt, Failure, RangeNotSatisfiable, Unavailable
from appliance.values import MIB, FileRange, Piece

_AHEAD = 2
_ZEROS = memoryview(bytes(MIB))

Keep = Callable[[str], None]
Loading = Future[list[Stored | Failure]]


class StoredContent:
    """Satisfies `values.Content`, and can `seek`. In memory it holds a part of a window for who takes pieces, and at
    most three windows for who reads; holes need none.

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
        self._start = start
        self._index = index
        self._plan = Plan(index, content_id, start, start + length)
        self._reader = reader
        self._handles = handles
        self._pool = pool
        self._on_close = on_close
        self._windows: deque[Loading] = deque()
        self._ready: deque[Stored | Failure] = deque()
        self._kept: set[str] = set()
        self._closed = False
        self._scratch = Scratch()
        self._lock = threading.Lock()

    # -- the two ways to read ----------------------------------------------------------------------------------------

    def pieces(self) -> Iterator[Piece]:
        """The rest, piece by piece: raw runs as file ranges, the others in memory. Each was checked a moment ago."""
        windows: deque[list[Run] | Loading] = deque(self._windows)
        self._windows.clear()
        while self._ready and (taken := self._next()) is not None:
            yield from _as_pieces(taken)
        while True:
            while len(windows) <= _AHEAD and (window := self._plan.window()):
                local = all(self._reader.read_ahead(run) for run in window)
                windows.append(window if local else self._submit(window, self._keep))
            if not windows:
                return
            first = windows.popleft()
            for piece in self._made(first) if isinstance(first, list) else first.result():
                if isinstance(piece, Failure):
                    raise piece
                if isinstance(piece, int):
                    yield from _as_pieces(piece)
                else:
                    yield piece

    def _made(self, window: list[Run]) -> Iterator[Stored]:
        """The window's pieces, made in this thread as they are taken."""
        self._check_open()
        for run in window:
            try:
                yield from self._reader.pieces(run, self._keep, self._scratch)
            except SegmentMissing:
                yield from self._load_again(run, self._keep)

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
        self._plan = Plan(self._index, self._id, self._start + position, self._start + self.length)

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
        piece = self._ready[0]
        if isinstance(piece, Failure):
            # It stays: what comes behind it must not take its place.
            raise piece
        self._ready.popleft()
        return piece

    def _look_ahead(self) -> None:
        while len(self._windows) < _AHEAD and (window := self._plan.window()):
            self._windows.append(self._submit(window, None))

    def _submit(self, window: list[Run], keep: Keep | None) -> Loading:
        self._check_open()
        if not window[0].segment:
            hole: Loading = Future()
            hole.set_result([window[0].take])
            return hole
        try:
            return self._pool.submit(self._load, window, keep)
        except RuntimeError as error:
            raise Unavailable("the store is shutting down") from error

    def _load(self, window: list[Run], keep: Keep | None) -> "list[Stored | Failure]":
        """The window's pieces, in memory of their own, up to the first that can't be had: then why."""
        loaded: list[Stored | Failure] = []
        try:
            for run in window:
                try:
                    loaded.extend(self._reader.pieces(run, keep, Scratch()))
                except SegmentMissing:
                    loaded.extend(self._load_again(run, keep))
        except Failure as error:
            loaded.append(error)
        return loaded

    def _load_again(self, run: Run, keep: Keep | None) -> list[Stored]:
        """The collection moved the blocks elsewhere after this reader had looked: look again, once."""
        try:
            return [piece for each in self._plan.again(run) for piece in self._reader.pieces(each, keep, Scratch())]
        except SegmentMissing as error:
            raise Corrupt("a segment that holds stored data is missing") from error

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the content was closed while it was read")

    def _keep(self, name: str) -> None:
        """A file range needs its segment open until the content is closed."""
        with self._lock:
            self._check_open()
            if name not in self._kept:
                self._handles.acquire(name)
                self._kept.add(name)


def _as_pieces(piece: Stored) -> Iterator[Piece]:
    """A piece, or the zeros that a number stands for."""
    if isinstance(piece, int):
        for part in range(0, piece, MIB):
            yield _ZEROS[: min(MIB, piece - part)]
    else:
        yield piece


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
