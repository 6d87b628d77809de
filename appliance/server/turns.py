"""A pool whose threads take turns, so that they don't fight for the one interpreter lock.

One job runs at a time, and the thread that ends it begins the next without waking anybody. A job that has not ended
within `patience` is taken to wait for a disk, a lock or another server: then the next begins beside it. Such a job
runs on, and so do those that overtake it, up to the bound of the pool.
"""

import threading
import time

from appliance.server.pool import Job, Pool


class TurnPool(Pool):
    """Up to `threads` threads, of which one has the turn."""

    def __init__(self, name: str, threads: int, patience: float, idle_seconds: float = 30.0) -> None:
        super().__init__(name, threads, idle_seconds=idle_seconds)
        self._patience = patience
        # The thread that has the turn, and since when. Guarded by _changed, like all below.
        self._holder: int | None = None
        self._since = 0.0
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

    def stretch(self, threads: int) -> None:
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
        return self._holder is None or time.monotonic() >= self._since + self._patience

    def _take(self) -> None:
        self._holder = threading.get_ident()
        self._since = time.monotonic()

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
        """Wait until the holder has ended or had its time."""
        self._watched = True
        self._changed.wait(max(0.0, self._since + self._patience - time.monotonic()))
        self._watched = False
