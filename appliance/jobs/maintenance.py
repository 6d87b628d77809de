"""The background work on the stores and images, as jobs of the scheduler."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from appliance.activity.history import History
from appliance.activity.trail import AuditTrail
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.scrub import DAY, Scrubber, ScrubReport
from appliance.blobs.store import BlobStore
from appliance.errors import Unavailable
from appliance.image.service import Images
from appliance.image.stores import Stores
from appliance.jobs.scheduler import Job, Scheduler, done
from appliance.nodes.membership import TENDED_PER_LEASE
from appliance.nodes.site import Site
from appliance.settings import Settings

log = logging.getLogger(__name__)

_SECOND = 1_000_000
_SCRUB_LOOK = 600.0
_PAUSE = 0.2
_REFILL = 5.0
_KEEP_FIGURES = 600.0
_KEEP_READS = 3600.0
_EXPIRE = 3600.0
_OF_EACH_NODE = frozenset({"reserve", "cache", "certificate", "reads"})
"""Jobs that are about what a node has for itself: its disk, its cache, its certificate, what it has read."""


class Passes:
    """Work that comes as an iterator of steps: one step a call, a new pass when the last one has ended."""

    def __init__(self, begin: Callable[[], Iterator[Any]]) -> None:
        self._begin = begin
        self._running: Iterator[Any] | None = None

    def step(self) -> bool:
        """Take one step; False when the pass is over. A pass whose step raises is over, too."""
        if self._running is None:
            self._running = self._begin()
        try:
            next(self._running)
        except BaseException as error:
            self._running = None
            if isinstance(error, StopIteration):
                return False
            raise
        return True


def collectors(
    stores: Mapping[str, BlobStore], settings: Settings, may_recompress: Callable[[], bool] = lambda: True
) -> dict[str, GarbageCollector]:
    """A collector for each store. `may_recompress` says whether all who read the stores know zstd."""
    return {
        name: GarbageCollector(
            store,
            grace=settings.collect_grace * _SECOND,
            fold=settings.fold_duplicates,
            recompress_after=settings.recompress_after * DAY if settings.recompress_after else None,
            may_recompress=may_recompress,
        )
        for name, store in stores.items()
    }


def maintenance_jobs(stores: Stores, collecting: Mapping[str, GarbageCollector], settings: Settings) -> list[Job]:
    """The jobs `collect` and `scrub` of all stores. A setting of 0 switches one off."""
    passes = Passes(lambda: _chained([collector.steps for collector in collecting.values()]))
    collect = spending(stores, passes.step)

    def mind_reserve() -> bool:
        """Keep room free again; while it is short, collect without waiting."""
        stores.refill()
        return bool(settings.collect_interval) and stores.is_short() and collect()

    jobs = [Job("reserve", mind_reserve, _REFILL)]
    if settings.collect_interval:
        jobs.append(Job("collect", collect, settings.collect_interval, pause=0.02))
    blobs = [store.blobs for store in stores.every() if store.blobs is not None]
    if settings.recompress_after:

        def note_reads() -> None:
            for store in blobs:
                store.note_reads()

        jobs.append(Job("reads", done(note_reads), _KEEP_READS))
    if settings.scrub_interval_days:
        interval = settings.scrub_interval_days * DAY
        scrubbers = [Scrubber(store, interval=interval) for store in blobs]
        scrubbing = Passes(lambda: _chained([_scrub_steps(scrubber, settings.scrub_rate) for scrubber in scrubbers]))

        def ask() -> None:
            for scrubber in scrubbers:
                scrubber.ask()

        def progress() -> tuple[int, int]:
            found = [scrubber.progress() for scrubber in scrubbers]
            return sum(one.checked for one in found), sum(one.size for one in found)

        step = spending(stores, scrubbing.step)
        jobs.append(Job("scrub", step, _SCRUB_LOOK, pause=_PAUSE, asked=ask, progress=progress))
    return jobs


def spending(stores: Stores, step: Callable[[], bool]) -> Callable[[], bool]:
    """A step that goes on when the disk is full but for the reserve."""

    def spend() -> bool:
        with stores.spending():
            return step()

    return spend


def _chained(begins: list[Callable[[], Iterator[Any]]]) -> Iterator[Any]:
    """One store after the other; one that is out of reach does not hold up the rest."""
    for begin in begins:
        try:
            yield from begin()
        except Unavailable as error:
            log.warning("a store is left out this time: %s", error)


def _scrub_steps(scrubber: Scrubber, rate: int) -> Callable[[], Iterator[None]]:
    """The scrub's steps, thinned out so that about `rate` bytes a second are read."""

    def begin() -> Iterator[None]:
        allowance = 0.0
        for length in scrubber.steps(ScrubReport()):
            allowance -= length
            while allowance < 0:
                yield None
                allowance += rate * _PAUSE

    return begin


def activity_jobs(history: History, trail: AuditTrail) -> list[Job]:
    """The jobs that keep the stores' figures of each hour, and drop old events."""
    return [Job("history", done(history.keep), _KEEP_FIGURES), Job("events", trail.expire, _EXPIRE)]


def image_jobs(images: Images, settings: Settings) -> list[Job]:
    """The jobs of the image package."""
    # With the setting off there may still be images from when it was on.
    jobs = [Job("scrub-images", spending(images.stores, images.deletion.scrub), settings.wakeup_time)]
    if settings.image_cache_dir:
        jobs.append(Job("cache", images.cache.step, settings.cache_prefetcher_interval))
    return jobs


class SharedScheduler(Scheduler):
    """A scheduler of one of several nodes: a job that concerns all runs at one of them, wherever it is asked for.

    It has one job more, which looks after the other nodes and has `recover` put right what they have left.
    """

    def __init__(self, jobs: Iterable[Job], site: Site, recover: Callable[[], object]) -> None:
        self._nodes = site.nodes

        def tend() -> None:
            self._look()
            site.tend(recover)

        tending = Job("nodes", done(tend), site.nodes.lease_seconds / TENDED_PER_LEASE)
        super().__init__([*(self._guarded(job) for job in jobs), tending])

    def _guarded(self, job: Job) -> Job:
        if job.name in _OF_EACH_NODE:
            return job
        return replace(job, step=lambda: self._nodes.runs(job.name) and job.step())

    def wake(self, name: str) -> bool:
        if name in _OF_EACH_NODE:
            return super().wake(name)
        self._nodes.ask(name)
        return any(state.name == name for state in self.states())

    def _look(self) -> None:
        """Run what was asked for elsewhere."""
        for name in self._nodes.asked(state.name for state in self.states()):
            super().wake(name)
