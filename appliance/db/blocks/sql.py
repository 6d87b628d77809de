"""How rows of the block index become values, and the numbers that stand for states."""

import struct
from collections.abc import Sequence

from appliance.blobs.index import ContentRow, NewBlock, SegmentRow, Span
from appliance.db.engine.base import Database, Row, Tx
from appliance.errors import Unavailable
from appliance.values import Micros

WRITING = 0
STORED = 1
RELEASED = 2

_KEY = struct.Struct("<q")

SPAN_COLUMNS = 'b.id, b.key, b.rest, b."offset" AS at, b.stored, b.length, b.codec, s.name AS segment'


def key_of(digest: bytes) -> int:
    """The indexed part of a digest. Never trusted alone: `rest` decides."""
    return int(_KEY.unpack_from(digest)[0])


def rest_of(digest: bytes) -> bytes:
    return digest[_KEY.size :]


def digest_of(row: Row) -> bytes:
    return _KEY.pack(row["key"]) + bytes(row["rest"])


def span_from_row(row: Row, offset: int) -> Span:
    """A block's place, from the `SPAN_COLUMNS` in their order, as the step of a content that begins at `offset`."""
    block_id, key, rest, at, stored, length, codec, segment = row
    return Span(offset, length, block_id, _KEY.pack(key) + rest, segment, at, stored, codec)


def content_from_row(row: Row) -> ContentRow:
    return ContentRow(
        id=row["id"],
        upload=bytes(row["upload"]),
        size=row["size"],
        md5=row["md5"],
        hash_algorithm=row["hash_algorithm"],
        hash_value=row["hash_value"],
        label=bytes(row["label"]),
        created_at=row["created_at"],
        hole_length=row["hole_length"],
        reused_length=row["reused_length"],
        new_length=row["new_length"],
        new_stored=row["new_stored"],
    )


def segment_from_row(row: Row) -> SegmentRow:
    return SegmentRow(
        id=row["id"],
        name=row["name"],
        size=row["size"],
        payload=row["payload"],
        live_blocks=row["live_blocks"],
        live_stored=row["live_stored"],
        live_length=row["live_length"],
        damaged=bool(row["damaged"]),
        scrub_after=row["scrub_after"],
        scrubbed_at=row["scrubbed_at"],
        dense=bool(row["dense"]),
    )


LOOKUP = 400
"""How many digests one statement looks up."""

EVERYBODY = 0
"""The scope of blocks that every upload without a scope of its own may reuse."""

IS_NAMED = (
    "EXISTS (SELECT 1 FROM extents e WHERE e.first_block BETWEEN b.id - 255 AND b.id "
    "AND e.first_block + e.blocks > b.id)"
)
"""Whether the block `b` is live: some extent covers it. An extent has at most 256 blocks."""


def add_segment(tx: Tx, store: int, name: str, size: int, payload: int, now: Micros, *, dense: bool = False) -> int:
    """Make a sealed segment known, still without blocks."""
    first = next_block(tx)
    return tx.insert(
        "INSERT INTO segments (store, name, size, payload, first_block, last_block, live_blocks, live_stored, "
        "live_length, created_at, scrubbed_at, dense) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?) RETURNING id",
        (store, name, size, payload, first, first - 1, now, now, int(dense)),
    )


def next_block(tx: Tx) -> int:
    row = tx.row("SELECT next_block FROM block_counter")
    assert row is not None
    return int(row["next_block"])


def check_named(tx: Tx, store: int, first: int, blocks: int, length: int) -> None:
    """Blocks that an upload names must be there and sound in the transaction that names them; they are unmarked."""
    last = first + blocks - 1
    row = tx.row(
        "SELECT count(*) AS count, sum(length) AS length, count(condemned_at) AS marked, "
        "count(damaged_at) AS damaged FROM blocks WHERE id BETWEEN ? AND ? AND store = ?",
        (first, last, store),
    )
    assert row is not None
    if row["count"] != blocks or row["length"] != length or row["damaged"]:
        raise Unavailable("stored data that this upload shares was found damaged meanwhile; upload it again")
    if row["marked"]:
        tx.execute(
            "UPDATE blocks SET condemned_at = NULL WHERE id BETWEEN ? AND ? AND condemned_at IS NOT NULL",
            (first, last),
        )


def scope_of(reader: Database | Tx, scope: str) -> int:
    """The number of a scope; -1, which is no block's, for one that has none yet."""
    if not scope:
        return EVERYBODY
    row = reader.row("SELECT id FROM block_scopes WHERE name = ?", (scope,))
    return int(row["id"]) if row else -1


def make_scope(tx: Tx, scope: str) -> int:
    """The number of a scope, which it has from now on."""
    number = scope_of(tx, scope)
    return number if number >= 0 else tx.insert("INSERT INTO block_scopes (name) VALUES (?) RETURNING id", (scope,))


