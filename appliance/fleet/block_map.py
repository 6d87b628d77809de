"""Which blocks and holes an image is made of, in order: what a manifest names by its hash, and bitmaps speak of.

On the wire: a mark, the number of steps, the length of each step, then the digest of each block. The highest bit of
a length says that the step is a hole. Neighbouring holes are one, cut every GiB, so that every site that has an image
writes its map alike.
"""

import hashlib
import struct
import sys
from array import array
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from appliance.blobs.codec import DIGEST_LENGTH
from appliance.blobs.cutter import MAX_BLOCK
from appliance.blobs.index import Span
from appliance.errors import Invalid
from appliance.values import GIB

_MARK = b"GLAMAP1\n"
_HEAD = struct.Struct("<8sI")
_HOLE = 1 << 31
MOST_STEPS = 1 << 25
"""Some 2 TiB of data in blocks of 70 KiB: a map takes 36 bytes of memory for each."""


class BlockMap:
    """The steps of a content. Only blocks have a number in a bitmap: holes need no bytes."""

    def __init__(self, lengths: "array[int]", digests: bytes, stored: int = 0) -> None:
        self._lengths = lengths
        self._digests = digests
        self._stored = stored

    @classmethod
    def of(cls, spans: Iterable[Span]) -> "BlockMap":
        lengths, digests, hole, stored = array("I"), bytearray(), 0, 0
        for span in spans:
            if not span.segment:
                hole += span.length
                continue
            _add_hole(lengths, hole)
            hole = 0
            lengths.append(span.length)
            digests += span.digest
            stored += span.stored
        _add_hole(lengths, hole)
        return cls(lengths, bytes(digests), stored)

    @classmethod
    def unpack(cls, data: bytes, *, digest: str, size: int | None) -> "BlockMap":
        """The map with this hash, of a content of this size if one is given. Raises `Invalid` for anything else."""
        if hashlib.sha256(data).hexdigest() != digest:
            raise Invalid("a block map is not the one that the manifest names")
        if len(data) < _HEAD.size:
            raise Invalid("a block map is too short")
        mark, count = _HEAD.unpack_from(data)
        if mark != _MARK or count > MOST_STEPS or len(data) < _HEAD.size + 4 * count:
            raise Invalid("a block map is of a form that is not known here")
        lengths = array("I", data[_HEAD.size : _HEAD.size + 4 * count])
        if sys.byteorder == "big":
            lengths.byteswap()
        found = cls(lengths, data[_HEAD.size + 4 * count :])
        found._check(size)
        return found

    def pack(self) -> bytes:
        lengths = array("I", self._lengths)
        if sys.byteorder == "big":
            lengths.byteswap()
        return _HEAD.pack(_MARK, len(lengths)) + lengths.tobytes() + self._digests

    def _check(self, size: int | None) -> None:
        blocks = total = 0
        for length in self._lengths:
            if length & _HOLE:
                total += length ^ _HOLE
            elif 0 < length <= MAX_BLOCK:
                total, blocks = total + length, blocks + 1
            else:
                raise Invalid("a block map has a block of an impossible length")
        if (size is not None and total != size) or len(self._digests) != blocks * DIGEST_LENGTH:
            raise Invalid("a block map does not add up to the size of its image")

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.pack()).hexdigest()

    def facts(self) -> dict[str, Any]:
        """What a manifest says of it; `stored` is about what its blocks take."""
        return {"sha256": self.digest, "blocks": self.blocks, "data": self.data_length, "stored": self._stored}

    @property
    def blocks(self) -> int:
        """How many steps are blocks."""
        return len(self._digests) // DIGEST_LENGTH

    @property
    def data_length(self) -> int:
        """Bytes that are not in holes."""
        return sum(length for length in self._lengths if not length & _HOLE)

    def steps(self) -> Iterator[tuple[bytes, int]]:
        """Each step's digest, empty for a hole, and length."""
        at = 0
        for length in self._lengths:
            if length & _HOLE:
                yield b"", length ^ _HOLE
            else:
                yield self._digests[at : at + DIGEST_LENGTH], length
                at += DIGEST_LENGTH

    def each_block(self) -> Iterator[tuple[int, bytes, int]]:
        """Each block's number, digest and length: every occurrence, in order."""
        blocks = (step for step in self.steps() if step[0])
        for number, (digest, length) in enumerate(blocks):
            yield number, digest, length

    def bitmap(self, wanted: Collection[bytes]) -> bytes:
        """One bit for each block: whether it is the first occurrence of one of the digests."""
        bits, seen = bytearray(-(-self.blocks // 8)), set[bytes]()
        for number in range(self.blocks):
            digest = self._digests[number * DIGEST_LENGTH : (number + 1) * DIGEST_LENGTH]
            if digest in wanted and digest not in seen:
                seen.add(digest)
                bits[number >> 3] |= 1 << (number & 7)
        return bytes(bits)

    def chosen(self, bits: bytes) -> Iterator[tuple[int, bytes, int]]:
        """The blocks that a bitmap names. Raises `Invalid` if it is none of this map."""
        if len(bits) != -(-self.blocks // 8):
            raise Invalid("a bitmap has one bit for each block of the map")
        for number, digest, length in self.each_block():
            if bits[number >> 3] >> (number & 7) & 1:
                yield number, digest, length


def longest(blocks: int, size: int) -> int:
    """How long the packed map of so many blocks of a content of this size is at the most."""
    holes = blocks + 1 + size // GIB
    return _HEAD.size + 4 * min(blocks + holes, MOST_STEPS) + DIGEST_LENGTH * blocks


def _add_hole(lengths: "array[int]", hole: int) -> None:
    while hole:
        piece = min(hole, GIB)
        lengths.append(piece | _HOLE)
        hole -= piece
