"""Blocks on their way from one store to another, in the form in which they are stored: read here, taken in there.

Whoever takes blocks in believes nothing: each is decoded and compared with its digest before it is written.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from appliance.blobs import segment_format as fmt
from appliance.blobs.backends.base import SegmentMissing
from appliance.blobs.block_reader import BlockReader
from appliance.blobs.block_writer import PartWriter
from appliance.blobs.codec import LZ4, RAW, ZSTD, as_uploaded, block_digest, decode
from appliance.blobs.cutter import MAX_BLOCK
from appliance.blobs.index import BlockIndex, Sealed, Span
from appliance.errors import Corrupt, NotFound
from appliance.values import MIB

HASH = "sha512"
_SPANS_AT_ONCE = 256
_RECORD = MIB
_RECORD_BLOCKS = 256
_LARGEST_RECORD = _RECORD + MAX_BLOCK


class StoredBlock(NamedTuple):
    """A block as a store keeps it: `data` is what `codec` made of `length` bytes."""

    digest: bytes
    length: int
    codec: int
    data: bytes | memoryview

    def plain(self) -> bytes | memoryview:
        """The block's own bytes. Raises `Corrupt` if they are not what the digest says."""
        if not 0 < self.length <= MAX_BLOCK or len(self.data) > self.length:
            raise Corrupt("a block that came has an impossible length")
        if self.codec not in (RAW, LZ4):
            raise Corrupt("a block that came is in a form in which none is sent")
        plain = decode(self.codec, self.data, self.length)
        if block_digest(plain) != self.digest:
            raise Corrupt("a block that came is not what its digest says")
        return plain


class Delivery(PartWriter):
    """A content made of blocks as they are stored elsewhere (`add`), or of blocks and holes that are here (`name`)."""

    stored = 0
    """Bytes that came, as they are stored."""

    @cached_property
    def _md5(self) -> "hashlib._Hash":
        return hashlib.md5(usedforsecurity=False)

    @cached_property
    def _hash(self) -> "hashlib._Hash":
        return hashlib.new(HASH, usedforsecurity=False)

    def add(self, blocks: Sequence[StoredBlock]) -> None:
        """Take blocks in, which follow each other in this content. Each only once. Raises `Corrupt`."""
        for block in blocks:
            plain = block.plain()
            self._md5.update(plain)
            self._hash.update(plain)
        entries = [fmt.BlockEntry(block.digest, block.length, len(block.data), block.codec) for block in blocks]
        self._append(entries, [block.data for block in blocks])
        for block in blocks:
            self._add_block(block.digest, block.length, 0)
            self.stored += len(block.data)
        self._end_part_if_full()

    def name(self, digest: bytes, length: int, block_id: int) -> None:
        """The content goes on with a block that the index knows; with a hole for the id 0."""
        if block_id:
            self._add_block(digest, length, block_id)
        else:
            self._add_hole(length)
        self._end_part_if_full()

    def sealed(self, label: bytes) -> Sealed:
        """End a content of added blocks: everything is durable then."""
        return self.sealed_as(self._md5.hexdigest(), HASH, self._hash.hexdigest(), label)

    def sealed_as(self, md5: str, hash_algorithm: str, hash_value: str, label: bytes) -> Sealed:
        """End a content whose digests are known, or at least claimed."""
        last, at = self.seal(bytes.fromhex(md5), hash_algorithm, bytes.fromhex(hash_value), label)
        size = last.offset + last.length
        return Sealed(self.upload, self.content_id, last, size, md5, hash_algorithm, hash_value, label, at)


