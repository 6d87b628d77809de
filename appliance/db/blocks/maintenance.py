"""Equal blocks of different scopes, brought to share one place: each keeps its row, and the bytes are stored once."""

from collections.abc import Iterable, Sequence

from appliance.blobs.index import (
    ContentRow,
    Duplicate,
    Move,
    NewBlock,
    PartRow,
    Scrubbed,
    Sealed,
    SegmentRow,
    Span,
    Totals,
)
from appliance.db.blocks.rebuild import adopt_part, adopt_seal, adopt_segment
from appliance.db.blocks.sql import (
    IS_NAMED,
    RELEASED,
    SPAN_COLUMNS,
    STORED,
    WRITING,
    add_segment,
    content_from_row,
    delete_blocks,
    move_block,
    segment_from_row,
    span_from_row,
)
from appliance.db.engine.base import Database, Row, Tx
from appliance.db.nodes import live_holders
from appliance.values import Micros

_WALK = 1000

# Each block of a page of the walk with the first sound one of the same bytes before it, unless they share a place.
_DUPLICATES = """
SELECT b.id AS moved, t.id AS kept
  FROM (SELECT id, store, key, rest, segment, "offset", condemned_at FROM blocks WHERE id > ? ORDER BY id LIMIT ?) b
  JOIN blocks t ON t.id = (
       SELECT min(s.id) FROM blocks s WHERE s.key = b.key AND s.rest = b.rest AND s.id < b.id AND s.store = b.store
          AND s.condemned_at IS NULL AND s.damaged_at IS NULL)
 WHERE b.store = ? AND b.condemned_at IS NULL AND NOT (b.segment = t.segment AND b."offset" = t."offset")
 ORDER BY b.id LIMIT ?
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
        "SELECT max(id) AS last FROM (SELECT id FROM blocks WHERE id > ? ORDER BY id LIMIT ?) AS page", (after, _WALK)
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
    tx.execute("UPDATE stores SET folded_to = ? WHERE id = ? AND folded_to < ?", (to, store, to))
    return freed


def _current(tx: Tx, span: Span | None) -> Row | None:
    """The row of a block that is still where it was."""
    if span is None:
        return None
    return tx.row(
        'SELECT b.* FROM blocks b JOIN segments s ON s.id = b.segment WHERE b.id = ? AND b."offset" = ? AND s.name = ?',
        (span.block_id, span.at, span.segment),
    )


_HAS_NO_PART = "NOT EXISTS (SELECT 1 FROM stretches t WHERE t.segment = segments.id)"
_IS_SOUND = (
    "NOT EXISTS (SELECT 1 FROM blocks b WHERE b.store = segments.store AND b.damaged_at IS NOT NULL "
    "AND b.segment = segments.id)"
)
_MOVES = 500


class BlockMaintenance:
    """Satisfies `blobs.index.BlockMaintenance`. Every method is one short transaction, or one read."""

    def __init__(self, db: Database, store_id: int) -> None:
        self._db = db
        self._store = store_id

    # -- collection --------------------------------------------------------------------------------------------------

    def discard_writing(self) -> int:
        if not self._db.row("SELECT 1 FROM contents WHERE store = ? AND state = ?", (self._store, WRITING)):
            return 0

        def change(tx: Tx) -> int:
            at_work = live_holders(tx)
            rows = tx.rows("SELECT id, held_by FROM contents WHERE store = ? AND state = ?", (self._store, WRITING))
            left = [(RELEASED, row["id"]) for row in rows if row["held_by"] not in at_work]
            tx.executemany("UPDATE contents SET state = ? WHERE id = ?", left)
            return len(left)

        return self._db.transact(change)

    def bring_back(self, now: Micros) -> None:
        if len(live_holders(self._db)) > 1:
            # They are by the clock of the one that collects, which may be another's.
            return
        if not self._db.row(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM blocks WHERE store = :store AND condemned_at > :now) "
            "OR EXISTS (SELECT 1 FROM segments WHERE store = :store AND (scrubbed_at > :now OR read_at > :now))",
            {"store": self._store, "now": now},
        ):
            return

        def change(tx: Tx) -> None:
            tx.execute(
                "UPDATE blocks SET condemned_at = ? WHERE store = ? AND condemned_at > ?", (now, self._store, now)
            )
            tx.execute(
                "UPDATE segments SET scrubbed_at = ? WHERE store = ? AND scrubbed_at > ?", (now, self._store, now)
            )
            tx.execute("UPDATE segments SET read_at = ? WHERE store = ? AND read_at > ?", (now, self._store, now))

        self._db.transact(change, frees=True)

    def released(self, after: int, most: int) -> list[ContentRow]:
        rows = self._db.rows(
            "SELECT * FROM contents WHERE store = ? AND state = ? AND state <> 1 AND id > ? ORDER BY id LIMIT ?",
            (self._store, RELEASED, after, most),
        )
        return [content_from_row(row) for row in rows]

    def drop_extents(self, content_id: int, condemned_at: Micros, most: int) -> int:
        def drop(tx: Tx) -> int:
            extents = tx.rows(
                'SELECT e."offset", e.first_block, e.blocks FROM extents e JOIN contents c ON c.id = e.content '
                'WHERE e.content = ? AND c.state = ? ORDER BY e."offset" LIMIT ?',
                (content_id, RELEASED, most),
            )
            if extents:
                last = extents[-1]["offset"]
                tx.execute('DELETE FROM extents WHERE content = ? AND "offset" <= ?', (content_id, last))
            for extent in extents:
                if extent["first_block"] is not None:
                    tx.execute(
                        "UPDATE blocks AS b SET condemned_at = ? "
                        f"WHERE b.id BETWEEN ? AND ? AND b.condemned_at IS NULL AND NOT {IS_NAMED}",
                        (condemned_at, extent["first_block"], extent["first_block"] + extent["blocks"] - 1),
                    )
            return len(extents)

        return self._db.transact(drop)

    def drop_content(self, content_id: int) -> None:
        def change(tx: Tx) -> None:
            named = "(SELECT id FROM contents WHERE id = ? AND state = ?)"
            tx.execute(f"DELETE FROM stretches WHERE content = {named}", (content_id, RELEASED))
            tx.execute("DELETE FROM contents WHERE id = ? AND state = ?", (content_id, RELEASED))

        self._db.transact(change)

    def delete_marked(self, not_after: Micros, most: int) -> tuple[int, int]:
        gone: list[Row] = []
        unmarked = []

        def change(tx: Tx) -> None:
            for row in tx.rows(
                f'SELECT b.id, b.segment, b."offset", b.stored, b.length, b.shared, {IS_NAMED} AS named FROM blocks b '
                "WHERE b.store = ? AND b.condemned_at IS NOT NULL AND b.condemned_at <= ? LIMIT ?",
                (self._store, not_after, most),
            ):
                if row["named"]:
                    unmarked.append((row["id"],))
                else:
                    gone.append(row)
            tx.executemany("UPDATE blocks SET condemned_at = NULL WHERE id = ?", unmarked)
            delete_blocks(tx, gone)

        self._db.transact(change)
        return len(gone), len(unmarked)

    def marked(self, not_after: Micros) -> tuple[int, int]:
        row = self._db.row(
            "SELECT count(*) AS count, coalesce(sum(stored), 0) AS stored FROM blocks "
            "WHERE store = ? AND condemned_at IS NOT NULL AND condemned_at <= ?",
            (self._store, not_after),
        )
        return (row["count"], row["stored"]) if row else (0, 0)

    def empty_segments(self, most: int) -> list[SegmentRow]:
        rows = self._db.rows(
            f"SELECT * FROM segments WHERE store = ? AND live_blocks = 0 AND {_HAS_NO_PART} LIMIT ?",
            (self._store, most),
        )
        return [segment_from_row(row) for row in rows]

    def forget_segment(self, segment_id: int) -> bool:
        return self._db.transact(
            lambda tx: (
                tx.execute(
                    f"DELETE FROM segments WHERE id = ? AND live_blocks = 0 AND {_HAS_NO_PART}", (segment_id,)
                ).rowcount
                == 1
            )
        )

    def thin_segments(self, live_percent: int, after: int, most: int) -> list[SegmentRow]:
        rows = self._db.rows(
            "SELECT * FROM segments WHERE store = ? AND id > ? AND (live_stored * 100 < payload * ? OR damaged = 1) "
            f"AND NOT (live_blocks = 0 AND {_HAS_NO_PART}) AND {_IS_SOUND} ORDER BY id LIMIT ?",
            (self._store, after, live_percent, most),
        )
        return [segment_from_row(row) for row in rows]

    def cold_segments(self, before: Micros, after: int, most: int) -> list[SegmentRow]:
        rows = self._db.rows(
            "SELECT * FROM segments WHERE store = ? AND id > ? AND dense = 0 AND created_at < ? AND read_at < ? "
            f"AND live_blocks > 0 AND {_IS_SOUND} ORDER BY id LIMIT ?",
            (self._store, after, before, before, most),
        )
        return [segment_from_row(row) for row in rows]

    def note_reads(self, names: Iterable[str], now: Micros) -> None:
        self._db.transact(
            lambda tx: tx.executemany(
                "UPDATE segments SET read_at = ? WHERE store = ? AND name = ?",
                [(now, self._store, name) for name in names],
            )
        )

    # -- segments ----------------------------------------------------------------------------------------------------

    def has_segment(self, name: str) -> bool:
        row = self._db.row("SELECT 1 FROM segments WHERE store = ? AND name = ?", (self._store, name))
        return row is not None

    def segments(self, after: int = 0, most: int = 1000) -> list[SegmentRow]:
        rows = self._db.rows(
            "SELECT * FROM segments WHERE store = ? AND id > ? ORDER BY id LIMIT ?", (self._store, after, most)
        )
        return [segment_from_row(row) for row in rows]

    def segment_blocks(self, segment_id: int, after: int, most: int) -> list[Span]:
        rows = self._db.rows(
            f"SELECT {SPAN_COLUMNS} FROM blocks b JOIN segments s ON s.id = b.segment WHERE s.id = ? AND b.moved = 0 "
            "AND b.id BETWEEN CASE WHEN s.first_block > ? THEN s.first_block ELSE ? + 1 END AND s.last_block "
            f"UNION ALL SELECT {SPAN_COLUMNS} FROM blocks b JOIN segments s ON s.id = b.segment "
            "WHERE b.segment = ? AND b.moved = 1 AND b.id > ? ORDER BY 1 LIMIT ?",
            (segment_id, after, after, segment_id, after, most),
        )
        return [span_from_row(row, 0) for row in rows]

    def segment_parts(self, segment_id: int) -> list[PartRow]:
        rows = self._db.rows(
            "SELECT t.*, t.number = (SELECT max(number) FROM stretches WHERE content = t.content) AND c.state = ? "
            "AS is_last FROM stretches t JOIN contents c ON c.id = t.content WHERE t.segment = ? ORDER BY 1, 2",
            (STORED, segment_id),
        )
        return [
            PartRow(row["content"], row["number"], row["offset"], row["length"], bool(row["is_last"])) for row in rows
        ]

    def commit_rewrite(
        self, old: Sequence[int], name: str, size: int, moves: Sequence[Move], now: Micros, *, dense: bool = False
    ) -> int:
        def begin(tx: Tx) -> int:
            payload = sum({move.place.offset: move.place.stored for move in moves}.values())
            segment = add_segment(tx, self._store, name, size, payload, now, dense=dense)
            tx.executemany("UPDATE stretches SET segment = ? WHERE segment = ?", [(segment, each) for each in old])
            return segment

        # Several short transactions: between them some blocks are in the new segment and some in the old ones,
        # which are there as long as they hold any.
        segment = self._db.transact(begin)
        return sum(self._move(moves[start : start + _MOVES], segment) for start in range(0, len(moves), _MOVES))

    def _move(self, moves: Sequence[Move], segment: int) -> int:
        return self._db.transact(
            lambda tx: sum(move_block(tx, move.block_id, move.old_segment, segment, move.place) for move in moves)
        )

    # -- scrub -------------------------------------------------------------------------------------------------------

    def next_to_scrub(self, not_after: Micros) -> SegmentRow | None:
        row = self._db.row(
            "SELECT * FROM segments WHERE store = ? AND scrubbed_at <= ? ORDER BY scrubbed_at LIMIT 1",
            (self._store, not_after),
        )
        return segment_from_row(row) if row else None

    def scrub_progress(self, segment_id: int, after: int, finished_at: Micros | None) -> None:
        def change(tx: Tx) -> None:
            if finished_at is None:
                tx.execute("UPDATE segments SET scrub_after = ? WHERE id = ?", (after, segment_id))
            else:
                tx.execute(
                    "UPDATE segments SET scrub_after = 0, scrubbed_at = ? WHERE id = ?", (finished_at, segment_id)
                )

        self._db.transact(change)

    def scrubbed(self, since: Micros) -> Scrubbed:
        row = self._db.row(
            "SELECT coalesce(sum(payload), 0) AS size, "
            "coalesce(sum(CASE WHEN scrubbed_at >= ? THEN payload ELSE 0 END), 0) AS checked, "
            "min(scrubbed_at) AS oldest FROM segments WHERE store = ? AND live_blocks > 0",
            (since, self._store),
        )
        assert row is not None
        return Scrubbed(row["size"], row["checked"], row["oldest"])

    def mark_damaged(self, block_ids: Sequence[int], now: Micros) -> None:
        self._db.transact(
            lambda tx: tx.executemany(
                "UPDATE blocks SET damaged_at = ? WHERE id = ? AND damaged_at IS NULL",
                [(now, block_id) for block_id in block_ids],
            )
        )

    def mark_sound(self, segment_id: int, block_ids: Sequence[int]) -> None:
        rows = self._db.rows(
            "SELECT id FROM blocks WHERE store = ? AND damaged_at IS NOT NULL AND segment = ?",
            (self._store, segment_id),
        )
        if healed := {row["id"] for row in rows}.intersection(block_ids):
            self._db.transact(
                lambda tx: tx.executemany(
                    "UPDATE blocks SET damaged_at = NULL WHERE id = ?", [(each,) for each in healed]
                )
            )

    def mark_segment(self, segment_id: int, damaged: bool) -> None:
        self._db.transact(lambda tx: tx.execute("UPDATE segments SET damaged = ? WHERE id = ?", (damaged, segment_id)))

    def damaged_blocks(self, most: int) -> list[Span]:
        rows = self._db.rows(
            f"SELECT {SPAN_COLUMNS} FROM blocks b JOIN segments s ON s.id = b.segment "
            "WHERE b.store = ? AND b.damaged_at IS NOT NULL LIMIT ?",
            (self._store, most),
        )
        return [span_from_row(row, 0) for row in rows]

    def contents_of(self, block_id: int, most: int) -> list[int]:
        rows = self._db.rows(
            "SELECT DISTINCT e.content FROM extents e JOIN contents c ON c.id = e.content "
            "WHERE e.first_block BETWEEN ? - 255 AND ? AND e.first_block + e.blocks > ? AND c.state = ? LIMIT ?",
            (block_id, block_id, block_id, STORED, most),
        )
        return [row["content"] for row in rows]

    # -- accounting and doctor -----------------------------------------------------------------------------------------

    def contents(self, after: int = 0, most: int = 1000) -> list[ContentRow]:
        rows = self._db.rows(
            "SELECT * FROM contents WHERE store = ? AND state = ? AND id > ? ORDER BY id LIMIT ?",
            (self._store, STORED, after, most),
        )
        return [content_from_row(row) for row in rows]

    def totals(self) -> Totals:
        row = self._db.row(
            "SELECT * FROM (SELECT count(*) AS contents, coalesce(sum(size), 0) AS logical, "
            "coalesce(sum(hole_length), 0) AS holes FROM contents WHERE store = :store AND state = 1) AS c, "
            "(SELECT coalesce(sum(live_length), 0) AS unique_length, coalesce(sum(live_stored), 0) AS stored, "
            "coalesce(sum(size), 0) AS file, count(*) AS segments, coalesce(sum(live_blocks), 0) AS blocks "
            "FROM segments WHERE store = :store) AS s, "
            "(SELECT count(*) AS damaged FROM blocks WHERE store = :store AND damaged_at IS NOT NULL) AS b, "
            "(SELECT count(*) AS releasing FROM contents WHERE store = :store AND state = 2 AND state <> 1) AS r",
            {"store": self._store},
        )
        assert row is not None
        return Totals(
            contents=row["contents"],
            logical=row["logical"],
            holes=row["holes"],
            unique=row["unique_length"],
            stored=row["stored"],
            file=row["file"],
            segments=row["segments"],
            blocks=row["blocks"],
            damaged_blocks=row["damaged"],
            releasing=row["releasing"],
        )

    def folded_to(self) -> int:
        return folded_to(self._db, self._store)

    def duplicates(self, after: int, most: int) -> tuple[int, list[Duplicate]]:
        return duplicates(self._db, self._store, after, most)

    def fold(self, pairs: Sequence[Duplicate], to: int) -> int:
        if not pairs and to <= self.folded_to():
            return 0
        return self._db.transact(lambda tx: fold(tx, self._store, pairs, to))

    def unreferenced(self, after: int, most: int) -> tuple[int, list[int]]:
        rows = self._db.rows(
            f"SELECT b.id, b.store, b.condemned_at, {IS_NAMED} AS named FROM blocks b WHERE b.id > ? "
            "ORDER BY b.id LIMIT ?",
            (after, most),
        )
        lost = [
            row["id"]
            for row in rows
            if not row["named"] and row["condemned_at"] is None and row["store"] == self._store
        ]
        return (rows[-1]["id"] if rows else 0), lost

    def mark(self, block_ids: Sequence[int], condemned_at: Micros) -> None:
        self._db.transact(
            lambda tx: tx.executemany(
                f"UPDATE blocks AS b SET condemned_at = ? WHERE b.id = ? AND b.condemned_at IS NULL AND NOT {IS_NAMED}",
                [(condemned_at, block_id) for block_id in block_ids],
            )
        )

    # -- rebuild -----------------------------------------------------------------------------------------------------

    def adopt_segment(self, name: str, size: int, blocks: Sequence[tuple[bytes, NewBlock]], now: Micros) -> int:
        return self._db.transact(lambda tx: adopt_segment(tx, self._store, name, size, blocks, now))

    def adopt_part(
        self, upload: bytes, segment_id: int, number: int, offset: int, items: Sequence[tuple[bytes, int]], now: Micros
    ) -> bool:
        return self._db.transact(lambda tx: adopt_part(tx, self._store, upload, segment_id, number, offset, items, now))

    def adopt_seal(self, sealed: Sealed, parts: int) -> int | None:
        return self._db.transact(lambda tx: adopt_seal(tx, self._store, sealed, parts))
