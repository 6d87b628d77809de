"""Blocks of one image on their way out: which of them, how many bytes they will take, and then the blocks themselves.

The length of what is sent is known before its first byte. A block that has come to be stored otherwise meanwhile ends
the sending; whoever receives asks again for what is missing.
"""

import hashlib
from array import array
from collections.abc import Iterator

from appliance.blobs.delivery import StoredBlock
from appliance.errors import Conflict
from appliance.fleet.block_map import BlockMap
from appliance.fleet.context import FleetContext
from appliance.fleet.manifest import Manifest


class Shipment:
    """The blocks of an image that a bitmap names, as far as they fit into `most` bytes; one of them fits always."""

    def __init__(
        self, context: FleetContext, manifest: Manifest, block_map: BlockMap, bits: bytes, most: int | None = None
    ) -> None:
        self._manifest = manifest
        self._map = block_map
        self._bits = bits
        self._blobs, self._content_id = context.content_of(context.stored_image(manifest))
        self._named = hashlib.sha256(f"{manifest['map']['sha256']} {self._content_id} ".encode() + bits)
        self.stored = array("I")
        """What each of the blocks takes."""
        stored = self._blobs.stored_blocks(self._content_id)
        try:
            size = 0
            for length in stored.lengths(number for number, _, _ in block_map.chosen(bits)):
                if most is not None and size and size + length > most:
                    break
                self.stored.append(length)
                size += length
        finally:
            stored.close()

    @property
    def tag(self) -> str:
        """What is the same for the same bytes."""
        named = self._named.copy()
        named.update(self.stored.tobytes())
        return f'"{named.hexdigest()[:32]}"'

    def blocks(self, skip: int = 0) -> Iterator[StoredBlock]:
        """The blocks, but for the first `skip`. Raises `Conflict` if they are not what they were, or `Corrupt`."""
        opened = self._blobs.stored_blocks(self._content_id)
        try:
            chosen = self._map.chosen(self._bits)
            named = [(number, digest) for (number, digest, _), _ in zip(chosen, self.stored, strict=False)]
            named = named[skip:]
            blocks = opened.at([number for number, _ in named])
            for (_, digest), length, block in zip(named, self.stored[skip:], blocks, strict=True):
                if block.digest != digest:
                    raise Conflict(f"the blocks of image {self._manifest['id']} are not those that the feed tells of")
                if len(block.data) != length:
                    raise Conflict(f"blocks of image {self._manifest['id']} are stored otherwise now; try again")
                yield block
        finally:
            opened.close()
