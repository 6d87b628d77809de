"""Background work in small steps: one thread, a list of jobs, each called when its time has come."""

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

log = logging.getLogger(__name__)

_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is done in steps, each short enough that nobody waits for it for long.

    `step` returns True if there is more to do: it is called again after `pause` seconds, else after `interval`.
    A step that raises is logged and tried again after `interval`: background work never ends the service.
    """

    name: str
    step: Callable[[], bool]
    interval: float
    pause: float = 0.05


class Scheduler:
    """Runs jobs from `start` to `stop` in a thread of its own, one step at a time."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = list(jobs)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin. Each job's first step comes after its pause, so that the service answers first."""
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin no further step, and wait for the running one. May be called twice, and without a start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
            if self._thread.is_alive():
                log.warning("a background job would not end and was left behind")

    def _run(self) -> None:
        begin = time.monotonic()
        due = [(begin + job.pause, number) for number, job in enumerate(self._jobs)]
        heapq.heapify(due)
        while due:
            at, number = due[0]
            if self._stopping.wait(max(0.0, at - time.monotonic())):
                return
            job = self._jobs[number]
            delay = job.pause if self._step(job) else job.interval
            heapq.heapreplace(due, (time.monotonic() + delay, number))

    def _step(self, job: Job) -> bool:
        try:
            return job.step()
        except Exception:
            log.exception("the job %s failed; it is tried again in %g seconds", job.name, job.interval)
            return False
