"""What runs now: image data on its way in and out, as it moves, and the background jobs."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from appliance.values import Caller, Clock, Content, Micros, Piece, Source, elapsed

_SECOND = 1_000_000
UPLOAD, DOWNLOAD = "upload", "download"


@dataclass(slots=True, eq=False)
class Transfer:
    """One that runs. Only its own thread moves it; others look."""

    kind: str
    image_id: str
    caller: Caller
    address: str
    size: int | None
    since: Micros
    moved: int = 0
    rate: float = 0.0
    """Bytes a second, over the last second or so."""
    follows: tuple[str, int] | None = None
    """Store and number of the content that an upload is the same as so far."""
    _marked_at: Micros = field(default_factory=elapsed)
    _marked: int = 0

    def move(self, length: int) -> None:
        self.moved += length
        at = elapsed()
        if at - self._marked_at >= _SECOND:
            self.rate = (self.moved - self._marked) * _SECOND / (at - self._marked_at)
            self._marked_at, self._marked = at, self.moved


class Transfers:
    """All that run now, and how many bytes those that ended have moved."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._running: set[Transfer] = set()
        self._ended = {UPLOAD: 0, DOWNLOAD: 0}

    def begin(self, kind: str, image_id: str, caller: Caller, address: str, size: int | None) -> Transfer:
        transfer = Transfer(kind, image_id, caller, address, size, self._clock())
        with self._lock:
            self._running.add(transfer)
        return transfer

    def end(self, transfer: Transfer) -> None:
        """May be called twice."""
        with self._lock:
            if transfer in self._running:
                self._running.discard(transfer)
                self._ended[transfer.kind] += transfer.moved

    def running(self, kind: str) -> list[Transfer]:
        """Those of a kind, oldest first."""
        with self._lock:
            return sorted((one for one in self._running if one.kind == kind), key=lambda one: one.since)

    def total(self, kind: str) -> int:
        """Bytes that ever moved, those of running transfers included."""
        with self._lock:
            return self._ended[kind] + sum(one.moved for one in self._running if one.kind == kind)


class CountedSource:
    """A request's body that tells a transfer what is read of it."""

    def __init__(self, source: Source, transfer: Transfer) -> None:
        self._source = source
        self._transfer = transfer
        readinto = getattr(source, "readinto", None)
        if readinto is not None:
            self._readinto = readinto
            self.readinto = self._counted_readinto

    def follows(self, store: str, content_id: int | None) -> None:
        """What came so far is how this content begins; None if it is new."""
        self._transfer.follows = None if content_id is None else (store, content_id)

    def _counted_readinto(self, room: memoryview) -> int:
        count: int = self._readinto(room)
        self._transfer.move(count)
        return count

    def read(self, size: int = -1, /) -> bytes:
        part = self._source.read(size)
        self._transfer.move(len(part))
        return part


class CountedContent:
    """A response's content that tells a transfer what leaves, and when it is over."""

    def __init__(self, content: Content, transfer: Transfer, transfers: Transfers) -> None:
        self._content = content
        self._transfer = transfer
        self._transfers = transfers
        self.length = content.length

    def read(self, size: int = -1, /) -> bytes:
        part = self._content.read(size)
        self._transfer.move(len(part))
        return part

    def pieces(self) -> Iterator[Piece]:
        for piece in self._content.pieces():
            self._transfer.move(len(piece) if isinstance(piece, bytes | memoryview) else piece.length)
            yield piece

    def close(self) -> None:
        self._transfers.end(self._transfer)
        self._content.close()


@dataclass(slots=True)
class JobState:
    """How a background job is."""

    name: str
    running: bool = False
    started_at: Micros | None = None
    """When its last run began, and when it ended: a run is all steps up to the one that leaves nothing to do."""
    ended_at: Micros | None = None
    next_at: Micros | None = None
    error: str = ""
    progress: Callable[[], tuple[int, int] | None] = field(default=lambda: None, repr=False)
    """How many bytes are done, and of how many."""


class Jobs(Protocol):
    """The background jobs, as their scheduler shows them."""

    def states(self) -> list[JobState]: ...

    def wake(self, name: str) -> bool:
        """Have a job run now; False if there is none of that name."""
        ...
