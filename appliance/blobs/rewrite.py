"""Stored blocks moved to other places: out of segments that are mostly garbage or that nobody reads, and onto an equal
block (folding).
"""

import logging
from collections.abc import Iterator, Sequence

from appliance.blobs import segment_format as fmt
from appliance.blobs.backends.base import SegmentMissing
from appliance.blobs.codec import DenseEncoder, block_digest, decode
from appliance.blobs.index import Duplicate, Move, NewBlock, PartRow, SegmentRow, Span
from appliance.blobs.scrub import is_sound
from appliance.blobs.segments import SegmentWriter
from appliance.blobs.store import BlobStore
from appliance.errors import Corrupt, Failure, Unavailable
from appliance.values import MIB

log = logging.getLogger(__name__)

_GROUP_LENGTH = 64 * MIB
_BATCH = 32
_SPANS = 1024


class _Damaged(Exception):
    """A block to be moved fails its check: its segment stays as it is."""


class Rewriter:
    """Rewrites segments of one store. Used by the collection's thread alone."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    def groups(self, rows: Sequence[SegmentRow], room: int) -> Iterator[list[SegmentRow]]:
        """Segments to go into one fresh segment: together at most 64 MiB, or one that is larger; none without room.

        Dense ones are not mixed with others, which are still to be compressed.
        """
        group: list[SegmentRow] = []
        for row in rows:
            if row.live_stored > room:
                continue
            full = sum(each.live_stored for each in group) + row.live_stored > min(_GROUP_LENGTH, room)
            if group and (full or row.dense != group[0].dense):
                yield group
                group = []
            group.append(row)
        if group:
            yield group

    def rewrite(self, group: Sequence[SegmentRow], encoder: DenseEncoder | None = None) -> int:
        """Copy, make durable, then point the rows there; says how many blocks moved. The old files stay for now.

        With an `encoder` the blocks are compressed by it.
        """
        now = self._store.clock()
        self._store.reserve.admit()
        dense = encoder is not None or any(row.dense for row in group)
        writer = SegmentWriter(self._store.backend, self._store.uuid, now, dense=dense)
        moves: list[Move] = []
        done: list[int] = []
        try:
            for row in group:
                try:
                    moves.extend(self._copy_blocks(writer, row, encoder))
                except _Damaged:
                    continue
                for part in self._store.index.maintenance.segment_parts(row.id):
                    self._copy_part(writer, part)
                done.append(row.id)
            if not done:
                writer.discard()
                return 0
            sealed = writer.publish()
        except Failure:
            writer.discard()
            raise
        return self._store.index.maintenance.commit_rewrite(done, sealed.name, sealed.size, moves, now, dense=dense)

    def _copy_blocks(self, writer: SegmentWriter, row: SegmentRow, encoder: DenseEncoder | None) -> list[Move]:
        moves: list[Move] = []
        places: dict[int, NewBlock] = {}
        after = 0
        while spans := self._store.index.maintenance.segment_blocks(row.id, after, _BATCH):
            after = spans[-1].block_id
            # Blocks that share a place go on doing so.
            fresh = list({span.at: span for span in spans if span.at not in places}.values())
            if fresh:
                blocks = self._read(row, fresh, encoder)
                entries = [
                    fmt.BlockEntry(span.digest, span.length, len(data), codec)
                    for span, (codec, data) in zip(fresh, blocks, strict=True)
                ]
                offset = writer.add_blocks(entries, [data for _, data in blocks])
                for span, entry in zip(fresh, entries, strict=True):
                    places[span.at] = NewBlock(offset, entry.stored, entry.length, entry.codec)
                    offset += entry.stored
            moves += [Move(span.block_id, row.id, places[span.at]) for span in spans]
        return moves

    def _read(self, row: SegmentRow, spans: Sequence[Span], encoder: DenseEncoder | None) -> list[tuple[int, bytes]]:
        """Codec and bytes of the blocks as they are to be stored, each checked. Marks those that fail."""
        found: list[tuple[int, bytes]] = []
        try:
            handle = self._store.handles.acquire(row.name)
        except SegmentMissing as error:
            log.error("%s", error)
            raise _Damaged from error
        try:
            for span in spans:
                data = bytearray(span.stored)
                handle.read_into(memoryview(data), span.at)
                plain = decode(span.codec, data, span.length)
                if block_digest(plain) != span.digest:
                    raise Corrupt("a block does not match its digest")
                found.append(_recompressed(span, plain, bytes(data), encoder))
        except SegmentMissing as error:
            log.error("%s", error)
            raise _Damaged from error
        except Unavailable:
            raise
        except Failure as error:
            self._store.index.maintenance.mark_damaged([spans[len(found)].block_id], self._store.clock())
            log.error("segment %s is not rewritten: %s", row.name, error)
            raise _Damaged from error
        finally:
            self._store.handles.release(row.name)
        return found

    def _copy_part(self, writer: SegmentWriter, part: PartRow) -> None:
        """Write the map anew from the index: that heals a damaged one too."""
        content = self._store.index.content(part.content_id)
        if content is None:
            return
        end = part.offset + part.length
        items: list[tuple[bytes, int]] = []
        position = part.offset
        while position < end:
            before = position
            for span in self._store.index.spans(part.content_id, position, _SPANS):
                if span.offset == position and position < end:
                    items.append((span.digest or fmt.HOLE, span.length))
                    position += span.length
            if position == before:
                raise Corrupt("the block index lacks a part of a stored content")
        writer.add_map(fmt.MapRecord(content.upload, part.number, part.offset, items))
        if part.is_last:
            writer.add_seal(
                fmt.SealRecord(
                    upload=content.upload,
                    parts=part.number + 1,
                    size=content.size,
                    md5=bytes.fromhex(content.md5),
                    hash_algorithm=content.hash_algorithm,
                    hash_value=bytes.fromhex(content.hash_value),
                    label=content.label,
                    created_at=content.created_at,
                )
            )


def _recompressed(
    span: Span, plain: bytes | memoryview, stored: bytes, encoder: DenseEncoder | None
) -> tuple[int, bytes]:
    """The block in its new form, of which its bytes were got back; as it was if that goes wrong."""
    if encoder is None:
        return span.codec, stored
    codec, data = encoder.encode(plain, span.codec, stored)
    if codec != span.codec and block_digest(decode(codec, data, span.length)) != span.digest:
        log.error(
            "block %d comes back wrong when it is compressed, and stays as it is: is the memory sound?", span.block_id
        )
        return span.codec, stored
    return codec, data


_AT_ONCE = 64


class Folder:
    """Folds one store. Used by the collection's thread alone, which holds the maintenance lock."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    def steps(self) -> Iterator[tuple[int, int]]:
        """Blocks and bytes folded, a few at a time, or none of a page of the walk.

        A crash between two steps leaves what was folded folded, and the rest as it was.
        """
        maintenance = self._store.index.maintenance
        after = maintenance.folded_to()
        while True:
            last, pairs = maintenance.duplicates(after, _AT_ONCE)
            if not last:
                maintenance.fold((), after)
                return
            after = last
            chosen = [pair for pair in map(self._chosen, pairs) if pair is not None]
            yield len(chosen), maintenance.fold(chosen, last) if chosen else 0

    def _chosen(self, pair: Duplicate) -> Duplicate | None:
        """The pair, its first block read and found sound; the other way round if only the second is."""
        if pair.kept is None or pair.moved is None:
            return None
        if self._check(pair.kept):
            return pair
        if self._check(pair.moved):
            return Duplicate(pair.moved, pair.kept)
        return None

    def _check(self, span: Span) -> bool:
        try:
            handle = self._store.handles.acquire(span.segment)
        except SegmentMissing as error:
            log.error("%s", error)
            return False
        try:
            if is_sound(handle, span):
                return True
        except SegmentMissing as error:
            log.error("%s", error)
            return False
        finally:
            self._store.handles.release(span.segment)
        log.error("block %d is damaged", span.block_id)
        self._store.index.maintenance.mark_damaged([span.block_id], self._store.clock())
        return False
