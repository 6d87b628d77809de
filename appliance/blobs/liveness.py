"""What lives only while the process does: uploads under way, readers, holds, and a clock that never repeats itself."""

import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from appliance.values import Clock, Micros


class Liveness:
    """Tells the collection what it must leave alone.

    An upload never reuses a condemned block, so it can only have met a block that was condemned *after* it began.
    Blocks of a condemnation are therefore deleted only when every upload that began before its commit has ended.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: Micros = 0
        self._ingests: dict[int, Micros] = {}
        self._readers: Counter[int] = Counter()
        self._holds = 0
        # (time written into the rows, time after the commit), oldest first.
        self._condemnations: deque[tuple[Micros, Micros]] = deque()

    def tick(self) -> Micros:
        """The time, later than any tick before."""
        with self._lock:
            return self._tick()

    def _tick(self) -> Micros:
        self._last = max(self._last + 1, self._clock())
        return self._last

    def ingest_began(self, key: int) -> None:
        with self._lock:
            self._ingests[key] = self._tick()

    def ingest_ended(self, key: int) -> None:
        with self._lock:
            self._ingests.pop(key, None)

    def ingests(self) -> int:
        with self._lock:
            return len(self._ingests)

    def condemned(self, condemned_at: Micros) -> None:
        """A condemnation that carries this time has been committed."""
        with self._lock:
            self._condemnations.append((condemned_at, self._tick()))

    def deletable(self) -> Micros:
        """Blocks condemned up to this time can't have been met by any upload that is still under way."""
        with self._lock:
            oldest = min(self._ingests.values(), default=None)
            if oldest is None:
                self._condemnations.clear()
                return self._tick()
            safe: Micros = -1
            while self._condemnations and self._condemnations[0][1] < oldest:
                safe = self._condemnations.popleft()[0]
            if safe >= 0:
                self._condemnations.appendleft((safe, safe))
                return safe
            # Nothing is known to be safe but what was condemned before the first condemnation still in doubt.
            return min(self._condemnations[0][0] - 1, oldest - 1) if self._condemnations else oldest - 1

    def reader_opened(self, content_id: int) -> None:
        with self._lock:
            self._readers[content_id] += 1

    def reader_closed(self, content_id: int) -> None:
        with self._lock:
            self._readers[content_id] -= 1
            if self._readers[content_id] <= 0:
                del self._readers[content_id]

    def is_read(self, content_id: int) -> bool:
        with self._lock:
            return content_id in self._readers

    @contextmanager
    def hold(self) -> Iterator[None]:
        """While any hold lasts, no segment leaves the shelf."""
        with self._lock:
            self._holds += 1
        try:
            yield
        finally:
            with self._lock:
                self._holds -= 1

    def is_held(self) -> bool:
        with self._lock:
            return self._holds > 0
