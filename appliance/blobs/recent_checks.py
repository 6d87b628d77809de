"""Which runs of raw blocks were checked a short while ago, so that a run many clients ask for is not hashed for each.

What a check has read stands in the kernel's page cache, and that is what `sendfile` sends: for as long as it stands
there, to hash it again is to hash the same memory. Whatever has left the cache and come back is checked at most
`seconds` later; damage that anybody finds ends all trust at once.
"""

import threading
import time
from collections.abc import Callable

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
