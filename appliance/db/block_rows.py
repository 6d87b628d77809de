"""How rows of the block index become values, and the numbers that stand for states."""

import struct

from appliance.blobs.index import ContentRow, SegmentRow, Span
from appliance.db.database import Row

WRITING = 0
STORED = 1
RELEASED = 2

_KEY = struct.Struct("<q")

SPAN_COLUMNS = "b.id, b.key, b.rest, b.offset AS at, b.stored, b.length, b.codec, s.name AS segment"


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
    )
