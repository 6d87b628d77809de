"""The libraries behind a block: BLAKE3 for its name, lz4 and zstd for its form on disk."""

import threading

import lz4.block
import zstandard
from blake3 import blake3

from appliance.errors import Corrupt

DIGEST_LENGTH = 32


def block_digest(data: bytes | bytearray | memoryview) -> bytes:
    """32 bytes that name the block. Lets other threads run while it works on anything sizeable."""
    return blake3(data).digest()


RAW = 0
LZ4 = 1
ZSTD = 2
"""What the collection makes of blocks that nobody reads. Only in segments that say that they may have such."""

# A denser form is kept if it saves at least one eighth.
_WORTH_NUMERATOR, _WORTH_DENOMINATOR = 7, 8
_DENSE_LEVEL = 3
"""0.72 of lz4 at a quarter of its speed; level 6 gives 0.67, and takes nearly three times as long."""
_PATIENCE = 8
_PROBE_EVERY = 8


def decode(codec: int, stored: bytes | bytearray | memoryview, length: int) -> bytes | memoryview:
    """The block's own bytes, `length` of them. Raises `Corrupt`."""
    plain: bytes | memoryview
    if codec == RAW:
        plain = memoryview(stored)
    elif codec == LZ4:
        try:
            plain = lz4.block.decompress(stored, uncompressed_size=length)
        except lz4.block.LZ4BlockError as error:
            raise Corrupt("a stored block can't be decompressed") from error
    elif codec == ZSTD:
        plain = _unpacked(stored, length)
    else:
        raise Corrupt(f"a stored block names an unknown codec, {codec}")
    if len(plain) != length:
        raise Corrupt("a stored block has the wrong length")
    return plain


_local = threading.local()


def _unpacked(stored: bytes | bytearray | memoryview, length: int) -> bytes:
    """What zstd has made. A frame says how long its content is, and never gives more: others are not unpacked."""
    decompressor: zstandard.ZstdDecompressor | None = getattr(_local, "decompressor", None)
    if decompressor is None:
        # One for each thread, for it lets others run meanwhile.
        decompressor = _local.decompressor = zstandard.ZstdDecompressor()
    try:
        if zstandard.frame_content_size(stored) != length:
            raise Corrupt("a stored block has the wrong length")
        return decompressor.decompress(stored, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Corrupt("a stored block can't be decompressed") from error


def compresses(block: memoryview) -> bool:
    """Whether lz4 would be kept for this block."""
    packed: bytes = lz4.block.compress(block, store_size=False)
    return len(packed) * _WORTH_DENOMINATOR <= len(block) * _WORTH_NUMERATOR


class Encoder:
    """Packs the blocks of one upload."""

    def __init__(self) -> None:
        self.tried = 0
        self.failed = 0
        self._failures_in_a_row = 0
        self._skipped = 0

    def encode(self, block: memoryview) -> tuple[int, bytes | memoryview]:
        """The codec and the bytes to store."""
        if self._failures_in_a_row >= _PATIENCE and self._skipped < _PROBE_EVERY:
            self._skipped += 1
            return RAW, block
        self._skipped = 0
        self.tried += 1
        packed: bytes = lz4.block.compress(block, store_size=False)
        if len(packed) * _WORTH_DENOMINATOR <= len(block) * _WORTH_NUMERATOR:
            self._failures_in_a_row = 0
            return LZ4, packed
        self.failed += 1
        self._failures_in_a_row += 1
        return RAW, block


def as_uploaded(plain: bytes | memoryview) -> tuple[int, bytes | memoryview]:
    """The codec and the bytes of a block, as an upload of it alone would store it."""
    return Encoder().encode(memoryview(plain))


class DenseEncoder:
    """Compresses the blocks of segments that nobody reads, with the time that an upload does not have."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=_DENSE_LEVEL)

    def encode(self, plain: bytes | memoryview, codec: int, stored: bytes) -> tuple[int, bytes]:
        """The codec and the bytes to store; those that are stored already if they are not much longer."""
        packed = self._compressor.compress(plain)
        if len(packed) * _WORTH_DENOMINATOR > len(stored) * _WORTH_NUMERATOR:
            return codec, stored
        return ZSTD, packed
