"""Where password hashes are computed: a few threads of low priority, and a bounded queue that is fair to addresses."""

import contextlib
import logging
import os
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from appliance.errors import ClientVanished, TooManyRequests
from appliance.identity.auth.throttle import network_of
from appliance.values import Client, current_client

_log = logging.getLogger(__name__)

T = TypeVar("T")

_MOST_THREADS = 4
"""Unless told otherwise: each computation takes 64 MiB."""
_NICENESS = 5
"""Ordinary requests go first. Where they leave nothing over, a hash still gets a quarter of a processor."""
_IDLE_SECONDS = 10.0
_A_SECOND = 5
"""About how many hashes one thread computes in a second, to say when it may be worth coming back."""
_SWEEP_SECONDS = 0.25


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[], Any]
    client: Client
    result: "Future[Any]" = field(default_factory=Future)


class HashQueue:
    """Runs one computation after the other on its own threads, while whoever asked waits.

    Addresses take turns, so that a thousand requests of one delay another's by one. When the queue is full, a request
    from an address with fewer waiting takes the place of the last one of the address with most. Requests whose client
    has left are dropped without being computed.
    """

    def __init__(self, threads: int = 0, waiting: int = 128) -> None:
        self._most_threads = threads or min(len(os.sched_getaffinity(0)), _MOST_THREADS)
        self._most_waiting = waiting
        # Guards everything below. Never held while a hash is computed.
        self._changed = threading.Condition()
        self._queues: OrderedDict[str, deque[_Job]] = OrderedDict()
        self._waiting = 0
        self._entered = 0
        self._threads = 0
        self._idle = 0
        self._sweep_at = 0.0

    def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises `TooManyRequests` if too many wait, `ClientVanished` for nobody."""
        client = current_client.get()
        job = _Job(work, client)
        with self._changed:
            self._enter(job, network_of(client.address))
        with client.waiting():
            result: T = job.result.result()
        return result

    @property
    def entered(self) -> int:
        """How many computations were ever accepted."""
        with self._changed:
            return self._entered

    @property
    def waiting(self) -> int:
        """How many computations have not begun."""
        with self._changed:
            return self._waiting

    def _enter(self, job: _Job, address: str) -> None:
        """The lock is held."""
        # A thread that was notified but hasn't woken yet still counts as idle, and its job as waiting.
        free = self._idle + self._most_threads - self._threads
        if self._waiting >= self._most_waiting + free:
            self._make_room(address)
        self._queues.setdefault(address, deque()).append(job)
        self._waiting += 1
        self._entered += 1
        if self._waiting > self._idle and self._threads < self._most_threads:
            self._grow(address, job)
        else:
            self._changed.notify()

    def _grow(self, address: str, job: _Job) -> None:
        """Start a thread; without any, the job just queued is refused. The lock is held."""
        try:
            threading.Thread(target=self._work, name="password", daemon=True).start()
        except RuntimeError:
            _log.exception("a thread that checks passwords can't be started")
            if not self._threads:
                self._remove(address, job)
                raise self._full() from None
            return
        self._threads += 1

    def _make_room(self, address: str) -> None:
        """Take away whoever has left, else the last one of the address with most. The lock is held."""
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + _SWEEP_SECONDS
            if self._sweep():
                return
        busiest, jobs = max(self._queues.items(), key=lambda item: len(item[1]), default=(address, deque()))
        if len(jobs) <= len(self._queues.get(address, ())) + 1:
            raise self._full()
        last = jobs[-1]
        self._remove(busiest, last)
        last.result.set_exception(self._full())

    def _sweep(self) -> bool:
        """Whether a place was freed by dropping those whose client has left. The lock is held."""
        left = [(address, job) for address, jobs in self._queues.items() for job in jobs if job.client.has_left()]
        for address, job in left:
            self._remove(address, job)
            job.result.set_exception(_nobody())
        return bool(left)

    def _remove(self, address: str, job: _Job) -> None:
        """The lock is held."""
        jobs = self._queues[address]
        jobs.remove(job)
        if not jobs:
            del self._queues[address]
        self._waiting -= 1

    def _full(self) -> TooManyRequests:
        seconds = 1 + self._waiting // (self._most_threads * _A_SECOND)
        return TooManyRequests(f"Too many log-ins at once. Try again in {seconds} seconds.", seconds)

    # -- the threads -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        _lower_priority()
        while (job := self._next()) is not None:
            if job.client.has_left():
                job.result.set_exception(_nobody())
                continue
            try:
                job.result.set_result(job.work())
            except BaseException as error:
                job.result.set_exception(error)

    def _next(self) -> _Job | None:
        """The next address's first job; None if none has come for so long that the thread may go."""
        with self._changed:
            while not self._queues:
                self._idle += 1
                news = self._changed.wait(_IDLE_SECONDS)
                self._idle -= 1
                if not news and not self._queues:
                    self._threads -= 1
                    return None
            address, jobs = next(iter(self._queues.items()))
            job = jobs[0]
            self._queues.move_to_end(address)
            self._remove(address, job)
            return job


def _nobody() -> ClientVanished:
    return ClientVanished("The client left while its log-in waited.")


def _lower_priority() -> None:
    """On Linux priority is a thread's own. It can't be raised again, so these threads do nothing else."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
