"""Where blocks end. Two cutters, one for plain data and one for compressed containers; both find holes.

A hole is a run of at least four zero pages. What a cutter decides depends on the bytes alone, never on how they were
handed in. A block is 16 to 256 KiB, except that a hole, the end or the upper bound may leave a shorter one.
"""

import zlib
from typing import Protocol

from appliance.values import KIB

PAGE = 4 * KIB
MIN_PAGES = 4
MAX_PAGES = 64
MIN_BLOCK = MIN_PAGES * PAGE
MAX_BLOCK = MAX_PAGES * PAGE
HOLE_PAGES = 4

_ZERO_PAGE = bytes(PAGE)
_ZERO_RUN_PAGES = 64
_ZERO_RUN = bytes(_ZERO_RUN_PAGES * PAGE)

# One page in 13 is a candidate; with the three pages around it kept free that makes 64 KiB on average.
_CANDIDATE_BELOW = 2**32 // 13
# A page's first bytes tell it apart well enough, at a third of the price of the whole page.
_SAMPLE = 512
_LITERAL = b"\x9d\x61"

Cut = tuple[int, bool]
"""A length, and whether it is a hole."""


class Cutter(Protocol):
    """Sees a stream page by page and says where it is to be cut."""

    open_length: int
    """Bytes seen since the last cut that belong to a block not yet ended."""

    hole_length: int
    """Bytes seen since the last cut that are a hole not yet ended."""

    def feed(self, data: bytearray, start: int, end: int) -> list[Cut]:
        """Look at `data[start:end]`, whole pages but for the stream's last.

        The `open_length` bytes before `start` must be those that were seen last.
        """
        ...

    def finish(self) -> list[Cut]:
        """The stream has ended: what is still open is a block or a hole."""
        ...


class _HoleFinder:
    """What both cutters share: zero pages, and which of them make a hole."""

    def __init__(self, before: "_HoleFinder | None" = None) -> None:
        """Start a stream, or take one over from the cutter that has seen it so far."""
        self.open_length: int = before.open_length if before else 0
        self.hole_length: int = before.hole_length if before else 0
        self._zeros: int = before._zeros if before else 0
        self._cuts: list[Cut] = []

    def feed(self, data: bytearray, start: int, end: int) -> list[Cut]:
        is_zero = data.startswith
        view = memoryview(data)
        position = start
        while position < end:
            if self.hole_length and end - position >= len(_ZERO_RUN) and is_zero(_ZERO_RUN, position):
                self.hole_length += len(_ZERO_RUN)
                position += len(_ZERO_RUN)
                continue
            stop = min(position + PAGE, end)
            if is_zero(_ZERO_PAGE, position) if stop - position == PAGE else not any(view[position:stop]):
                self._zero_page(stop - position)
            else:
                if self.hole_length:
                    self._end_hole()
                self._zeros = 0
                self._data_page(data, view, position, stop)
            position = stop
        view.release()
        return self._taken()

    def _zero_page(self, length: int) -> None:
        if self.hole_length:
            self.hole_length += length
            return
        self.open_length += length
        self._zeros += length
        if self._zeros >= HOLE_PAGES * PAGE:
            # The zeros may have begun in a block that the upper bound ended.
            hole = min(self._zeros, self.open_length)
            self._cut(self.open_length - hole)
            self.hole_length, self.open_length, self._zeros = hole, 0, 0
        elif self.open_length >= MAX_BLOCK:
            rest = self.open_length - MAX_BLOCK
            self._cut(MAX_BLOCK)
            self.open_length = rest

    def _data_page(self, data: bytearray, view: memoryview, start: int, stop: int) -> None:
        raise NotImplementedError

    def _cut(self, length: int) -> None:
        if length:
            self._cuts.append((length, False))
        self.open_length = 0

    def _end_hole(self) -> None:
        self._cuts.append((self.hole_length, True))
        self.hole_length = 0

    def finish(self) -> list[Cut]:
        if self.hole_length:
            self._end_hole()
        self._cut(self.open_length)
        return self._taken()

    def _taken(self) -> list[Cut]:
        cuts, self._cuts = self._cuts, []
        return cuts


class PageGridCutter(_HoleFinder):
    """Cuts after a page whose fingerprint is a candidate, unless one of the three pages before it was one too.

    That rule looks at four pages and at nothing else, so a change moves no cut beyond the pages next to it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._since_candidate = 0

    def _zero_page(self, length: int) -> None:
        self._since_candidate += 1
        super()._zero_page(length)

    def _end_hole(self) -> None:
        self._since_candidate = 0
        super()._end_hole()

    def _data_page(self, data: bytearray, view: memoryview, start: int, stop: int) -> None:
        self.open_length += stop - start
        self._since_candidate += 1
        if zlib.crc32(view[start : min(start + _SAMPLE, stop)]) < _CANDIDATE_BELOW:
            alone = self._since_candidate >= MIN_PAGES
            self._since_candidate = 0
            if alone:
                self._cut(self.open_length)
                return
        if self.open_length >= MAX_BLOCK:
            self._cut(self.open_length)


class AnchorCutter(_HoleFinder):
    """Cuts after the next two-byte literal past the minimum, at any byte: compressed clusters keep to no page grid."""

    def _data_page(self, data: bytearray, view: memoryview, start: int, stop: int) -> None:
        position = start
        while position < stop:
            # The literal may lie across two pages: its first byte is then the last one of the open block.
            earliest = max(position - 1 if self.open_length else position, position + MIN_BLOCK - self.open_length - 2)
            found = data.find(_LITERAL, earliest, stop) if earliest < stop else -1
            upper = position + MAX_BLOCK - self.open_length
            after = min(found + 2, upper) if found >= 0 else min(stop, upper)
            self.open_length += after - position
            position = after
            if found >= 0 or self.open_length >= MAX_BLOCK:
                self._cut(self.open_length)
