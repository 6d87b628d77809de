"""Walks a segment's records as they lie in the file, stepping over damaged ones with the footer's help."""

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.blobs import segment_format as fmt
from appliance.blobs.shelf import SegmentHandle
from appliance.errors import Corrupt


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
