"""Statements that more than one part of the block index runs inside a write transaction."""

from appliance.blobs.index import NewBlock
from appliance.db.block_rows import digest_of, key_of, rest_of
from appliance.db.database import Row, Tx
from appliance.errors import Unavailable
from appliance.values import Micros

LOOKUP = 400
"""How many digests one statement looks up."""

IS_NAMED = (
    "EXISTS (SELECT 1 FROM extents e WHERE e.first_block BETWEEN b.id - 255 AND b.id "
    "AND e.first_block + e.blocks > b.id)"
)
"""Liveness of the block `b`: some extent covers it. An extent has at most 256 blocks."""


def add_segment(tx: Tx, store: int, name: str, size: int, payload: int, now: Micros) -> int:
    """Make a sealed segment known, still without blocks."""
    first = next_block(tx)
    cursor = tx.execute(
        "INSERT INTO segments (store, name, size, payload, first_block, last_block, live_blocks, live_stored, "
        "live_length, created_at, scrubbed_at) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?)",
        (store, name, size, payload, first, first - 1, now, now),
    )
    return int(cursor.lastrowid or 0)


def next_block(tx: Tx) -> int:
    row = tx.row("SELECT next_block FROM block_counter")
    assert row is not None
    return int(row["next_block"])


def check_named(tx: Tx, store: int, first: int, blocks: int, length: int) -> None:
    """Blocks that an upload names must be there and sound in the transaction that names them; they are pardoned."""
    last = first + blocks - 1
    row = tx.row(
        "SELECT count(*) AS count, sum(length) AS length, count(condemned_at) AS condemned, "
        "count(damaged_at) AS damaged FROM blocks WHERE id BETWEEN ? AND ? AND store = ?",
        (first, last, store),
    )
    assert row is not None
    if row["count"] != blocks or row["length"] != length or row["damaged"]:
        raise Unavailable("stored data that this upload shares was found damaged meanwhile; upload it again")
    if row["condemned"]:
        tx.execute(
            "UPDATE blocks SET condemned_at = NULL WHERE id BETWEEN ? AND ? AND condemned_at IS NOT NULL",
            (first, last),
        )


def add_blocks(tx: Tx, store: int, segment: int, new: dict[bytes, NewBlock]) -> dict[bytes, int]:
    """Insert the blocks of a segment that the index lacks, heal those it has damaged; the id of every digest."""
    ids = _present(tx, store, segment, new)
    first = following = next_block(tx)
    rows = []
    for digest, block in new.items():
        if digest in ids:
            continue
        ids[digest] = following
        rows.append(
            (following, store, key_of(digest), rest_of(digest), segment)
            + (block.offset, block.stored, block.length, block.codec)
        )
        following += 1
    tx.executemany(
        "INSERT INTO blocks (id, store, key, rest, segment, offset, stored, length, codec) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    tx.execute("UPDATE block_counter SET next_block = ?", (following,))
    tx.execute(
        "UPDATE segments SET first_block = ?, last_block = ?, live_blocks = live_blocks + ?, "
        "live_stored = live_stored + ?, live_length = live_length + ? WHERE id = ?",
        (first, following - 1, len(rows), sum(row[6] for row in rows), sum(row[7] for row in rows), segment),
    )
    return ids


def _present(tx: Tx, store: int, segment: int, new: dict[bytes, NewBlock]) -> dict[bytes, int]:
    """Blocks that another upload committed first. A damaged one takes the fresh bytes as its own, which heals it."""
    ids: dict[bytes, int] = {}
    digests = list(new)
    for start in range(0, len(digests), LOOKUP):
        keys = [key_of(digest) for digest in digests[start : start + LOOKUP]]
        marks = ",".join("?" * len(keys))
        for row in tx.rows(
            "SELECT id, key, rest, segment, stored, length, damaged_at FROM blocks "
            f"WHERE key IN ({marks}) AND store = ?",
            (*keys, store),
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


def move_block(tx: Tx, block_id: int, old_segment: int, segment: int, place: NewBlock) -> bool:
    """Give a block another place, if it is still where it was; both segments' figures follow."""
    done = tx.execute(
        "UPDATE blocks SET segment = ?, offset = ?, moved = 1 WHERE id = ? AND segment = ?",
        (segment, place.offset, block_id, old_segment),
    )
    if done.rowcount != 1:
        return False
    count_blocks(tx, old_segment, -1, tx.row("SELECT stored, length FROM blocks WHERE id = ?", (block_id,)))
    tx.execute("UPDATE blocks SET stored = ?, codec = ? WHERE id = ?", (place.stored, place.codec, block_id))
    count_blocks(tx, segment, 1, tx.row("SELECT stored, length FROM blocks WHERE id = ?", (block_id,)))
    return True


def count_blocks(tx: Tx, segment: int, blocks: int, row: Row | None) -> None:
    """One block more or less in a segment's figures."""
    assert row is not None
    tx.execute(
        "UPDATE segments SET live_blocks = live_blocks + ?, live_stored = live_stored + ?, "
        "live_length = live_length + ? WHERE id = ?",
        (blocks, blocks * row["stored"], blocks * row["length"], segment),
    )
