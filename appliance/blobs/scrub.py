"""Reads everything that lives, slowly, and finds what has rotted: blocks, and the records a rebuild would need.

It goes segment by segment, the longest unchecked first, and remembers in the index how far it is.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from appliance.blobs import segment_format as fmt
from appliance.blobs.backends.base import SegmentHandle, SegmentMissing
from appliance.blobs.codec import block_digest, decode
from appliance.blobs.index import BlockMaintenance, Scrubbed, SegmentRow, Span
from appliance.blobs.segments import scan
from appliance.blobs.store import BlobStore
from appliance.errors import Corrupt, StorageFault
from appliance.values import Micros

log = logging.getLogger(__name__)

DAY: Micros = 24 * 3600 * 1_000_000
_BATCH = 64


@dataclass(slots=True)
class ScrubReport:
    """What was checked and what was found."""

    segments: int = 0
    blocks: int = 0
    length: int = 0
    damaged_blocks: list[int] = field(default_factory=list)
    damaged_segments: list[str] = field(default_factory=list)
    contents: set[int] = field(default_factory=set)
    """Contents that can't be read in full."""


class Scrubber:
    """Checks one store. One thread uses it."""

    def __init__(
        self,
        store: BlobStore,
        *,
        interval: Micros = 30 * DAY,
        bytes_per_second: int = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._interval = interval
        self._pace = bytes_per_second
        self._sleep = sleep
        self._asked_at: Micros | None = None

    @property
    def _maintenance(self) -> BlockMaintenance:
        return self._store.index.maintenance

    def ask(self) -> None:
        """Have the next pass check everything, whenever that was checked last."""
        self._asked_at = self._store.gc_guard.tick()

    def progress(self) -> Scrubbed:
        """How far the pass is that was asked for, or else how much of everything was checked within the interval."""
        since = self._store.gc_guard.tick() - self._interval
        return self._maintenance.scrubbed(since if self._asked_at is None else max(since, self._asked_at))

    def run(self, progress: Callable[[int], None] = lambda length: None) -> ScrubReport:
        """Check every segment whose last check is older than the interval; `progress` is told the bytes of steps."""
        report = ScrubReport()
        for length in self.steps(report):
            progress(length)
            if self._pace:
                self._sleep(length / self._pace)
        return report

    def steps(self, report: ScrubReport) -> Iterator[int]:
        """The same, a few blocks at a time; yields how many bytes each step has read."""
        deadline = self._store.gc_guard.tick() - self._interval
        if self._asked_at is not None:
            deadline = max(deadline, self._asked_at - 1)
        while (segment := self._maintenance.next_to_scrub(deadline)) is not None:
            # Opened anew: a file that was lost or put back is not to hide behind a descriptor that is still open.
            self._store.handles.forget(segment.name)
            yield from self._check_blocks(segment, report)
            yield self._check_records(segment, report)
            self._maintenance.scrub_progress(segment.id, 0, self._store.gc_guard.tick())
            report.segments += 1

    def _check_blocks(self, segment: SegmentRow, report: ScrubReport) -> Iterator[int]:
        after = segment.scrub_after
        while spans := self._maintenance.segment_blocks(segment.id, after, _BATCH):
            after = spans[-1].block_id
            bad = [span.block_id for span in self._bad(segment, spans)]
            report.blocks += len(spans)
            length = sum(span.stored for span in spans)
            report.length += length
            if bad:
                self._note(bad, report)
            self._maintenance.mark_sound(segment.id, [span.block_id for span in spans if span.block_id not in bad])
            self._maintenance.scrub_progress(segment.id, after, None)
            yield length

    def _bad(self, segment: SegmentRow, spans: list[Span]) -> Iterator[Span]:
        try:
            handle = self._store.handles.acquire(segment.name)
        except SegmentMissing:
            # The collection may have moved everything away meanwhile.
            yield from (span for span in spans if self._still_there(segment, span))
            return
        try:
            for span in sorted(spans, key=lambda span: span.at):
                if not is_sound(handle, span) and self._still_there(segment, span):
                    yield span
        finally:
            self._store.handles.release(segment.name)

    def _still_there(self, segment: SegmentRow, span: Span) -> bool:
        found = self._maintenance.segment_blocks(segment.id, span.block_id - 1, 1)
        return bool(found) and found[0].block_id == span.block_id

    def _note(self, bad: list[int], report: ScrubReport) -> None:
        self._store.checks.forget()
        self._maintenance.mark_damaged(bad, self._store.clock())
        report.damaged_blocks.extend(bad)
        for block_id in bad:
            contents = self._maintenance.contents_of(block_id, 1000)
            report.contents.update(contents)
            log.error("block %d is damaged; contents %s can't be read in full", block_id, contents)

    def _check_records(self, segment: SegmentRow, report: ScrubReport) -> int:
        length = 0
        damage: list[str] = []
        try:
            handle = self._store.handles.acquire(segment.name)
        except SegmentMissing as error:
            if self._store.index.maintenance.has_segment(segment.name):
                damage.append(str(error))
        else:
            try:
                for record in scan(handle):
                    length += len(record.table)
                    if problem := record.damage or _unreadable(record.kind, record.table):
                        damage.append(problem)
            except StorageFault as error:
                damage.append(str(error))
            finally:
                self._store.handles.release(segment.name)
        if bool(damage) != segment.damaged:
            self._maintenance.mark_segment(segment.id, bool(damage))
        if damage:
            report.damaged_segments.append(segment.name)
            log.error("segment %s has damaged records: %s", segment.name, damage[0])
        return length


def is_sound(handle: SegmentHandle, span: Span) -> bool:
    """Whether a block's bytes are what its digest says."""
    data = bytearray(span.stored)
    try:
        handle.read_into(memoryview(data), span.at)
        return block_digest(decode(span.codec, data, span.length)) == span.digest
    except (Corrupt, StorageFault):
        return False


def _unreadable(kind: bytes, table: bytes) -> str | None:
    """Why a record whose CRC is right can't be used all the same."""
    try:
        if kind == fmt.BLOCKS:
            list(fmt.unpack_blocks(table))
        elif kind == fmt.MAP:
            fmt.unpack_map(table)
        elif kind == fmt.SEAL:
            fmt.unpack_seal(table)
        else:
            return "a segment has a record of an unknown kind"
    except Corrupt as error:
        return str(error)
    return None
