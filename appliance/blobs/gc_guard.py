"""What lives only while the process does: uploads under way, readers, holds, and a clock that never repeats itself."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from appliance.blobs.epochs import Others
from appliance.values import Clock, Micros

RemovalLock = Callable[[], AbstractContextManager[bool]]
"""Says, for as long as it is entered, whether the rest of the machine lets segments go."""


def always_open() -> AbstractContextManager[bool]:
    """The removal lock of a store that no other process looks at."""
    return nullcontext(True)


class GcGuard:
    """Tells the collection what it must leave alone.

    An upload never reuses a marked block, so it can only have met a block that was marked *after* it began.
    Blocks of a marking are therefore deleted only when every upload that began before its commit has ended.
    """

    def __init__(self, clock: Clock, removal_lock: RemovalLock = always_open, others: Others | None = None) -> None:
        self._clock = clock
        self.others = others
        self._removal_lock = removal_lock
        self._lock = threading.Lock()
        self._last: Micros = 0
        self._ingests: dict[bytes, Micros] = {}
        self._fresh: dict[str, bytes] = {}
        self._readers: Counter[int] = Counter()
        # The epoch in which each upload, and the oldest reader of each content, was begun.
        self._epochs: dict[bytes | int, int] = {}
        self._holds = 0
        self._removal = threading.Lock()
        self.maintenance = threading.Lock()
        """Held by whoever collects or rewrites: one at a time."""
        # (time written into the rows, time after the commit), oldest first.
        self._markings: deque[tuple[Micros, Micros]] = deque()

    def tick(self) -> Micros:
        """The time, later than any tick before."""
        with self._lock:
            return self._tick()

    def _tick(self) -> Micros:
        self._last = max(self._last + 1, self._clock())
        return self._last

    def _epoch(self) -> int:
        return self.others.epoch if self.others is not None else 0

    def ingest_began(self, upload: bytes) -> None:
        with self._lock:
            self._ingests[upload] = self._tick()
            self._epochs[upload] = self._epoch()

    def segment_begun(self, upload: bytes, name: str) -> None:
        """The upload writes a segment of that name: no orphan, even before the index knows it."""
        with self._lock:
            self._fresh[name] = upload

    def segment_known(self, name: str) -> None:
        """The index knows the segment."""
        with self._lock:
            self._fresh.pop(name, None)

    def is_fresh(self, name: str) -> bool:
        with self._lock:
            return name in self._fresh

    def ingest_ended(self, upload: bytes) -> None:
        with self._lock:
            self._ingests.pop(upload, None)
            self._epochs.pop(upload, None)
            for name in [name for name, owner in self._fresh.items() if owner == upload]:
                del self._fresh[name]

    def ingests(self) -> int:
        with self._lock:
            return len(self._ingests)

    def marked(self, condemned_at: Micros) -> None:
        """A marking that carries this time has been committed."""
        with self._lock:
            self._markings.append((condemned_at, self._tick()))

    def deletable(self) -> Micros:
        """Blocks marked for deletion up to this time can't have been met by any upload that is still under way."""
        with self._lock:
            oldest = min(self._ingests.values(), default=None)
            if oldest is None:
                self._markings.clear()
                return self._tick()
            safe: Micros = -1
            while self._markings and self._markings[0][1] < oldest:
                safe = self._markings.popleft()[0]
            if safe >= 0:
                self._markings.appendleft((safe, safe))
                return safe
            # Nothing is known to be safe but what was marked for deletion before the first marking still in doubt.
            return min(self._markings[0][0] - 1, oldest - 1) if self._markings else oldest - 1

    def reader_opened(self, content_id: int) -> None:
        with self._lock:
            self._readers[content_id] += 1
            self._epochs.setdefault(content_id, self._epoch())

    def reader_closed(self, content_id: int) -> None:
        with self._lock:
            self._readers[content_id] -= 1
            if self._readers[content_id] <= 0:
                del self._readers[content_id]
                self._epochs.pop(content_id, None)

    def oldest_epoch(self) -> int | None:
        """In which epoch the oldest of what is under way was begun; None if nothing is."""
        with self._lock:
            return min(self._epochs.values(), default=None)

    def is_read(self, content_id: int) -> bool:
        with self._lock:
            return content_id in self._readers

    @contextmanager
    def hold(self) -> Iterator[None]:
        """While any hold lasts, no segment leaves the backend."""
        # Waits for a removal that has begun: what the database names from here on stays.
        with self._removal:
            self._holds += 1
        try:
            yield
        finally:
            with self._removal:
                self._holds -= 1

    @contextmanager
    def removing(self) -> Iterator[bool]:
        """A few rows and their files go in this block, if it says so."""
        with self._removal, self._removal_lock() as open_:
            yield open_ and self._holds == 0 and (self.others is None or self.others.may_remove)

    def is_held(self) -> bool:
        return self._holds > 0
