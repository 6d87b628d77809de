"""The bytes of a segment file, versions 1 and 2: how each record is written and read. docs/blob-store.md draws it.

A segment is a header, then records, then a footer that tells where each record starts, so that a damaged record
can be stepped over. A record's header and table are covered by a CRC32; a block's bytes by the digest in the table.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from appliance.blobs.codec import DIGEST_LENGTH
from appliance.errors import Corrupt

VERSION = 1
DENSE_VERSION = 2
"""The same, for segments that may hold blocks of zstd, which programs of before do not read."""
HEADER_MAGIC = b"GLABSEG\n"
FOOTER_MAGIC = b"GLABEND\n"

BLOCKS = b"BLKS"
MAP = b"MAPS"
SEAL = b"SEAL"
DONE = b"DONE"

_HEADER = struct.Struct("<8sHHI16s16sQ")
_CRC = struct.Struct("<I")
_RECORD = struct.Struct("<4sIQ")
_BLOCK = struct.Struct("<32sIIB")
_MAP = struct.Struct("<16sIQI")
_ITEM = struct.Struct("<32sQ")
_SEAL = struct.Struct("<16sIQ16sQ")
_FOOTER = struct.Struct("<8sQ")
_OFFSET = struct.Struct("<Q")

HEADER_LENGTH = _HEADER.size + _CRC.size
RECORD_LENGTH = _RECORD.size + _CRC.size
FOOTER_LENGTH = _FOOTER.size + _CRC.size
BLOCK_LENGTH = _BLOCK.size
MAX_TABLE = 64 * 1024 * 1024

HOLE = bytes(DIGEST_LENGTH)
"""Stands for a run of zeros where a map names a block."""


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    store: bytes
    segment: bytes
    created_at: int
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class BlockEntry:
    digest: bytes
    length: int
    stored: int
    codec: int


@dataclass(frozen=True, slots=True)
class MapRecord:
    """One part of a content: which blocks and holes follow each other from `offset` on."""

    upload: bytes
    number: int
    offset: int
    items: list[tuple[bytes, int]]


@dataclass(frozen=True, slots=True)
class SealRecord:
    """Ends a content: written once, after its last part. Without it the content never existed."""

    upload: bytes
    parts: int
    size: int
    md5: bytes
    hash_algorithm: str
    hash_value: bytes
    label: bytes
    created_at: int


@dataclass(frozen=True, slots=True)
class RecordHeader:
    kind: bytes
    table_length: int
    payload_length: int
    crc: int


def _with_crc(data: bytes) -> bytes:
    return data + _CRC.pack(zlib.crc32(data))


def _checked(data: bytes, what: str) -> bytes:
    body, (crc,) = data[: -_CRC.size], _CRC.unpack(data[-_CRC.size :])
    if zlib.crc32(body) != crc:
        raise Corrupt(f"a segment's {what} is damaged")
    return body


def pack_header(header: SegmentHeader) -> bytes:
    packed = _HEADER.pack(HEADER_MAGIC, header.version, 0, 0, header.store, header.segment, header.created_at)
    return _with_crc(packed)


def unpack_header(data: bytes) -> SegmentHeader:
    magic, version, _flags, _spare, store, segment, created_at = _HEADER.unpack(_checked(data, "header"))
    if magic != HEADER_MAGIC:
        raise Corrupt("a file in the segment directory is not a segment")
    if version not in (VERSION, DENSE_VERSION):
        raise Corrupt(f"a segment has version {version}; this program reads versions up to {DENSE_VERSION}")
    return SegmentHeader(store, segment, created_at, version)


def pack_record(kind: bytes, table: bytes, payload_length: int) -> bytes:
    """A record's header and table; the payload follows it in the file."""
    head = _RECORD.pack(kind, len(table), payload_length)
    return head + _CRC.pack(zlib.crc32(table, zlib.crc32(head))) + table


def unpack_record_header(data: bytes) -> RecordHeader:
    kind, table_length, payload_length = _RECORD.unpack(data[: _RECORD.size])
    (crc,) = _CRC.unpack(data[_RECORD.size :])
    if table_length > MAX_TABLE:
        raise Corrupt("a segment's record header is damaged")
    return RecordHeader(kind, table_length, payload_length, crc)


def check_table(header: RecordHeader, table: bytes) -> None:
    head = _RECORD.pack(header.kind, header.table_length, header.payload_length)
    if zlib.crc32(table, zlib.crc32(head)) != header.crc:
        raise Corrupt("a segment's record is damaged")


def pack_blocks(entries: Iterable[BlockEntry]) -> bytes:
    return b"".join([_BLOCK.pack(entry.digest, entry.length, entry.stored, entry.codec) for entry in entries])


def unpack_blocks(table: bytes) -> Iterator[BlockEntry]:
    for digest, length, stored, codec in _BLOCK.iter_unpack(table):
        yield BlockEntry(digest, length, stored, codec)


def pack_map(record: MapRecord) -> bytes:
    head = _MAP.pack(record.upload, record.number, record.offset, len(record.items))
    return head + b"".join([_ITEM.pack(digest, length) for digest, length in record.items])


def unpack_map(table: bytes) -> MapRecord:
    upload, number, offset, count = _MAP.unpack_from(table)
    items = list(_ITEM.iter_unpack(table[_MAP.size :]))
    if len(items) != count:
        raise Corrupt("a segment's map record has the wrong length")
    return MapRecord(upload, number, offset, items)


def _short(data: bytes) -> bytes:
    return struct.pack("<B", len(data)) + data


def pack_seal(seal: SealRecord) -> bytes:
    head = _SEAL.pack(seal.upload, seal.parts, seal.size, seal.md5, seal.created_at)
    return head + _short(seal.hash_algorithm.encode()) + _short(seal.hash_value) + seal.label


def unpack_seal(table: bytes) -> SealRecord:
    upload, parts, size, md5, created_at = _SEAL.unpack_from(table)
    rest = table[_SEAL.size :]
    algorithm, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    value, label = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    return SealRecord(upload, parts, size, md5, algorithm.decode(), value, label, created_at)


def pack_offsets(offsets: Iterable[int]) -> bytes:
    return b"".join([_OFFSET.pack(offset) for offset in offsets])


def unpack_offsets(table: bytes) -> list[int]:
    return [offset for (offset,) in _OFFSET.iter_unpack(table)]


def pack_footer(done_offset: int) -> bytes:
    return _with_crc(_FOOTER.pack(FOOTER_MAGIC, done_offset))


def unpack_footer(data: bytes) -> int:
    magic, done_offset = _FOOTER.unpack(_checked(data, "footer"))
    if magic != FOOTER_MAGIC:
        raise Corrupt("a segment's footer is damaged")
    return int(done_offset)
