"""Threads for handlers: a pool, and one whose threads take turns."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_log = logging.getLogger(__name__)

Job = Callable[[], object]

_here = threading.local()


@contextmanager
def waiting() -> Iterator[None]:
    """Around a wait of the job that runs in this thread: meanwhile the pool may have one thread more.

    Only for waits whose number something else bounds.
    """
    pool: Pool | None = getattr(_here, "pool", None)
    if pool is None:
        yield
        return
    pool.part(1)
    try:
        yield
    finally:
        pool.part(-1)


class Pool:
    """Up to `threads` threads; up to `waiting` jobs wait for one (None: any number)."""

    def __init__(self, name: str, threads: int, waiting: int | None = None, idle_seconds: float = 30.0) -> None:
        self._name = name
        self._most = threads
        self._waiting = waiting
        self._idle_seconds = idle_seconds
        # Guards everything below. Never held while a job runs.
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def submit(self, job: Job) -> bool:
        """Queue `job`; False if the pool is closed or too many wait already."""
        with self._changed:
            free = self._idle + self._most - self._threads
            if self._closed or (self._waiting is not None and len(self._jobs) >= free + self._waiting):
                return False
            self._jobs.append(job)
            # A thread that was notified but hasn't woken yet still counts as idle, and its job as queued.
            if len(self._jobs) > self._idle and self._threads < self._most:
                return self._grow()
            self._changed.notify()
            return True

    def part(self, threads: int) -> None:
        """Allow so many threads more, or less."""
        with self._changed:
            self._most += threads
            if len(self._jobs) > self._idle and self._threads < self._most:
                self._grow()

    def _grow(self) -> bool:
        """Start a thread; without one, the job just queued is refused. The lock is held."""
        try:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError:
            _log.exception("the pool %s can't start a thread", self._name)
            if self._threads:
                return True
            self._jobs.pop()
            return False
        self._threads += 1
        return True

    @property
    def threads(self) -> int:
        """How many threads there are at the moment."""
        with self._changed:
            return self._threads

    def close(self, seconds: float, *, drop: bool = True) -> int:
        """Drop the jobs that wait, or not, give the others `seconds` to end, and say how many threads haven't."""
        end = time.monotonic() + seconds
        with self._changed:
            self._closed = True
            if drop:
                self._jobs.clear()
            self._changed.notify_all()
            while self._threads and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            return self._threads

    def _work(self) -> None:
        _here.pool = self
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:
                _log.exception("a job of the pool %s failed", self._name)

    def _next(self) -> Job | None:
        with self._changed:
            if self._threads > self._most:
                # Somebody has come back from a wait. The others see to the jobs that are queued.
                self._leave()
                return None
            while not self._jobs:
                if self._closed or not self._rest():
                    self._leave()
                    return None
            return self._jobs.popleft()

    def _leave(self) -> None:
        """This thread ends. The lock is held."""
        self._threads -= 1
        self._changed.notify_all()

    def _rest(self) -> bool:
        """Wait for news; False if none came for so long that the thread may go."""
        self._idle += 1
        news = self._changed.wait(self._idle_seconds)
        self._idle -= 1
        return news or bool(self._jobs) or self._closed


class TurnPool(Pool):
    """Up to `threads` threads, of which one has the turn.

    A job that has not ended after `patience` seconds loses it if it waits; two that compute would only fight for the
    interpreter lock.
    """

    longest = 10
    """Times its patience for which it leaves the turn to a job that computes."""

    def __init__(self, name: str, threads: int, patience: float, idle_seconds: float = 30.0) -> None:
        super().__init__(name, threads, idle_seconds=idle_seconds)
        self._patience = patience
        # The thread that has the turn, since when, the clock of its processor time, and what that showed then.
        # Guarded by _changed, like all below.
        self._holder: int | None = None
        self._since = 0.0
        self._clock = 0
        self._spent = 0.0
        # One thread watches whether the holder takes too long, while jobs wait.
        self._watched = False
        # An idle thread was called and has not looked yet.
        self._called = False
        self._away = 0

    def submit(self, job: Job) -> bool:
        """Queue `job`; False if the pool is closed."""
        with self._changed:
            if self._closed:
                return False
            self._jobs.append(job)
            return self._call()

    def _call(self) -> bool:
        """See to it that somebody looks at the queue: the holder at its end, or a thread that watches. Lock held."""
        if self._called or (self._watched and self._holder is not None):
            return True
        if self._idle or self._watched:
            self._called = True
            # notify() may pick the one that watches, which is as good.
            self._changed.notify()
            return True
        self._called = self._threads < self._most
        return self._grow() if self._called else True

    def part(self, threads: int) -> None:
        """Allow so many threads more, or less. Who begins to wait gives the turn up at once, and goes on without it."""
        with self._changed:
            self._most += threads
            if threads > 0:
                self._release()
                if self._jobs:
                    self._call()

    # -- for the job that runs -----------------------------------------------------------------------------------

    def step_aside(self) -> bool:
        """The job is about to wait for something that may never come. False if others want this thread."""
        with self._changed:
            if self._jobs or self._closed or self._away * 2 >= self._most:
                return False
            self._away += 1
            self._release()
            return True

    def step_back(self, *, go_on: bool) -> bool:
        """The wait is over: True if the job wants to go on and may, False if others come first."""
        with self._changed:
            self._away -= 1
            if not go_on or self._jobs or not self._free():
                return False
            self._take()
            return True

    # -- threads -------------------------------------------------------------------------------------------------

    def _free(self) -> bool:
        if self._holder is None:
            return True
        elapsed = time.monotonic() - self._since
        return elapsed >= self._patience and (elapsed >= self._patience * self.longest or not self._computes(elapsed))

    def _computes(self, elapsed: float) -> bool:
        """Whether the holder had a processor for a good part of that time."""
        try:
            spent = time.clock_gettime(self._clock) - self._spent
        except OSError:
            # The thread has ended in the middle of its job.
            return False
        return spent * 4 >= elapsed

    def _take(self) -> None:
        self._holder = threading.get_ident()
        self._since = time.monotonic()
        self._clock = time.pthread_getcpuclockid(self._holder)
        self._spent = time.clock_gettime(self._clock)

    def _release(self) -> None:
        if self._holder == threading.get_ident():
            self._holder = None

    def _next(self) -> Job | None:
        with self._changed:
            self._release()
            while True:
                self._called = False
                if self._jobs and self._free():
                    self._take()
                    job = self._jobs.popleft()
                    if self._jobs:
                        self._call()
                    return job
                if self._jobs and not self._watched:
                    self._watch()
                elif self._closed or not self._rest():
                    self._leave()
                    return None

    def _watch(self) -> None:
        """Wait until the holder has ended or had its time, or it is time to look at it again."""
        self._watched = True
        left = self._since + self._patience - time.monotonic()
        self._changed.wait(left if left > 0 else self._patience)
        self._watched = False
