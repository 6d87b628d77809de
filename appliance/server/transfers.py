"""Bodies in transfer: threads shared fairly between callers, and how slow a client may be."""

import select
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass

from appliance.errors import ClientVanished
from appliance.server.limits import Limits
from appliance.server.pool import Job, Pool
from appliance.values import Uploader


class Pace:
    """Counts the time that we wait for the client and what it sends meanwhile; our own slowness is not held against it.

    One byte now and then is not enough: over `stall_seconds` of waiting it has to be `minimum_rate` a second.
    """

    def __init__(self, limits: Limits) -> None:
        self.stall_seconds = limits.stall_seconds
        self._window = limits.stall_seconds
        self._rate = limits.minimum_rate
        self._total = limits.upload_seconds
        self._begun = time.monotonic()
        self._waited = 0.0
        self._bytes = 0

    def received(self, size: int) -> None:
        """The client has sent so many bytes."""
        self._bytes += size

    def wait(self, poll: select.poll) -> None:
        """Wait until there is something to receive. Raises `ClientVanished` for a client that is too slow."""
        begin = time.monotonic()
        left = self._begun + self._total - begin if self._total else self.stall_seconds
        ready = poll.poll(max(0.0, min(left, self.stall_seconds)) * 1000)
        now = time.monotonic()
        if self._total and now >= self._begun + self._total:
            raise ClientVanished(f"The client took longer than {self._total:.0f} s to send the body.")
        if not ready:
            raise ClientVanished("The client stopped sending in the middle of the body.")
        self._waited += now - begin
        if self._waited >= self._window:
            if self._bytes < self._rate * self._waited:
                raise ClientVanished(f"The client sent less than {self._rate} bytes a second.")
            self._waited, self._bytes = 0.0, 0


@dataclass(frozen=True, slots=True)
class _Waiting:
    uploader: Uploader
    job: Job


class Transfers:
    """Slots for requests that stream. Those that wait hold no thread, and nobody waits for somebody else's excess."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pool = Pool("transfer", limits.transfer_slots)
        # Guards everything below.
        self._lock = threading.Lock()
        self._running = 0
        self._names: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._queue: deque[_Waiting] = deque()
        self._queued: Counter[str] = Counter()

    def submit(self, uploader: Uploader, job: Job) -> bool:
        """Run `job` when a slot is free for its uploader; False if too many of the same wait already."""
        waiting = _Waiting(uploader, job)
        with self._lock:
            if not self._may_run(uploader):
                if any(self._queued[key] >= self._limits.transfer_queue for key in _keys(uploader)):
                    return False
                self._queue.append(waiting)
                self._queued.update(_keys(uploader))
                return True
            self._count(uploader, 1)
        return self._start(waiting)

    def close(self, seconds: float) -> int:
        """Drop what waits; how many of the others have not ended after that time."""
        with self._lock:
            self._queue.clear()
            self._queued.clear()
        return self._pool.close(seconds)

    def _may_run(self, uploader: Uploader) -> bool:
        limits = self._limits
        return (
            self._running < limits.transfer_slots
            and all(self._names[name] < limits.transfer_slots_per_caller for name in uploader.names)
            and self._addresses[uploader.address] < limits.transfer_slots_per_address
        )

    def _count(self, uploader: Uploader, change: int) -> None:
        self._running += change
        for counter, keys in ((self._names, uploader.names), (self._addresses, (uploader.address,))):
            for key in keys:
                counter[key] += change
                if not counter[key]:
                    del counter[key]

    def _start(self, waiting: _Waiting) -> bool:
        if self._pool.submit(lambda: self._run(waiting)):
            return True
        with self._lock:
            self._count(waiting.uploader, -1)
        return False

    def _run(self, waiting: _Waiting) -> None:
        try:
            waiting.job()
        finally:
            with self._lock:
                self._count(waiting.uploader, -1)
                following = self._next()
            if following is not None:
                self._start(following)

    def _next(self) -> _Waiting | None:
        """The one that has waited longest of those that may run, counted as running. The lock is held."""
        for each in self._queue:
            if self._may_run(each.uploader):
                self._queue.remove(each)
                self._queued.subtract(_keys(each.uploader))
                self._queued += Counter()
                self._count(each.uploader, 1)
                return each
        return None


def _keys(uploader: Uploader) -> tuple[str, ...]:
    return uploader.names or (uploader.address,)
