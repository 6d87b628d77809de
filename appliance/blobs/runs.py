"""What is read of a stored content, and in which order: windows of runs, each of which one read fetches."""

from dataclasses import dataclass

from appliance.blobs.codec import RAW
from appliance.blobs.index import BlockIndex, Span
from appliance.errors import Corrupt
from appliance.values import KIB, MIB

# A window ends behind so many bytes, at the end of a run if one ends soon: those of an upload are a little longer.
_WINDOW = MIB
_LONGEST_WINDOW = MIB + 256 * KIB
# The same for compressed blocks, as they are stored: little enough for the processor's cache.
_PACKED_WINDOW = 256 * KIB
_SPANS_AT_ONCE = 256


@dataclass(slots=True)
class Run:
    """Blocks that are stored one behind the other, or one hole, whose `segment` is empty.

    Of their bytes, `take` are wanted, behind the first `skip`.
    """

    segment: str
    at: int
    skip: int
    spans: list[Span]
    stored: int = 0
    take: int = 0
    raw: bool = True


class Plan:
    """The windows of `[start, end)` of a content, in order."""

    def __init__(self, index: BlockIndex, content_id: int, start: int, end: int) -> None:
        self._index = index
        self._id = content_id
        self._at = start
        self._end = end
        # Those from `_next` on are still to be planned.
        self._spans: list[Span] = []
        self._next = 0

    def window(self) -> list[Run]:
        """The next runs, about 1 MiB of them, or a hole of any length; empty at the end."""
        window: list[Run] = []
        run = Run("", -1, 0, [])
        planned = packed = 0
        position, end = self._at, self._end
        while position < end:
            if self._next == len(self._spans):
                self._fetch(position)
            offset, length, _, _, segment, at, stored, codec = span = self._spans[self._next]
            skip = position - offset
            # A gap would otherwise read as a short body, or shift what follows it.
            if not 0 <= skip < length:
                raise Corrupt("the block index lacks a part of a stored content")
            follows = at == run.at + run.stored and segment == run.segment
            if window and (
                not segment
                or planned + length > _LONGEST_WINDOW
                or packed + stored > _PACKED_WINDOW
                or (planned >= _WINDOW and not follows)
            ):
                break
            if not follows:
                run = Run(segment, at, skip, [])
                window.append(run)
            take = min(length - skip, end - position)
            run.spans.append(span)
            run.stored += stored
            run.take += take
            if codec != RAW:
                run.raw = False
                packed += stored
            planned += length
            position += take
            self._next += 1
            if not segment:
                break
        self._at = position
        return window

    def _fetch(self, position: int) -> None:
        found = self._index.spans(self._id, position, _SPANS_AT_ONCE)
        self._spans = [span for span in found if span.offset + span.length > position]
        self._next = 0
        if not self._spans:
            raise Corrupt("the block index lacks a part of a stored content")

    def again(self, run: Run) -> list[Run]:
        """The same bytes, where they are now: the collection moves blocks to other segments."""
        start = run.spans[0].offset + run.skip
        plan = Plan(self._index, self._id, start, start + run.take)
        moved: list[Run] = []
        while window := plan.window():
            moved += window
        return moved
