"""The block index of one store: looking blocks up, committing contents, releasing them, mapping them for readers."""

from collections.abc import Iterable, Iterator, Sequence

from appliance.blobs.index import ContentRow, Item, KnownBlock, Part, Sealed, Span, extents_of
from appliance.blobs.segment_format import HOLE
from appliance.db.blocks.maintenance import BlockMaintenance
from appliance.db.blocks.sql import (
    LOOKUP,
    RELEASED,
    SPAN_COLUMNS,
    STORED,
    WRITING,
    add_blocks,
    add_segment,
    check_named,
    content_from_row,
    digest_of,
    key_of,
    make_scope,
    scope_of,
    span_from_row,
)
from appliance.db.engine.base import Database, Tx
from appliance.errors import Corrupt, NotFound, Unavailable
from appliance.values import Micros, now


class BlockIndex:
    """Satisfies what `blobs/` asks of an index. One instance serves one named store."""

    def __init__(self, db: Database, store: str = "main") -> None:
        self._db = db
        self.store = store
        self._known_id = 0

    @property
    def maintenance(self) -> BlockMaintenance:
        return BlockMaintenance(self._db, self._store_id)

    @property
    def _store_id(self) -> int:
        """0, which is no store's, as long as the database does not know this one."""
        if not self._known_id:
            self.store_uuid()
        return self._known_id

    def store_uuid(self) -> bytes | None:
        row = self._db.row("SELECT id, uuid FROM stores WHERE name = ?", (self.store,))
        if row is None:
            return None
        self._known_id = row["id"]
        return bytes(row["uuid"])

    def adopt_store(self, uuid: bytes) -> None:
        self._db.transact(lambda tx: tx.execute("INSERT INTO stores (name, uuid) VALUES (?, ?)", (self.store, uuid)))
        self.store_uuid()

    # -- looking up ------------------------------------------------------------------------------------------------

    def find(self, digests: Sequence[bytes], scope: str = "") -> dict[bytes, KnownBlock]:
        """Those of the digests that may be reused in this scope: never a marked block, never a damaged one."""
        number = scope_of(self._db, scope)
        found: dict[bytes, KnownBlock] = {}
        wanted = set(digests)
        for start in range(0, len(digests), LOOKUP):
            keys = [key_of(digest) for digest in digests[start : start + LOOKUP]]
            marks = ",".join("?" * len(keys))
            rows = self._db.rows(
                f"SELECT id, key, rest, length FROM blocks WHERE key IN ({marks}) AND scope = ? AND store = ? "
                "AND condemned_at IS NULL AND damaged_at IS NULL",
                (*keys, number, self._store_id),
            )
            for row in rows:
                digest = digest_of(row)
                if digest in wanted:
                    found[digest] = KnownBlock(row["id"], row["length"])
        return found

    def beginning_with(self, offset: int, block_id: int, size: int | None, most: int) -> list[int]:
        rows = self._db.rows(
            "SELECT c.id FROM extents e JOIN contents c ON c.id = e.content "
            'WHERE e.first_block = ? AND e."offset" = ? AND c.state = ? AND c.store = ? '
            "AND c.size = coalesce(?, c.size) ORDER BY c.id DESC LIMIT ?",
            (block_id, offset, STORED, self._store_id, size, most),
        )
        return [row["id"] for row in rows]

    # -- committing ------------------------------------------------------------------------------------------------

    def add_part(self, upload: bytes, content_id: int | None, part: Part, now: Micros) -> int:
        def add(tx: Tx) -> int:
            content = self._begin(tx, upload, now) if content_id is None else content_id
            if not tx.row("SELECT 1 FROM contents WHERE id = ? AND state = ?", (content, WRITING)):
                raise Unavailable("the upload was given up before it could be committed")
            self._write_part(tx, content, part, now)
            return content

        return self._db.transact(add)

    def commit(self, tx: Tx, sealed: Sealed) -> int:
        content_id = sealed.content_id
        if content_id is None:
            content_id = self._begin(tx, sealed.upload, sealed.created_at)
        self._write_part(tx, content_id, sealed.last, sealed.created_at)
        done = tx.execute(
            "UPDATE contents SET state = ?, size = ?, md5 = ?, hash_algorithm = ?, hash_value = ?, label = ?, "
            "created_at = ? WHERE id = ? AND state = ?",
            (
                STORED,
                sealed.size,
                sealed.md5,
                sealed.hash_algorithm,
                sealed.hash_value,
                sealed.label,
                sealed.created_at,
                content_id,
                WRITING,
            ),
        )
        if done.rowcount != 1:
            raise Unavailable("the upload was given up before it could be committed")
        return content_id

    def _begin(self, tx: Tx, upload: bytes, now: Micros) -> int:
        return tx.insert(
            "INSERT INTO contents (store, upload, state, created_at, held_by) VALUES (?, ?, ?, ?, ?) RETURNING id",
            (self._store_id, upload, WRITING, now, self._db.holder),
        )

    def _write_part(self, tx: Tx, content_id: int, part: Part, now: Micros) -> None:
        payload = sum(block.stored for block in part.new.values())
        segment = add_segment(tx, self._store_id, part.segment, part.segment_size, payload, now)
        # Whoever brought a block first, its digest has one id in its scope.
        ids = add_blocks(tx, self._store_id, segment, part.new, make_scope(tx, part.scope))
        offset = part.offset
        rows: list[tuple[int, int, int | None, int, int]] = []
        for first, blocks, length in extents_of(_refs(part.items, ids)):
            rows.append((content_id, offset, first, blocks, length))
            if first is not None:
                check_named(tx, self._store_id, first, blocks, length)
            offset += length
        if offset != part.offset + part.length:
            raise Corrupt("the blocks of an upload don't add up to its size")
        tx.executemany(
            'INSERT INTO extents (content, "offset", first_block, blocks, length) VALUES (?, ?, ?, ?, ?)', rows
        )
        tx.execute(
            'INSERT INTO stretches (content, number, segment, "offset", length) VALUES (?, ?, ?, ?, ?)',
            (content_id, part.number, segment, part.offset, part.length),
        )
        holes = sum(item.length for item in part.items if item.digest == HOLE)
        new = sum(block.length for block in part.new.values())
        tx.execute(
            "UPDATE contents SET size = size + ?, hole_length = hole_length + ?, reused_length = reused_length + ?, "
            "new_length = new_length + ?, new_stored = new_stored + ? WHERE id = ?",
            (
                part.length,
                holes,
                part.length - holes - new,
                new,
                payload,
                content_id,
            ),
        )

    # -- releasing -------------------------------------------------------------------------------------------------

    def release(self, tx: Tx, content_id: int) -> None:
        done = tx.execute(
            "UPDATE contents SET state = ? WHERE id = ? AND state = ? AND store = ?",
            (RELEASED, content_id, STORED, self._store_id),
        )
        if done.rowcount != 1:
            raise NotFound(f"there is no stored content {content_id}")

    def discard(self, content_id: int) -> None:
        self._db.transact(
            lambda tx: tx.execute(
                "UPDATE contents SET state = ? WHERE id = ? AND state = ?", (RELEASED, content_id, WRITING)
            ),
            frees=True,
        )

    # -- reading ---------------------------------------------------------------------------------------------------

    def content(self, content_id: int) -> ContentRow | None:
        row = self._db.row(
            "SELECT * FROM contents WHERE id = ? AND state = ? AND store = ?", (content_id, STORED, self._store_id)
        )
        return content_from_row(row) if row else None

    def spans(self, content_id: int, offset: int, most: int) -> list[Span]:
        spans: list[Span] = []
        extents = self._db.rows(
            'SELECT "offset", first_block, blocks, length FROM extents WHERE content = ? AND "offset" >= coalesce('
            '(SELECT max("offset") FROM extents WHERE content = ? AND "offset" <= ?), 0) ORDER BY "offset" LIMIT ?',
            (content_id, content_id, offset, most),
        )
        for extent in extents:
            if extent["first_block"] is None:
                spans.append(Span(extent["offset"], extent["length"]))
            else:
                spans.extend(self._block_spans(extent["offset"], extent["first_block"], extent["blocks"]))
            if len(spans) >= most:
                break
        return spans

    def _block_spans(self, offset: int, first: int, blocks: int) -> Iterator[Span]:
        rows = self._db.rows(
            f"SELECT {SPAN_COLUMNS} FROM blocks b JOIN segments s ON s.id = b.segment "
            "WHERE b.id BETWEEN ? AND ? ORDER BY b.id",
            (first, first + blocks - 1),
        )
        if len(rows) != blocks:
            raise Corrupt("the block index lacks blocks of a stored content")
        for row in rows:
            yield span_from_row(row, offset)
            offset += row["length"]

    def damaged(self, block_id: int) -> None:
        self.maintenance.mark_damaged([block_id], now())


def _refs(items: Iterable[Item], ids: dict[bytes, int]) -> Iterator[tuple[int, int]]:
    for item in items:
        if item.digest == HOLE:
            yield 0, item.length
        else:
            yield item.known_id or ids[item.digest], item.length
