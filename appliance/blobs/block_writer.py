"""Turns a stream into blocks, holes and segments: cut, look up, compress, append, and commit part by part."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from appliance.blobs import segment_format as fmt
from appliance.blobs.backends.base import Backend
from appliance.blobs.codec import Encoder, block_digest, compresses
from appliance.blobs.cutter import MAX_BLOCK, AnchorCutter, PageGridCutter
from appliance.blobs.durable import Bytes
from appliance.blobs.gc_guard import GcGuard
from appliance.blobs.index import BlockIndex, Item, NewBlock, Part
from appliance.blobs.known_content import KnownContent
from appliance.blobs.segments import SealedSegment, SegmentWriter
from appliance.errors import Failure
from appliance.values import GIB, MIB, Clock

SCRATCH = MAX_BLOCK
"""How many bytes before the data a buffer needs for the block that began in the one before."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When an upload seals a segment and commits what it has so far: bounds its memory and its transactions."""

    segment: int = 512 * MIB
    items: int = 16384


_HOLE_ITEM = GIB


@dataclass(frozen=True, slots=True)
class _Closed:
    """A part whose segment has all it will have, and is to become durable."""

    part: Part
    segment: SegmentWriter
    publish: Callable[[], SealedSegment]


class PartWriter:
    """What every writer of a content does: blocks go into segments, steps into parts, and parts into the index.

    One thread uses it at a time.
    """

    def __init__(
        self,
        backend: Backend,
        index: BlockIndex,
        store: bytes,
        clock: Clock,
        gc_guard: GcGuard,
        limits: Limits,
        scope: str = "",
        admit: Callable[[], None] = lambda: None,
    ) -> None:
        self.upload = os.urandom(16)
        self.content_id: int | None = None
        self._backend = backend
        self._index = index
        self._store = store
        self._clock = clock
        self._gc_guard = gc_guard
        self._limits = limits
        self._segment: SegmentWriter | None = None
        self._scope = scope
        self._admit = admit
        self._part = Part(0, 0, scope=scope)
        self._closed: _Closed | None = None
        self._putting: ThreadPoolExecutor | None = None

    def _add_hole(self, length: int) -> None:
        self._part.length += length
        while length:
            piece = min(length, _HOLE_ITEM)
            self._part.items.append(Item(fmt.HOLE, piece))
            length -= piece

    def _add_block(self, digest: bytes, length: int, known_id: int) -> None:
        """The content goes on with this block, which is in the segment that is open if `known_id` is 0."""
        self._part.length += length
        self._part.items.append(Item(digest, length, known_id))

    def _append(self, entries: Sequence[fmt.BlockEntry], payload: Sequence[Bytes]) -> None:
        """Put blocks into the open segment as one record."""
        if not entries:
            return
        self._admit()
        offset = self._open_segment().add_blocks(entries, payload)
        for entry in entries:
            self._part.new[entry.digest] = NewBlock(offset, entry.stored, entry.length, entry.codec)
            offset += entry.stored

    def _open_segment(self) -> SegmentWriter:
        if self._segment is None:
            self._segment = SegmentWriter(self._backend, self._store, self._clock())
            self._gc_guard.segment_begun(self.upload, self._segment.name)
        return self._segment

    def _end_part_if_full(self) -> None:
        size = self._segment.size if self._segment else 0
        if size >= self._limits.segment or len(self._part.items) >= self._limits.items:
            self._publish_part()

    def _publish_part(self) -> None:
        self._settle()
        self._closed = self._close_segment(None)
        part = self._closed.part
        self._part = Part(part.number + 1, part.offset + part.length, scope=self._scope)
        if not self._backend.is_remote:
            self._settle()

    def _settle(self) -> None:
        """See that the last part is durable, and only then tell the index."""
        closed, self._closed = self._closed, None
        if closed is None:
            return
        part = self._published(closed)
        self.content_id = self._index.add_part(self.upload, self.content_id, part, self._clock())
        self._gc_guard.segment_known(part.segment)

    def _close_segment(self, seal: fmt.SealRecord | None) -> _Closed:
        part, segment = self._part, self._open_segment()
        items = [(item.digest, item.length) for item in part.items]
        try:
            segment.add_map(fmt.MapRecord(self.upload, part.number, part.offset, items))
            if seal:
                segment.add_seal(seal)
        except Failure:
            self.discard()
            raise
        self._segment = None
        if seal or not self._backend.is_remote:
            return _Closed(part, segment, segment.publish)
        # The next segment is written meanwhile.
        self._putting = self._putting or ThreadPoolExecutor(1, thread_name_prefix="segment-put")
        return _Closed(part, segment, self._putting.submit(segment.publish).result)

    def _published(self, closed: _Closed) -> Part:
        try:
            sealed = closed.publish()
        except Failure:
            closed.segment.discard()
            self.discard()
            raise
        closed.part.segment, closed.part.segment_size = sealed.name, sealed.size
        return closed.part

    def seal(self, md5: bytes, hash_algorithm: str, hash_value: bytes, label: bytes) -> tuple[Part, int]:
        """Make the last part durable, with the record that makes the content whole; and when that was."""
        self._settle()
        now = self._clock()
        part = self._part
        size = part.offset + part.length
        record = fmt.SealRecord(self.upload, part.number + 1, size, md5, hash_algorithm, hash_value, label, now)
        return self._published(self._close_segment(record)), now

    def discard(self) -> None:
        """Give the staged segment up; segments sealed earlier go with the collection."""
        closed, self._closed = self._closed, None
        if closed is not None:
            # It is being put. Nobody will ever ask for it.
            with suppress(Failure):
                self._backend.delete(closed.publish().name)
            closed.segment.discard()
        if self._putting is not None:
            self._putting.shutdown()
            self._putting = None
        if self._segment is not None:
            self._segment.discard()
            self._segment = None


