"""The blob store: uploads in, contents out, and the state that recovery leaves behind a crash."""

import logging
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from appliance.blobs.backends.base import Backend
from appliance.blobs.block_reader import BlockReader, Handles, RecentChecks
from appliance.blobs.block_writer import BlockWriter, Limits
from appliance.blobs.content import StoredContent
from appliance.blobs.delivery import Delivery, StoredBlocks
from appliance.blobs.epochs import Others
from appliance.blobs.gc_guard import GcGuard, RemovalLock, always_open
from appliance.blobs.index import BlockIndex, ContentRow
from appliance.blobs.ingest import Ingest
from appliance.blobs.known_content import KnownContent, ReadableByCaller
from appliance.blobs.pipeline import Buffers
from appliance.blobs.reserve import Reserve
from appliance.errors import Failure, Fatal, NotFound, RangeNotSatisfiable
from appliance.values import MIB, Clock, now

log = logging.getLogger(__name__)

_MARK = struct.Struct("<8s16s")
_MARK_MAGIC = b"GLABLOB1"
_READ_THREADS = 4
_TRIAL_AFTER = 5.0
"""Seconds after a failed write before a trial may show that writing works again."""
_TRIAL_SIZE = MIB


class BlobStore:
    """Opens a backend, alone or beside `others`. `open` comes first; the index says which store it is."""

    def __init__(
        self,
        backend: Backend,
        index: BlockIndex,
        *,
        clock: Clock = now,
        limits: Limits | None = None,
        removal_lock: RemovalLock = always_open,
        checks: RecentChecks | None = None,
        others: Others | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        notes_reads: bool = True,
    ) -> None:
        """With `notes_reads`, `note_reads` has to be called now and then."""
        self.backend = backend
        self.index = index
        self.clock = clock
        self._limits = limits or Limits(segment=backend.segment_size)
        self.checks = checks or RecentChecks(0)
        self.reserve = Reserve(backend.working_directory, 0)
        """Uploads leave this room on the disk alone."""
        self._buffers = Buffers()
        self.gc_guard = GcGuard(clock, removal_lock, others)
        self.uuid = b""
        self._monotonic = monotonic
        self._notes_reads = notes_reads
        self._trouble: str | None = None
        self._next_trial = 0.0
        self._trouble_lock = threading.Lock()

    # -- opening and closing ---------------------------------------------------------------------------------------

    def open(self, *, lost_index: bool = False) -> None:
        """Check that backend and index belong together, and clear away what a crash has left.

        `lost_index` lets an empty index adopt a backend that has contents: the first step of a rebuild.
        """
        self.backend.prepare()
        self.handles = Handles(self.backend)
        self.reader = BlockReader(self.handles, self.index.damaged, self.checks, notes_reads=self._notes_reads)
        self._pool = ThreadPoolExecutor(_READ_THREADS, thread_name_prefix="blob-read")
        self._join_index(lost_index)
        staged = self.backend.clear_staging()
        released = self.index.maintenance.discard_writing()
        # A clock that was ahead then must not keep space from coming back until it is that late.
        self.index.maintenance.bring_back(self.clock())
        if staged or released:
            log.info("recovery removed %d staged files and released %d unfinished uploads", staged, released)

    def _join_index(self, lost_index: bool) -> None:
        known = self.index.store_uuid()
        place = self.backend.place
        marked = self._read_mark()
        if marked is None:
            if known is not None and next(self.backend.names(), None) is not None:
                raise Fatal(f"the mark of the store in {place} is missing or damaged; run the doctor")
            if known is not None and self.index.maintenance.segments(0, 1):
                raise Fatal(f"{place} has none of the data that the database names: is its disk mounted?")
            marked = known or os.urandom(16)
            body = _MARK.pack(_MARK_MAGIC, marked)
            self.backend.write_mark(body + struct.pack("<I", zlib.crc32(body)))
        if known is None:
            if next(self.backend.names(), None) is not None and not lost_index:
                raise Fatal(f"the database knows nothing of the data in {place}; run the doctor to rebuild it")
            self.index.adopt_store(marked)
        elif known != marked:
            raise Fatal(f"the database belongs to another blob store than the one in {place}")
        self.uuid = marked

    def _read_mark(self) -> bytes | None:
        data = self.backend.read_mark() or b""
        body = data[: _MARK.size]
        if len(data) != _MARK.size + 4 or struct.pack("<I", zlib.crc32(body)) != data[_MARK.size :]:
            return None
        magic, uuid = _MARK.unpack(body)
        return bytes(uuid) if magic == _MARK_MAGIC else None

    def close(self) -> None:
        """Let go of everything. Uploads and readers should have ended."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.handles.close()
        self.backend.close()

    # -- in ----------------------------------------------------------------------------------------------------------

    def begin(
        self,
        *,
        hash_algorithm: str = "sha512",
        readable_by_caller: ReadableByCaller | None = None,
        expected_size: int | None = None,
        scope: str = "",
    ) -> Ingest:
        """Begin an upload. Commit what its `seal` returns before the `with` block ends.

        It reuses blocks of its `scope` alone, so that its speed tells nothing of what others have stored.

        If it turns out to be a stored content that `readable_by_caller` allows, its hashes are not computed once more.
        """
        known = None
        if readable_by_caller is not None:
            known = KnownContent(self.index, self.open_content, hash_algorithm, readable_by_caller, expected_size)
        writer = BlockWriter(
            self.backend,
            self.index,
            self.uuid,
            self.clock,
            self.gc_guard,
            self._limits,
            known,
            scope,
            self.reserve.admit,
        )
        ingest = Ingest(writer, hash_algorithm, self._buffers, self._ingest_closed, self.note_write)
        self.gc_guard.ingest_began(ingest.upload)
        return ingest

    def _ingest_closed(self, ingest: Ingest) -> None:
        try:
            if ingest.content_id is not None:
                self.index.discard(ingest.content_id)
        finally:
            self.gc_guard.ingest_ended(ingest.upload)

    @contextmanager
    def deliver(self, scope: str) -> Iterator[Delivery]:
        """Take blocks of another store in, as they are stored there. Commit what it seals before the block ends."""
        delivery = Delivery(
            self.backend, self.index, self.uuid, self.clock, self.gc_guard, self._limits, scope, self.reserve.admit
        )
        self.gc_guard.ingest_began(delivery.upload)
        try:
            yield delivery
        finally:
            delivery.discard()
            try:
                if delivery.content_id is not None:
                    self.index.discard(delivery.content_id)
            finally:
                self.gc_guard.ingest_ended(delivery.upload)

    def note_write(self, failure: Failure | None) -> None:
        """Remember why a write failed, or that one went well. Uploads do so themselves up to their commit."""
        trouble = str(failure) if failure else None
        with self._trouble_lock:
            before, self._trouble = self._trouble, trouble
            self._next_trial = self._monotonic() + _TRIAL_AFTER
        if trouble and trouble != before:
            log.error("an upload failed: %s", trouble)
        elif before and not trouble:
            log.info("uploads work again")

    def write_trouble(self) -> str | None:
        """Why the last upload could not be stored, until one is, or a trial that this makes shows that one could be.

        Without the trial a balancer that asks before it sends uploads would never send the one that ends the trouble.
        """
        with self._trouble_lock:
            if not self._trouble or self._monotonic() < self._next_trial:
                return self._trouble
            self._next_trial = self._monotonic() + _TRIAL_AFTER
        try:
            staged = self.backend.stage(f"trial-{os.urandom(8).hex()}")
            try:
                staged.write([bytes(_TRIAL_SIZE)])
            finally:
                staged.discard()
        except Failure as failure:
            return str(failure)
        self.note_write(None)
        return None

    # -- out -------------------------------------------------------------------------------------------------------

    def content(self, content_id: int) -> ContentRow:
        """What is known of a stored content. Raises `NotFound`."""
        row = self.index.content(content_id)
        if row is None:
            raise NotFound(f"there is no stored content {content_id}")
        return row

    def open_content(self, content_id: int, start: int = 0, length: int | None = None) -> StoredContent:
        """Read a stored content, or `length` bytes of it from `start` on. It stays whole until closed, even if deleted.

        Raises `NotFound`, `RangeNotSatisfiable`.
        """
        # Pinned before the row is read: a row that is still stored then can't be collected until the pin goes.
        self.gc_guard.reader_opened(content_id)
        try:
            row = self.content(content_id)
            rest = row.size - start if length is None else length
            if start < 0 or rest < 0 or start + rest > row.size:
                raise RangeNotSatisfiable(f"the range is outside the {row.size} bytes that are stored")
            return StoredContent(
                content_id,
                start,
                rest,
                self.index,
                self.reader,
                self.handles,
                self._pool,
                lambda: self.gc_guard.reader_closed(content_id),
            )
        except BaseException:
            self.gc_guard.reader_closed(content_id)
            raise

    def stored_blocks(self, content_id: int) -> StoredBlocks:
        """A stored content as the blocks that it is made of. It stays whole until closed. Raises `NotFound`."""
        self.gc_guard.reader_opened(content_id)
        try:
            self.content(content_id)
        except BaseException:
            self.gc_guard.reader_closed(content_id)
            raise
        return StoredBlocks(content_id, self.index, self.reader, lambda: self.gc_guard.reader_closed(content_id))

    def note_reads(self) -> None:
        """Have the index know which segments were read since the last call."""
        if names := self.reader.take_reads():
            self.index.maintenance.note_reads(names, self.clock())

    def hold_segments(self) -> AbstractContextManager[None]:
        """While this lasts, no segment is removed: a backup copies what the database it took first names."""
        return self.gc_guard.hold()