def add_blocks(tx: Tx, store: int, segment: int, new: dict[bytes, NewBlock], scope: int) -> dict[bytes, int]:
    """Insert the blocks of a segment that their scope lacks, heal those that are damaged; the id of every digest."""
    ids = _present(tx, store, segment, new, scope)
    first = following = next_block(tx)
    rows = []
    for digest, block in new.items():
        if digest in ids:
            continue
        ids[digest] = following
        rows.append(
            (following, store, scope, key_of(digest), rest_of(digest), segment)
            + (block.offset, block.stored, block.length, block.codec)
        )
        following += 1
    tx.executemany(
        'INSERT INTO blocks (id, store, scope, key, rest, segment, "offset", stored, length, codec) '
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    tx.execute("UPDATE block_counter SET next_block = ?", (following,))
    tx.execute(
        "UPDATE segments SET first_block = ?, last_block = ?, live_blocks = live_blocks + ?, "
        "live_stored = live_stored + ?, live_length = live_length + ? WHERE id = ?",
        (first, following - 1, len(rows), sum(row[7] for row in rows), sum(row[8] for row in rows), segment),
    )
    _heal_others(tx, store, ids)
    return ids


def _present(tx: Tx, store: int, segment: int, new: dict[bytes, NewBlock], scope: int) -> dict[bytes, int]:
    """Blocks that another upload committed first. A damaged one takes the fresh bytes as its own, which heals it."""
    ids: dict[bytes, int] = {}
    digests = list(new)
    for start in range(0, len(digests), LOOKUP):
        keys = [key_of(digest) for digest in digests[start : start + LOOKUP]]
        marks = ",".join("?" * len(keys))
        for row in tx.rows(
            f"SELECT id, key, rest, segment, damaged_at FROM blocks WHERE key IN ({marks}) AND scope = ? AND store = ?",
            (*keys, scope, store),
        ):
            digest = digest_of(row)
            block = new.get(digest)
            if block is None:
                continue
            ids[digest] = row["id"]
            if row["damaged_at"] is not None:
                move_block(tx, row["id"], row["segment"], segment, block)
                tx.execute("UPDATE blocks SET damaged_at = NULL WHERE id = ?", (row["id"],))
    return ids


def _heal_others(tx: Tx, store: int, ids: dict[bytes, int]) -> None:
    """Damaged blocks of other scopes take the place of the sound ones that have just come. There are few, if any."""
    if not tx.row("SELECT 1 FROM blocks WHERE store = ? AND damaged_at IS NOT NULL", (store,)):
        return
    digests = list(ids)
    for start in range(0, len(digests), LOOKUP):
        _heal_those(tx, store, {digest: ids[digest] for digest in digests[start : start + LOOKUP]})


def _heal_those(tx: Tx, store: int, ids: dict[bytes, int]) -> None:
    marks = ",".join("?" * len(ids))
    for row in tx.rows(
        f"SELECT id, key, rest, segment FROM blocks WHERE key IN ({marks}) AND store = ? AND damaged_at IS NOT NULL",
        (*map(key_of, ids), store),
    ):
        sound = ids.get(digest_of(row))
        if sound is None or sound == row["id"]:
            continue
        place = tx.row('SELECT segment, "offset", stored, length, codec FROM blocks WHERE id = ?', (sound,))
        assert place is not None
        tx.execute("UPDATE blocks SET shared = 1, damaged_at = NULL WHERE id IN (?, ?)", (row["id"], sound))
        move_block(tx, row["id"], row["segment"], place["segment"], NewBlock(*place[1:]))


_PLACE = 'SELECT id, segment, "offset", stored, length, shared FROM blocks WHERE id = ?'


def move_block(tx: Tx, block_id: int, old_segment: int, segment: int, place: NewBlock) -> bool:
    """Give a block another place, if it is still where it was; both segments' figures follow."""
    row = tx.row(_PLACE, (block_id,))
    if row is None or row["segment"] != old_segment:
        return False
    _count(tx, row, -1)
    tx.execute(
        'UPDATE blocks SET segment = ?, "offset" = ?, stored = ?, codec = ?, moved = 1 WHERE id = ?',
        (segment, place.offset, place.stored, place.codec, block_id),
    )
    row = tx.row(_PLACE, (block_id,))
    assert row is not None
    _count(tx, row, 1)
    return True


def delete_blocks(tx: Tx, rows: Sequence[Row]) -> None:
    """Delete blocks, given their places and `shared`; the figures of their segments follow."""
    sums: dict[int, tuple[int, int, int]] = {}
    for row in rows:
        if row["shared"]:
            _count(tx, row, -1)
            tx.execute("DELETE FROM blocks WHERE id = ?", (row["id"],))
        else:
            blocks, stored, length = sums.get(row["segment"], (0, 0, 0))
            sums[row["segment"]] = (blocks + 1, stored + row["stored"], length + row["length"])
    tx.executemany("DELETE FROM blocks WHERE id = ?", [(row["id"],) for row in rows if not row["shared"]])
    tx.executemany(
        "UPDATE segments SET live_blocks = live_blocks - ?, live_stored = live_stored - ?, "
        "live_length = live_length - ? WHERE id = ?",
        [(*figures, segment) for segment, figures in sums.items()],
    )


def _count(tx: Tx, row: Row, blocks: int) -> None:
    """One block more or less in its segment's figures; its bytes, if no other block has the same place."""
    alone = not row["shared"] or not tx.row(
        'SELECT 1 FROM blocks WHERE shared = 1 AND segment = ? AND "offset" = ? AND id <> ?',
        (row["segment"], row["offset"], row["id"]),
    )
    length = blocks if alone else 0
    tx.execute(
        "UPDATE segments SET live_blocks = live_blocks + ?, live_stored = live_stored + ?, "
        "live_length = live_length + ? WHERE id = ?",
        (blocks, length * row["stored"], length * row["length"], row["segment"]),
    )
