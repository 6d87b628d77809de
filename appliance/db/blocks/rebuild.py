"""Writing the block index anew from what the segments say, when the database is lost."""

from collections.abc import Sequence

from appliance.blobs.codec import ZSTD
from appliance.blobs.index import NewBlock, Sealed, extents_of
from appliance.blobs.segment_format import HOLE
from appliance.db.blocks.sql import EVERYBODY, LOOKUP, STORED, WRITING, add_blocks, add_segment, digest_of, key_of
from appliance.db.engine.base import Tx
from appliance.values import Micros


def adopt_segment(
    tx: Tx, store: int, name: str, size: int, blocks: Sequence[tuple[bytes, NewBlock]], now: Micros
) -> int:
    """The id of the segment; one that is known already is left as it is."""
    row = tx.row("SELECT id FROM segments WHERE store = ? AND name = ?", (store, name))
    if row is not None:
        return int(row["id"])
    dense = any(block.codec == ZSTD for _, block in blocks)
    segment = add_segment(tx, store, name, size, sum(block.stored for _, block in blocks), now, dense=dense)
    add_blocks(tx, store, segment, dict(blocks), EVERYBODY)
    return segment


def adopt_part(
    tx: Tx,
    store: int,
    upload: bytes,
    segment: int,
    number: int,
    offset: int,
    items: Sequence[tuple[bytes, int]],
    now: Micros,
) -> bool:
    """A part may be found twice, if a crash interrupted a rewrite: the first one counts."""
    content = _content(tx, store, upload, now)
    if tx.row("SELECT 1 FROM stretches WHERE content = ? AND number = ?", (content, number)):
        return True
    ids = _ids(tx, store, [digest for digest, _ in items if digest != HOLE])
    if any(digest != HOLE and digest not in ids for digest, _ in items):
        return False
    position = offset
    rows = []
    for first, blocks, length in extents_of((0 if digest == HOLE else ids[digest], size) for digest, size in items):
        rows.append((content, position, first, blocks, length))
        position += length
    tx.executemany('INSERT INTO extents (content, "offset", first_block, blocks, length) VALUES (?, ?, ?, ?, ?)', rows)
    tx.execute(
        'INSERT INTO stretches (content, number, segment, "offset", length) VALUES (?, ?, ?, ?, ?)',
        (content, number, segment, offset, position - offset),
    )
    holes = sum(size for digest, size in items if digest == HOLE)
    tx.execute(
        "UPDATE contents SET hole_length = hole_length + ?, reused_length = reused_length + ? WHERE id = ?",
        (holes, position - offset - holes, content),
    )
    return True


def adopt_seal(tx: Tx, store: int, sealed: Sealed, parts: int) -> int | None:
    """Make a content stored if its parts follow each other without a gap from 0 to its size."""
    content = _content(tx, store, sealed.upload, sealed.created_at)
    position = count = 0
    for row in tx.rows('SELECT "offset", length FROM stretches WHERE content = ? ORDER BY number', (content,)):
        if row["offset"] != position:
            return None
        position += row["length"]
        count += 1
    if count != parts or position != sealed.size:
        return None
    tx.execute(
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
            content,
            WRITING,
        ),
    )
    return content


def _content(tx: Tx, store: int, upload: bytes, now: Micros) -> int:
    tx.execute(
        "INSERT INTO contents (store, upload, state, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (upload) DO NOTHING",
        (store, upload, WRITING, now),
    )
    row = tx.row("SELECT id FROM contents WHERE upload = ?", (upload,))
    assert row is not None
    return int(row["id"])


def _ids(tx: Tx, store: int, digests: Sequence[bytes]) -> dict[bytes, int]:
    ids: dict[bytes, int] = {}
    for start in range(0, len(digests), LOOKUP):
        keys = [key_of(digest) for digest in digests[start : start + LOOKUP]]
        marks = ",".join("?" * len(keys))
        for row in tx.rows(f"SELECT id, key, rest FROM blocks WHERE key IN ({marks}) AND store = ?", (*keys, store)):
            ids[digest_of(row)] = row["id"]
    return ids
