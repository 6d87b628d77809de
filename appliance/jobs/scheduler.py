"""Background work in small steps: one thread, a list of jobs, each called when its time has come."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from appliance.activity.running import JobState
from appliance.errors import Failure
from appliance.values import now

log = logging.getLogger(__name__)

_STOP_SECONDS = 30.0
_AGAIN = 60.0
"""Seconds after which a job that failed is tried again, if it would not come anyway."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is done in steps, each short enough that nobody waits for it for long.

    `step` returns True if there is more to do: it is called again after `pause` seconds, else after `interval`.
    A step that raises is logged and tried again: background work never ends the service.
    """

    name: str
    step: Callable[[], bool]
    interval: float
    pause: float = 0.05
    asked: Callable[[], None] = lambda: None
    """Called when somebody wants it to run now."""
    progress: Callable[[], tuple[int, int] | None] = lambda: None
    """How many bytes are done, and of how many."""


def done(work: Callable[[], object]) -> Callable[[], bool]:
    """Work that is over in one step."""

    def step() -> bool:
        work()
        return False

    return step


class Scheduler:
    """Runs jobs from `start` to `stop` in a thread of its own, one step at a time."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = list(jobs)
        self._states = {job.name: JobState(job.name, progress=job.progress) for job in self._jobs}
        self._stopping = False
        self._woken: set[str] = set()
        # Guards the two above, and tells the thread that one of them has changed.
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin. Each job's first step comes after its pause, so that the service answers first."""
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin no further step, and wait for the running one. May be called twice, and without a start."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
            if self._thread.is_alive():
                log.warning("a background job would not end and was left behind")

    def wake(self, name: str) -> bool:
        """Have a job run now instead of when its time comes; False if there is none of that name."""
        for job in self._jobs:
            if job.name == name:
                job.asked()
                self._states[name].running = True
        with self._changed:
            self._woken.add(name)
            self._changed.notify()
        return name in self._states

    def states(self) -> list[JobState]:
        """How each job is, in their order."""
        return list(self._states.values())

    def _run(self) -> None:
        due = {job.name: time.monotonic() + job.pause for job in self._jobs}
        while (job := self._next(due)) is not None:
            state = self._states[job.name]
            if state.started_at is None or not state.running or state.ended_at is not None:
                state.started_at, state.ended_at, state.running = now(), None, True
            more = self._step(job)
            delay = job.pause if more else self._end(job)
            state.next_at = now() + int(delay * 1_000_000)
            due[job.name] = time.monotonic() + delay

    def _end(self, job: Job) -> float:
        """A run is over; how long to wait for the next."""
        state = self._states[job.name]
        state.ended_at, state.running = now(), False
        return min(job.interval, _AGAIN) if state.error else job.interval

    def _next(self, due: dict[str, float]) -> Job | None:
        """Wait for the next job's time; None when it is time to stop."""
        with self._changed:
            while not self._stopping:
                for name in self._woken & due.keys():
                    due[name] = 0.0
                self._woken.clear()
                job = min(self._jobs, key=lambda job: due[job.name], default=None)
                rest = due[job.name] - time.monotonic() if job else None
                if job is not None and rest is not None and rest <= 0:
                    return job
                self._changed.wait(rest)
        return None

    def _step(self, job: Job) -> bool:
        state = self._states[job.name]
        try:
            more = job.step()
            if state.error:
                log.info("the job %s goes on", job.name)
            state.error = ""
            return more
        except Failure as error:
            # What it needs is away or full: whoever has it says so, and one sentence is enough here.
            if not state.error:
                log.warning("the job %s waits until it can be done: %s", job.name, error)
            state.error = str(error)
        except Exception as error:
            state.error = str(error) or type(error).__name__
            log.exception("the job %s failed; it is tried again in %g seconds", job.name, min(job.interval, _AGAIN))
        return False