# Containers whose data may be compressed: qcow2 and VMDK. Whether it is shows in their first blocks.
_CONTAINERS = (b"QFI\xfb", b"KDMV")
_TRIAL_BLOCKS = 16
_TRIAL_ENDS = 64


class BlockWriter(PartWriter):
    """The stage of an upload that stores. One thread uses it at a time."""

    def __init__(
        self,
        backend: Backend,
        index: BlockIndex,
        store: bytes,
        clock: Clock,
        gc_guard: GcGuard,
        limits: Limits,
        known: KnownContent | None = None,
        scope: str = "",
        admit: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(backend, index, store, clock, gc_guard, limits, scope, admit)
        self.known = known
        self._cutter: PageGridCutter | AnchorCutter = PageGridCutter()
        self._encoder = Encoder()
        self._carry = b""
        self._trial: list[bool] | None = None
        self._seen = 0

    @property
    def open_block(self) -> bytes:
        """The bytes that came last, if they are a block not yet ended; empty if they are a hole."""
        return self._carry

    def feed(self, buffer: bytearray, start: int, end: int) -> None:
        """Take `buffer[start:end]`. The `MAX_BLOCK` bytes before `start` are scratch space."""
        if self._seen == 0 and bytes(buffer[start : start + 4]) in _CONTAINERS:
            self._trial = []
        self._seen += end - start
        begin = start - len(self._carry)
        buffer[begin:start] = self._carry
        position = begin - self._cutter.hole_length
        cuts = self._cutter.feed(buffer, start, end)
        with memoryview(buffer) as view:
            self._store_cuts(view, position, cuts)
        self._carry = bytes(buffer[end - self._cutter.open_length : end])
        self._end_of_feed()

    def finish(self) -> None:
        """The stream has ended: store what is still open."""
        buffer = bytearray(self._carry)
        with memoryview(buffer) as view:
            self._store_cuts(view, 0, self._cutter.finish())
        self._carry = b""

    def _end_of_feed(self) -> None:
        # A container begins with its tables, which compress: the verdict may take a few buffers.
        if self._trial is not None and len(self._trial) >= _TRIAL_BLOCKS:
            if self._trial.count(False) * 4 >= len(self._trial) * 3:
                self._cutter = AnchorCutter(self._cutter)
                self._trial = None
            elif len(self._trial) >= _TRIAL_ENDS:
                self._trial = None
        self._end_part_if_full()

    def _store_cuts(self, view: memoryview, position: int, cuts: list[tuple[int, bool]]) -> None:
        steps: list[tuple[bytes, memoryview | None, int]] = []
        for length, is_hole in cuts:
            if is_hole:
                steps.append((fmt.HOLE, None, length))
            else:
                block = view[position : position + length]
                steps.append((block_digest(block), block, length))
            position += length
        blocks = {digest: data for digest, data, _ in steps if data is not None}
        if self._trial is not None:
            self._trial.extend(compresses(data) for data in blocks.values())
        missing = [digest for digest in blocks if digest not in self._part.new]
        known = self._index.find(missing, self._scope)
        self._encode([(digest, blocks[digest]) for digest in missing if digest not in known])
        for digest, data, length in steps:
            found = known.get(digest)
            known_id = found.id if found else 0
            if data is None:
                self._add_hole(length)
            else:
                self._add_block(digest, length, known_id)
            if self.known is not None:
                self.known.step(None if data is None else digest, length, known_id)

    def _encode(self, blocks: list[tuple[bytes, memoryview]]) -> None:
        entries: list[fmt.BlockEntry] = []
        payload: list[Bytes] = []
        for digest, block in blocks:
            codec, data = self._encoder.encode(block)
            entries.append(fmt.BlockEntry(digest, len(block), len(data), codec))
            payload.append(data)
        self._append(entries, payload)
