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
        with memoryview(data) as view:
            whole = start + (end - start) // PAGE * PAGE
            # The first word of each page: only where it is zero can the page be.
            words = view[start:whole].cast("Q")[:: PAGE // 8].tolist()
            position = start
            while position < whole:
                page = (position - start) // PAGE
                if words[page]:
                    stop = start + _next_zero(words, page) * PAGE
                    self._data(data, view, position, stop)
                else:
                    stop = self._maybe_zero(data, view, position, whole)
                position = stop
            if whole < end:
                if any(view[whole:end]):
                    self._data(data, view, whole, end)
                else:
                    self._zero_page(end - whole)
        return self._taken()

    def _maybe_zero(self, data: bytearray, view: memoryview, start: int, end: int) -> int:
        """Look at a page that begins with zeros, or many at once inside a hole; says where to go on."""
        if self.hole_length and end - start >= len(_ZERO_RUN) and data.startswith(_ZERO_RUN, start):
            self.hole_length += len(_ZERO_RUN)
            return start + len(_ZERO_RUN)
        if data.startswith(_ZERO_PAGE, start):
            self._zero_page(PAGE)
        else:
            self._data(data, view, start, start + PAGE)
        return start + PAGE

    def _data(self, data: bytearray, view: memoryview, start: int, stop: int) -> None:
        if self.hole_length:
            self._end_hole()
        self._zeros = 0
        self._data_pages(data, view, start, stop)

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
        else:
            self._grow(0)

    def _grow(self, length: int) -> None:
        """More of the open block, cut wherever the upper bound falls."""
        self.open_length += length
        while self.open_length >= MAX_BLOCK:
            rest = self.open_length - MAX_BLOCK
            self._cut(MAX_BLOCK)
            self.open_length = rest

    def _data_pages(self, data: bytearray, view: memoryview, start: int, stop: int) -> None:
        """Pages that are not zero: one, or many that follow each other, or the stream's short last one."""
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


def _next_zero(words: list[int], start: int) -> int:
    try:
        return words.index(0, start)
    except ValueError:
        return len(words)


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

    def _data_pages(self, data: bytearray, view: memoryview, start: int, stop: int) -> None:
        crc32 = zlib.crc32
        pages = range(start, stop, PAGE)
        for candidate in [page for page in pages if crc32(view[page : page + _SAMPLE]) < _CANDIDATE_BELOW]:
            self._pass(candidate - start)
            end = min(candidate + PAGE, stop)
            self.open_length += end - candidate
            alone = self._since_candidate + 1 >= MIN_PAGES
            self._since_candidate = 0
            if alone:
                self._cut(self.open_length)
            else:
                self._grow(0)
            start = end
        self._pass(stop - start)

    def _pass(self, length: int) -> None:
        """Pages that are no candidates."""
        self._since_candidate += -(-length // PAGE)
        self._grow(length)


class AnchorCutter(_HoleFinder):
    """Cuts after the next two-byte literal past the minimum, at any byte: compressed clusters keep to no page grid."""

    def _data_pages(self, data: bytearray, view: memoryview, start: int, stop: int) -> None:
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
