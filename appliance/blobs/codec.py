"""The libraries behind a block: BLAKE3 for its name, lz4 for its form on disk."""

import lz4.block
from blake3 import blake3

from appliance.errors import Corrupt

DIGEST_LENGTH = 32


def block_digest(data: bytes | bytearray | memoryview) -> bytes:
    """32 bytes that name the block. Lets other threads run while it works on anything sizeable."""
    return blake3(data).digest()


RAW = 0
LZ4 = 1

# lz4 is kept if it saves at least one eighth.
_WORTH_NUMERATOR, _WORTH_DENOMINATOR = 7, 8
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
    else:
        raise Corrupt(f"a stored block names an unknown codec, {codec}")
    if len(plain) != length:
        raise Corrupt("a stored block has the wrong length")
    return plain


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