class StoredBlocks:
    """The blocks of one content as an upload stores them. The content stays whole until this is closed.

    Those that were recompressed since are sent as they were before: whoever takes them in may be of a version without
    zstd.
    """

    def __init__(self, content_id: int, index: BlockIndex, reader: BlockReader, on_close: Callable[[], None]) -> None:
        self._id = content_id
        self._index = index
        self._reader = reader
        self._on_close = on_close

    def spans(self) -> Iterator[Span]:
        """Its steps from the first to the last."""
        offset = 0
        while spans := [span for span in self._index.spans(self._id, offset, _SPANS_AT_ONCE) if span.offset >= offset]:
            yield from spans
            offset = spans[-1].offset + spans[-1].length

    def at(self, numbers: Iterable[int]) -> Iterator[StoredBlock]:
        """The blocks with these numbers, in ascending order: holes are not counted. Raises `Corrupt`, `NotFound`."""
        return map(self._read, self._spans_of(numbers))

    def lengths(self, numbers: Iterable[int]) -> Iterator[int]:
        """How many bytes each of these blocks takes as it is sent. Raises `NotFound`."""
        return (len(self._read(span).data) if span.codec == ZSTD else span.stored for span in self._spans_of(numbers))

    def _spans_of(self, numbers: Iterable[int]) -> Iterator[Span]:
        wanted = iter(numbers)
        number = next(wanted, None)
        for at, span in enumerate(span for span in self.spans() if span.segment):
            if number is None:
                return
            if at == number:
                yield span
                number = next(wanted, None)
        if number is not None:
            raise NotFound("the content has fewer blocks")

    def _read(self, span: Span) -> StoredBlock:
        try:
            data = self._reader.stored(span)
        except SegmentMissing:
            # The collection has moved it to another segment since.
            span = next(one for one in self._index.spans(self._id, span.offset, 1) if one.offset == span.offset)
            data = self._reader.stored(span)
        if span.codec == ZSTD:
            return StoredBlock(span.digest, span.length, *as_uploaded(decode(span.codec, data, span.length)))
        return StoredBlock(span.digest, span.length, span.codec, data)

    def close(self) -> None:
        """Let the content go."""
        self._on_close()


def records(blocks: Iterable[StoredBlock]) -> Iterator[bytes]:
    """Blocks on the wire: the records of a segment, each with about 1 MiB of them."""
    batch: list[StoredBlock] = []
    size = 0
    for block in blocks:
        if _is_full(len(batch), size, len(block.data)):
            yield _record(batch)
            batch, size = [], 0
        batch.append(block)
        size += len(block.data)
    if batch:
        yield _record(batch)


def record_lengths(stored: Iterable[int]) -> Iterator[int]:
    """How long those records will be, for blocks of which each takes so many bytes as it is stored."""
    return (length for _, length in record_sizes(stored))


def record_sizes(stored: Iterable[int]) -> Iterator[tuple[int, int]]:
    """How many blocks each of those records will have, and how long it will be."""
    count = size = 0
    for length in stored:
        if _is_full(count, size, length):
            yield count, fmt.RECORD_LENGTH + count * fmt.BLOCK_LENGTH + size
            count = size = 0
        count, size = count + 1, size + length
    if count:
        yield count, fmt.RECORD_LENGTH + count * fmt.BLOCK_LENGTH + size


def _is_full(count: int, size: int, more: int) -> bool:
    return count > 0 and (size + more > _RECORD or count == _RECORD_BLOCKS)


def _record(blocks: Sequence[StoredBlock]) -> bytes:
    entries = [fmt.BlockEntry(block.digest, block.length, len(block.data), block.codec) for block in blocks]
    head = fmt.pack_record(fmt.BLOCKS, fmt.pack_blocks(entries), sum(entry.stored for entry in entries))
    return b"".join([head, *(block.data for block in blocks)])


def read_records(read: Callable[[int], bytes]) -> Iterator[StoredBlock]:
    """Blocks from the wire, until its end or a footer's record. `read` gives exactly as many bytes, or none at the end.

    Nothing is believed: each block is still to be checked. Raises `Corrupt` for what is no such record, or a larger one
    than is ever sent.
    """
    while head := read(fmt.RECORD_LENGTH):
        header = fmt.unpack_record_header(_whole(head, fmt.RECORD_LENGTH))
        if header.kind == fmt.DONE:
            return
        too_large = header.table_length > _RECORD_BLOCKS * fmt.BLOCK_LENGTH or header.payload_length > _LARGEST_RECORD
        if header.kind != fmt.BLOCKS or too_large or header.table_length % fmt.BLOCK_LENGTH:
            raise Corrupt("what came is not a record of blocks")
        table = _whole(read(header.table_length), header.table_length)
        fmt.check_table(header, table)
        entries = list(fmt.unpack_blocks(table))
        if sum(entry.stored for entry in entries) != header.payload_length:
            raise Corrupt("a record of blocks does not have the length that it says")
        for entry in entries:
            yield StoredBlock(entry.digest, entry.length, entry.codec, _whole(read(entry.stored), entry.stored))


def _whole(data: bytes, length: int) -> bytes:
    if len(data) != length:
        raise Corrupt("a record of blocks ends early")
    return data
