"""Threads that run jobs: made when needed, up to a bound, gone when idle."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

_log = logging.getLogger(__name__)

Job = Callable[[], None]


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
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:
                _log.exception("a job of the pool %s failed", self._name)

    def _next(self) -> Job | None:
        with self._changed:
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
