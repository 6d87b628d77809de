"""Writes one segment: staged record by record, then sealed onto the shelf."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.blobs import segment_format as fmt
from appliance.blobs.durable import Bytes
from appliance.blobs.shelf import Shelf
from appliance.errors import Failure
from appliance.values import Micros


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """A segment that is durable on the shelf."""

    name: str
    size: int


class SegmentWriter:
    """One staged segment. Its name is random and never used again."""

    def __init__(self, shelf: Shelf, store: bytes, created_at: Micros) -> None:
        segment = os.urandom(16)
        self.name = segment.hex()
        self._shelf = shelf
        self._file = shelf.stage(self.name)
        self._offsets: list[int] = []
        try:
            self._file.write([fmt.pack_header(fmt.SegmentHeader(store, segment, created_at))])
        except Failure:
            self.discard()
            raise

    @property
    def size(self) -> int:
        return self._file.size

    def add_blocks(self, entries: Sequence[fmt.BlockEntry], payload: Sequence[Bytes]) -> int:
        """Append blocks as one record; says at which offset the first one's bytes start. The rest follow it."""
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
        self._shelf.put(self.name, self._file)
        return SealedSegment(self.name, size)

    def discard(self) -> None:
        self._file.discard()
