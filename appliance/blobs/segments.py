"""Segments as files: written block after block, and read from the first block to the last."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.blobs import segment_format as fmt
from appliance.blobs.backends.base import Backend, SegmentHandle
from appliance.blobs.codec import ZSTD
from appliance.blobs.durable import Bytes
from appliance.errors import Corrupt, Failure
from appliance.values import Micros


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `damage` says what is wrong with it; its table is then empty."""

    offset: int
    kind: bytes = b""
    table: bytes = b""
    payload_offset: int = 0
    payload_length: int = 0
    damage: str | None = None


def read_at(handle: SegmentHandle, offset: int, length: int) -> bytes:
    if offset < 0 or offset + length > handle.size:
        raise Corrupt("a segment's record reaches beyond its end")
    buffer = bytearray(length)
    handle.read_into(memoryview(buffer), offset)
    return bytes(buffer)


def read_header(handle: SegmentHandle) -> fmt.SegmentHeader:
    return fmt.unpack_header(read_at(handle, 0, fmt.HEADER_LENGTH))


def read_record(handle: SegmentHandle, offset: int) -> Record:
    """The record at that place. Raises `Corrupt`."""
    header = fmt.unpack_record_header(read_at(handle, offset, fmt.RECORD_LENGTH))
    table = read_at(handle, offset + fmt.RECORD_LENGTH, header.table_length)
    fmt.check_table(header, table)
    payload = offset + fmt.RECORD_LENGTH + header.table_length
    if payload + header.payload_length > handle.size:
        raise Corrupt("a segment's record reaches beyond its end")
    return Record(offset, header.kind, table, payload, header.payload_length)


def record_offsets(handle: SegmentHandle) -> list[int]:
    """Where the footer says that records begin. Raises `Corrupt`."""
    done = fmt.unpack_footer(read_at(handle, handle.size - fmt.FOOTER_LENGTH, fmt.FOOTER_LENGTH))
    record = read_record(handle, done)
    if record.kind != fmt.DONE:
        raise Corrupt("a segment's footer is damaged")
    return fmt.unpack_offsets(record.table)


def scan(handle: SegmentHandle) -> Iterator[Record]:
    """All records in order; what is damaged comes as a record that says so. Never raises `Corrupt`."""
    try:
        read_header(handle)
    except Corrupt as error:
        yield Record(0, damage=str(error))
    try:
        offsets = record_offsets(handle)
    except Corrupt as error:
        yield Record(handle.size, damage=str(error))
        yield from _walk(handle)
        return
    for offset in offsets:
        try:
            yield read_record(handle, offset)
        except Corrupt as error:
            yield Record(offset, damage=str(error))


def _walk(handle: SegmentHandle) -> Iterator[Record]:
    """Without a footer, each record says where the next one is; the first damaged one ends the walk."""
    offset = fmt.HEADER_LENGTH
    while offset < handle.size:
        try:
            record = read_record(handle, offset)
        except Corrupt as error:
            yield Record(offset, damage=str(error))
            return
        if record.kind == fmt.DONE:
            return
        yield record
        offset = record.payload_offset + record.payload_length


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """A segment that is durable on the backend."""

    name: str
    size: int


class SegmentWriter:
    """One staged segment. Its name is random and never used again. Only a `dense` one may hold blocks of zstd."""

    def __init__(self, backend: Backend, store: bytes, created_at: Micros, *, dense: bool = False) -> None:
        segment = os.urandom(16)
        self.name = segment.hex()
        self._file = backend.stage(self.name)
        self._offsets: list[int] = []
        self._dense = dense
        version = fmt.DENSE_VERSION if dense else fmt.VERSION
        try:
            self._file.write([fmt.pack_header(fmt.SegmentHeader(store, segment, created_at, version))])
        except Failure:
            self.discard()
            raise

    @property
    def size(self) -> int:
        return self._file.size

    def add_blocks(self, entries: Sequence[fmt.BlockEntry], payload: Sequence[Bytes]) -> int:
        """Append blocks as one record; says at which offset the first one's bytes start. The rest follow it."""
        if not self._dense and any(entry.codec == ZSTD for entry in entries):
            raise ValueError("a block of zstd in a segment that does not say so")
        record = fmt.pack_record(fmt.BLOCKS, fmt.pack_blocks(entries), sum(entry.stored for entry in entries))
        self._offsets.append(self.size)
        start = self.size + len(record)
        self._file.write([record, *payload])
        return start

    def add_map(self, record: fmt.MapRecord) -> None:
        self._add(fmt.MAP, fmt.pack_map(record))

    def add_seal(self, seal: fmt.SealRecord) -> None:
        self._add(fmt.SEAL, fmt.pack_seal(seal))

    def _add(self, kind: bytes, table: bytes) -> None:
        self._offsets.append(self.size)
        self._file.write([fmt.pack_record(kind, table, 0)])

    def publish(self) -> SealedSegment:
        """Write the footer and make the segment durable under its name."""
        done_offset = self.size
        table = fmt.pack_offsets(self._offsets)
        self._file.write([fmt.pack_record(fmt.DONE, table, 0), fmt.pack_footer(done_offset)])
        size = self.size
        self._file.publish()
        return SealedSegment(self.name, size)

    def discard(self) -> None:
        self._file.discard()
