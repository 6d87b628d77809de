"""Equal blocks of different scopes, brought to share one place: each keeps its row, and the bytes are stored once."""

from collections.abc import Sequence

from appliance.blobs.index import Duplicate, NewBlock, Span
from appliance.db.block_rows import SPAN_COLUMNS, span_from_row
from appliance.db.block_sql import move_block
from appliance.db.database import Database, Row, Tx

_WALK = 1000

# Each block of a page of the walk with the first sound one of the same bytes before it, unless they share a place.
_DUPLICATES = """
SELECT b.id AS moved, min(t.id) AS kept
  FROM (SELECT id, store, key, rest, segment, offset FROM blocks WHERE id > ? ORDER BY id LIMIT ?) b
  JOIN blocks t ON t.key = b.key AND t.rest = b.rest AND t.id < b.id
 WHERE b.store = ? AND t.store = b.store AND t.condemned_at IS NULL AND t.damaged_at IS NULL
   AND NOT EXISTS (SELECT 1 FROM blocks c WHERE c.id = b.id AND c.condemned_at IS NOT NULL)
 GROUP BY b.id HAVING NOT (b.segment = t.segment AND b.offset = t.offset) ORDER BY b.id LIMIT ?
"""


def folded_to(db: Database, store: int) -> int:
    row = db.row("SELECT folded_to FROM stores WHERE id = ?", (store,))
    return int(row["folded_to"]) if row else 0


def duplicates(db: Database, store: int, after: int, most: int) -> tuple[int, list[Duplicate]]:
    """Where a page of the walk over all blocks ended (0 if it is over), and duplicates among them."""
    rows = db.rows(_DUPLICATES, (after, _WALK, store, most))
    found = [Duplicate(_span(db, row["kept"]), _span(db, row["moved"])) for row in rows]
    if len(rows) == most:
        return rows[-1]["moved"], found
    last = db.row(
        "SELECT max(id) AS last FROM (SELECT id FROM blocks WHERE id > ? ORDER BY id LIMIT ?)", (after, _WALK)
    )
    return (last["last"] or 0) if last else 0, found


def _span(db: Database, block_id: int) -> Span | None:
    row = db.row(f"SELECT {SPAN_COLUMNS} FROM blocks b JOIN segments s ON s.id = b.segment WHERE b.id = ?", (block_id,))
    return span_from_row(row, 0) if row else None


def fold(tx: Tx, store: int, pairs: Sequence[Duplicate], to: int) -> int:
    """Give each second block the place of the first, which was found sound there; says how many bytes that frees."""
    freed = 0
    for pair in pairs:
        kept, moved = _current(tx, pair.kept), _current(tx, pair.moved)
        # What a heal or a rewrite has moved meanwhile, or the collection has come to, is left alone.
        if kept is None or moved is None or kept["condemned_at"] is not None or kept["damaged_at"] is not None:
            continue
        tx.execute("UPDATE blocks SET shared = 1 WHERE id IN (?, ?)", (kept["id"], moved["id"]))
        place = NewBlock(kept["offset"], kept["stored"], kept["length"], kept["codec"])
        if move_block(tx, moved["id"], moved["segment"], kept["segment"], place):
            tx.execute("UPDATE blocks SET damaged_at = NULL WHERE id = ?", (moved["id"],))
            freed += moved["stored"]
    tx.execute("UPDATE stores SET folded_to = max(folded_to, ?) WHERE id = ?", (to, store))
    return freed


def _current(tx: Tx, span: Span | None) -> Row | None:
    """The row of a block that is still where it was."""
    if span is None:
        return None
    return tx.row(
        "SELECT b.* FROM blocks b JOIN segments s ON s.id = b.segment WHERE b.id = ? AND b.offset = ? AND s.name = ?",
        (span.block_id, span.at, span.segment),
    )
