"""Gives the space of released contents back, in small steps, without ever counting references.

Mark what nothing names; wait; look again and delete the rows; only then unlink. Each step is one short
transaction or the removal of a few files, so that nobody waits for the collection.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from appliance.blobs.codec import DenseEncoder
from appliance.blobs.epochs import Horizon
from appliance.blobs.index import BlockMaintenance, SegmentRow
from appliance.blobs.rewrite import Folder, Rewriter
from appliance.blobs.store import BlobStore
from appliance.values import GIB, MIB, Micros

log = logging.getLogger(__name__)

HOUR: Micros = 3600 * 1_000_000
_EXTENTS = 16
_BLOCKS = 2000
_FILES = 64
_BATCH = 32
_RECOMPRESSED_A_PASS = GIB
"""Recompressing is slow: the rest waits for the next pass, so that the room of what was deleted comes back in time."""
_ROOM_LEFT = 2 * MIB
"""A rewrite, which needs room before it frees some, leaves that much on the disk to deletions."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did: `what` is a word, `count` how many of them, `length` the bytes that came back."""

    what: str
    count: int
    length: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the collection would do now, and why."""

    what: str
    why: str
    count: int
    length: int


class GarbageCollector:
    """Collects one store. One thread uses it; uploads, deletions and readers go on meanwhile."""

    def __init__(
        self,
        store: BlobStore,
        *,
        grace: Micros = 24 * HOUR,
        live_percent: int = 50,
        pause: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
        fold: bool = True,
        recompress_after: Micros | None = None,
        may_recompress: Callable[[], bool] = lambda: True,
    ) -> None:
        """`fold` says whether equal blocks of different scopes are stored once in the end.

        Segments that nobody has read for `recompress_after` are compressed with zstd, if all who read the store know it
        (`may_recompress`).
        """
        self._store = store
        self._folder = Folder(store) if fold else None
        self._usual_grace = grace
        self._live_percent = live_percent
        self._recompress_after = recompress_after
        self._may_recompress = may_recompress
        self._pause = pause
        self._sleep = sleep
        self._rewriter = Rewriter(store)
        self._horizon = Horizon(store.gc_guard.others, store.gc_guard.tick)
        self._orphans: dict[str, Micros] = {}
        """When files that no row names were first seen."""

    def _grace(self) -> Micros:
        """None while room is short: no upload or reader needs it, and whoever deletes then needs the room."""
        return 0 if self._store.reserve.is_short() else self._usual_grace

    @property
    def _maintenance(self) -> BlockMaintenance:
        return self._store.index.maintenance

    def run(self, progress: Callable[[int], None] = lambda length: None) -> list[Step]:
        """One pass over everything there is to do, pausing between steps. Sums up what was done.

        `progress` is told how many bytes each step has given back.
        """
        sums: dict[str, Step] = {}
        for step in self.steps():
            progress(step.length)
            before = sums.get(step.what, Step(step.what, 0))
            sums[step.what] = Step(step.what, before.count + step.count, before.length + step.length)
            if self._pause:
                self._sleep(self._pause)
        for step in sums.values():
            log.info("collection: %s: %d, %d bytes", step.what, step.count, step.length)
        return list(sums.values())

    def steps(self) -> Iterator[Step]:
        """The pass, one small step at a time: whoever iterates sets the pace."""
        with self._store.gc_guard.maintenance:
            self._horizon.begin_pass()
            yield from self._drop_contents()
            yield from self._delete_blocks()
            yield from self._fold()
            yield from self._remove_segments()
            yield from self._rewrite_thin()
            yield from self._remove_segments()
            yield from self._recompress_cold()
            yield from self._remove_orphans()
            self._horizon.end_pass()

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _drop_contents(self) -> Iterator[Step]:
        after = 0
        while rows := self._maintenance.released(after, 100):
            for row in rows:
                after = row.id
                # A reader that pinned it while it was stored is seen here: its row was released before this look.
                if self._store.gc_guard.is_read(row.id) or not self._horizon.is_past(row.id):
                    continue
                self._store.reserve.admit()
                self._store.backend.note_deletions([row.upload])
                while True:
                    condemned_at = self._store.gc_guard.tick()
                    count = self._maintenance.drop_extents(row.id, condemned_at, _EXTENTS)
                    if not count:
                        break
                    self._store.gc_guard.marked(condemned_at)
                    yield Step("extents dropped", count)
                self._maintenance.drop_content(row.id)
                self._horizon.forget(row.id)
                yield Step("contents dropped", 1)

    def _deadline(self) -> Micros:
        return min(self._usual_deadline(), self._horizon.marks_until())

    def _usual_deadline(self) -> Micros:
        """As far as this process knows."""
        return min(self._store.gc_guard.deletable(), self._store.gc_guard.tick() - self._grace())

    def _delete_blocks(self) -> Iterator[Step]:
        deadline = self._deadline()
        while True:
            deleted, unmarked = self._maintenance.delete_marked(deadline, _BLOCKS)
            if not deleted and not unmarked:
                return
            yield Step("blocks deleted", deleted)

    def _fold(self) -> Iterator[Step]:
        for count, length in self._folder.steps() if self._folder else ():
            yield Step("blocks folded", count, length) if count else Step("pages compared", 1)

    def _remove_segments(self) -> Iterator[Step]:
        while rows := self._maintenance.empty_segments(_FILES):
            removed: list[SegmentRow] = []
            with self._store.gc_guard.removing() as allowed:
                for row in rows if allowed else ():
                    if self._maintenance.forget_segment(row.id):
                        self._remove_file(row.name)
                        removed.append(row)
            if not removed:
                return
            yield Step("segments removed", len(removed), sum(row.size for row in removed))

    def _remove_file(self, name: str) -> None:
        self._store.backend.delete(name)
        self._store.handles.forget(name)

    def _rewrite_thin(self) -> Iterator[Step]:
        after = 0
        while not self._store.gc_guard.is_held():
            rows = self._maintenance.thin_segments(self._live_percent, after, _BATCH)
            if not rows:
                return
            after = rows[-1].id
            room = max(0, self._store.reserve.free() - _ROOM_LEFT)
            for group in self._rewriter.groups(rows, room):
                moved = self._rewriter.rewrite(group)
                yield Step("blocks moved", moved)

    def _recompress_cold(self) -> Iterator[Step]:
        """Segments that nobody reads; one after the other, for the next needs the room of the one before."""
        if self._recompress_after is None or not self._may_recompress():
            return
        self._store.note_reads()
        after = length = 0
        while not self._store.gc_guard.is_held() and not self._store.reserve.is_short():
            rows = self._maintenance.cold_segments(self._store.clock() - self._recompress_after, after, _BATCH)
            if not rows or length >= _RECOMPRESSED_A_PASS:
                return
            after = rows[-1].id
            room = max(0, self._store.reserve.free() - _ROOM_LEFT)
            for group in self._rewriter.groups(rows, room):
                moved = self._rewriter.rewrite(group, DenseEncoder())
                yield Step("blocks recompressed", moved)
                yield from self._remove_segments()
                length += sum(row.live_stored for row in group)
                if length >= _RECOMPRESSED_A_PASS:
                    return

    def _remove_orphans(self) -> Iterator[Step]:
        """Files that no row names: left by a crash between a deleted row and its file, or by a commit that failed."""
        now, grace = self._store.clock(), self._grace()
        for name in self._store.backend.names():
            # Fresh first, then the index: an upload makes the index know a segment before it stops being fresh.
            if self._store.gc_guard.is_fresh(name) or self._maintenance.has_segment(name):
                continue
            # A file's own time may be wrong, when the clock was ahead.
            seen = now - self._orphans.setdefault(name, now)
            if not self._horizon.is_past(name) or max(self._store.backend.age(name, now), seen) < grace:
                continue
            # Another's upload may have made it known since the first look, and may be over by now.
            if self._maintenance.has_segment(name):
                continue
            length = self._store.backend.size(name) or 0
            with self._store.gc_guard.removing() as allowed:
                if not allowed:
                    return
                self._remove_file(name)
            del self._orphans[name]
            self._horizon.forget(name)
            yield Step("orphans removed", 1, length)

    # -- dry run -------------------------------------------------------------------------------------------------------

    def plan(self) -> list[Plan]:
        """What a pass would find, without doing any of it."""
        hours = self._grace() / HOUR
        maintenance = self._maintenance
        plans: list[Plan] = []
        released = maintenance.released(0, 1000)
        read = sum(self._store.gc_guard.is_read(row.id) for row in released)
        plans.append(
            Plan(
                "contents to drop",
                f"they were deleted; {read} are still being read and wait",
                len(released),
                sum(row.size for row in released),
            )
        )
        eligible = maintenance.marked(self._usual_deadline())
        every = maintenance.marked(self._store.gc_guard.tick())
        plans.append(Plan("blocks to delete", f"nothing names them, for {hours:g} hours or more", *eligible))
        waiting = (every[0] - eligible[0], every[1] - eligible[1])
        plans.append(Plan("blocks to wait for", f"nothing names them, for less than {hours:g} hours", *waiting))
        empty = maintenance.empty_segments(1000)
        plans.append(
            Plan("segments to remove", "they hold nothing that lives", len(empty), sum(row.size for row in empty))
        )
        thin = maintenance.thin_segments(self._live_percent, 0, 1000)
        plans.append(
            Plan(
                "segments to rewrite",
                f"less than {self._live_percent} % of them lives, or they are damaged",
                len(thin),
                sum(row.payload - row.live_stored for row in thin),
            )
        )
        if self._recompress_after is not None:
            cold = maintenance.cold_segments(self._store.clock() - self._recompress_after, 0, 1000)
            why = f"nobody has read them for {self._recompress_after // (24 * HOUR)} days"
            plans.append(Plan("segments to recompress", why, len(cold), sum(row.live_stored for row in cold)))
        plans.append(self._plan_orphans())
        return [plan for plan in plans if plan.count]

    def _plan_orphans(self) -> Plan:
        count = length = 0
        for name in self._store.backend.names():
            if not self._store.gc_guard.is_fresh(name) and not self._maintenance.has_segment(name):
                count, length = count + 1, length + (self._store.backend.size(name) or 0)
        why = f"no row names them; they go once they are {self._grace() / HOUR:g} hours old"
        return Plan("orphans to remove", why, count, length)
