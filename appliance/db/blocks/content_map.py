"""What a stored content is made of, part by part: its own bytes, bytes that others name too, zeros, damage.

Only sums leave this module: no block, and nobody else's content, can be told from them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from appliance.db.engine.base import Database, Row
from appliance.values import Micros

_EXTENTS = 2000
"""So many extents are looked into block by block; of a larger content one in every few, which stands for the others."""


@dataclass(slots=True)
class Cell:
    """A part of the content. `own`, `shared`, `zero` and `damaged` add up to its length; `stored` is what the first two
    take on disk."""

    own: float = 0
    shared: float = 0
    zero: float = 0
    damaged: float = 0
    stored: float = 0


@dataclass(slots=True)
class ContentMap:
    """The cells of a content in their order, and when the longest unchecked of its bytes was read and found whole."""

    size: int
    cells: list[Cell] = field(default_factory=list)
    checked_at: Micros | None = None

    def add(self, offset: int, length: int, kind: str, stored: float = 0) -> None:
        """Count a run of bytes into the cells that it is in."""
        cells = len(self.cells)
        first = offset * cells // self.size
        last = (offset + length - 1) * cells // self.size
        for number in range(first, last + 1):
            begin = max(offset, -(-number * self.size // cells))
            end = min(offset + length, -(-(number + 1) * self.size // cells))
            share = (end - begin) / length
            cell = self.cells[number]
            setattr(cell, kind, getattr(cell, kind) + share * length)
            cell.stored += share * stored


def content_map(db: Database, content_id: int, size: int, cells: int, *, with_shared: bool) -> ContentMap:
    """The map of a content in at most so many cells. Without `with_shared`, what is shared counts as its own."""
    made = ContentMap(size, [Cell() for _ in range(min(cells, size))])
    extents = db.rows(
        'SELECT "offset", first_block, blocks, length FROM extents WHERE content = ? ORDER BY "offset"', (content_id,)
    )
    every = max(1, len(extents) // _EXTENTS)
    segments: set[int] = set()
    alike: list[tuple[str, float, float]] = []
    for number, extent in enumerate(extents):
        if extent["first_block"] is None:
            made.add(extent["offset"], extent["length"], "zero")
            continue
        if number % every == 0 or not alike:
            runs = list(_runs(db, content_id, extent, segments, with_shared))
            alike = [(kind, length / extent["length"], stored / extent["length"]) for kind, length, stored in runs]
            offset = extent["offset"]
            for kind, length, stored in runs:
                made.add(offset, length, kind, stored)
                offset += length
        else:
            _add_alike(made, extent, alike)
    made.checked_at = _checked_at(db, segments)
    return made


def _runs(
    db: Database, content_id: int, extent: Row, segments: set[int], with_shared: bool
) -> Iterator[tuple[str, int, int]]:
    """Each block of an extent in its order: of which kind it is, its length, and what it takes on disk."""
    first, last = extent["first_block"], extent["first_block"] + extent["blocks"] - 1
    named = _named_elsewhere(db, content_id, first, last) if with_shared else ()
    for row in db.rows(
        "SELECT b.id, b.length, b.stored, b.segment, b.damaged_at, b.shared = 1 AND EXISTS (SELECT 1 FROM blocks c "
        'WHERE c.shared = 1 AND c.segment = b.segment AND c."offset" = b."offset" AND c.id <> b.id) AS folded '
        "FROM blocks b WHERE b.id BETWEEN ? AND ? ORDER BY b.id",
        (first, last),
    ):
        segments.add(row["segment"])
        shared = with_shared and (row["folded"] or any(begin <= row["id"] < end for begin, end in named))
        kind = "damaged" if row["damaged_at"] is not None else "shared" if shared else "own"
        yield kind, row["length"], row["stored"]


def _named_elsewhere(db: Database, content_id: int, first: int, last: int) -> list[tuple[int, int]]:
    """The runs of blocks, among these, that other stored contents name."""
    rows = db.rows(
        "SELECT DISTINCT e.first_block, e.blocks FROM extents e JOIN contents c ON c.id = e.content "
        "WHERE e.first_block BETWEEN ? - 255 AND ? AND e.first_block + e.blocks > ? AND e.content <> ? AND c.state = 1",
        (first, last, first, content_id),
    )
    return [(row["first_block"], row["first_block"] + row["blocks"]) for row in rows]


def _add_alike(made: ContentMap, extent: Row, alike: list[tuple[str, float, float]]) -> None:
    """An extent that is not looked into is taken to be made as the last one was that is."""
    offset, end = extent["offset"], extent["offset"] + extent["length"]
    for number, (kind, share, stored) in enumerate(alike):
        length = end - offset if number == len(alike) - 1 else min(end - offset, round(share * extent["length"]))
        if length > 0:
            made.add(offset, length, kind, stored * extent["length"])
            offset += length


def _checked_at(db: Database, segments: set[int]) -> Micros | None:
    if not segments:
        return None
    found = [db.row("SELECT scrubbed_at FROM segments WHERE id = ?", (segment,)) for segment in sorted(segments)[:1000]]
    return min((row["scrubbed_at"] for row in found if row is not None), default=None)
