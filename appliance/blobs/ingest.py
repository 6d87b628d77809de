"""One upload: bytes in, a sealed content out. md5, the second hash and the storing run side by side."""

import hashlib
import queue
import threading
from collections.abc import Callable, Iterable
from types import TracebackType

from appliance.blobs.block_writer import SCRATCH, BlockWriter
from appliance.blobs.index import ContentRow, Sealed
from appliance.blobs.pipeline import SLAB, Buffers, Pipeline, Slab
from appliance.errors import Failure, Invalid

HASH_ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")


_CATCH_UP_SLABS = 2


class Ingest:
    """Feed it with `write`, end it with `seal`, commit what that returns *inside* the `with` block.

    Leaving the block gives up whatever was not committed. One thread at a time uses it; `abort` may come from any.
    """

    def __init__(
        self,
        writer: BlockWriter,
        hash_algorithm: str,
        buffers: Buffers,
        on_close: Callable[["Ingest"], None],
        on_result: Callable[[Failure | None], None],
    ) -> None:
        if hash_algorithm not in HASH_ALGORITHMS:
            raise Invalid(f"{hash_algorithm} is not a hash algorithm that this service can compute")
        self.hash_algorithm = hash_algorithm
        self.size = 0
        self._writer = writer
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hash = hashlib.new(hash_algorithm, usedforsecurity=False)
        self._pipeline = Pipeline(self._store, self._end, [self._md5.update, self._hash.update], buffers)
        # Content offsets: what was handed to the writer, and to the hashes. Known content vouches for what is between.
        self._stored = 0
        self._hashed = 0
        self._same: ContentRow | None = None
        self._slab: Slab | None = None
        self.upload = writer.upload
        self._sealed = False
        self._closed = False
        self._lock = threading.Lock()
        self._on_close = on_close
        self._on_result = on_result

    def room(self) -> memoryview:
        """Where the next bytes go, to be told with `filled`: never empty. Waits if the disk is slower."""
        try:
            slab = self._slab
            if slab is None:
                slab = self._slab = self._pipeline.take()
        except Failure as error:
            self._on_result(error)
            raise
        return slab.view[SCRATCH + slab.filled :]

    def filled(self, count: int) -> None:
        """So many bytes were put into the `room`, from its start."""
        slab = self._slab
        if slab is None or not 0 <= count <= SLAB - slab.filled:
            raise RuntimeError("there was no room for these bytes")
        slab.filled += count
        self.size += count
        try:
            if slab.filled == SLAB:
                self._slab = None
                self._pipeline.put(slab)
        except Failure as error:
            self._on_result(error)
            raise

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the bytes, copying them: the caller may use its buffer again at once. Waits if the disk is slower."""
        source = memoryview(data).cast("B")
        while source:
            room = self.room()
            count = min(len(room), len(source))
            room[:count] = source[:count]
            self.filled(count)
            source = source[count:]

    def flush(self) -> None:
        """Wait until every byte given so far is hashed and stored, though not yet durable. Only `seal` may follow."""
        slab, self._slab = self._slab, None
        try:
            self._pipeline.finish(slab)
        except Failure as error:
            self._on_result(error)
            raise

    def seal(self, label: bytes = b"") -> Sealed:
        """Every byte is durable when this returns. `label` is kept with the bytes, for when the database is lost."""
        if self._sealed or self._closed:
            raise RuntimeError("this upload has ended already")
        self.flush()
        md5, value = self._digests()
        try:
            last, at = self._writer.seal(md5, self.hash_algorithm, value, label)
        except Failure as error:
            self._on_result(error)
            raise
        self._sealed = True
        self._on_result(None)
        return Sealed(
            upload=self._writer.upload,
            content_id=self._writer.content_id,
            last=last,
            size=self.size,
            md5=md5.hex(),
            hash_algorithm=self.hash_algorithm,
            hash_value=value.hex(),
            label=label,
            created_at=at,
        )

    @property
    def unhashed(self) -> int:
        """So many bytes were never hashed: the upload was a stored content whose digests are known."""
        return self._stored - self._hashed

    @property
    def following(self) -> int | None:
        """The stored content that the upload is the same as so far, while it is."""
        known = self._writer.known
        return known.following if known is not None else None

    def _digests(self) -> tuple[bytes, bytes]:
        if self._same is not None:
            return bytes.fromhex(self._same.md5), bytes.fromhex(self._same.hash_value)
        return self._md5.digest(), self._hash.digest()

    # -- on the thread that stores -----------------------------------------------------------------------------------

    def _store(self, slab: Slab) -> None:
        """Store a buffer, then have it hashed, unless known content vouches for it and the hashes are behind."""
        begin, carried = self._stored, len(self._writer.open_block)
        self._writer.feed(slab.data, SCRATCH, SCRATCH + slab.filled)
        self._stored += slab.filled
        known = self._writer.known
        if known is not None and known.alive and (self._hashed < begin or self._pipeline.hashing_is_slowest):
            return
        if self._hashed < begin:
            self._catch_up(begin - carried)
        self._pipeline.hash(slab, SCRATCH - (begin - self._hashed), SCRATCH + slab.filled)
        self._hashed = self._stored

    def _end(self) -> None:
        rest = self._writer.open_block
        self._writer.finish()
        if self._hashed == self._stored:
            return
        known = self._writer.known
        self._same = known.whole(self._stored) if known is not None else None
        if self._same is None:
            self._catch_up(self._stored - len(rest))
            self._hash_anew([rest[len(rest) - (self._stored - self._hashed) :]])

    def _catch_up(self, end: int) -> None:
        """The upload has parted from its known content: hash what was left to them, up to `end` at least."""
        known = self._writer.known
        if known is not None and self._hashed < (shared := min(known.matched, end)):
            self._hash_anew(known.read(self._hashed, shared, SLAB))
        # What was open when the buffers went on, and was no block, was a hole.
        self._hash_anew(bytes(min(SLAB, end - at)) for at in range(self._hashed, end, SLAB))

    def _hash_anew(self, pieces: Iterable[bytes]) -> None:
        """Have bytes hashed that are in no buffer any more."""
        home: queue.SimpleQueue[Slab] = queue.SimpleQueue()
        for _ in range(_CATCH_UP_SLABS):
            slab = Slab()
            slab.home = home
            home.put(slab)
        for piece in pieces:
            slab = home.get()
            slab.view[SCRATCH : SCRATCH + len(piece)] = piece
            self._pipeline.hash(slab, SCRATCH, SCRATCH + len(piece))
            self._hashed += len(piece)

    @property
    def content_id(self) -> int | None:
        """The row that parts committed along the way belong to."""
        return self._writer.content_id

    def abort(self) -> None:
        """Give up whatever has not been committed. May be called again, and after a commit."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._pipeline.cancel()
        if self._writer.known is not None:
            self._writer.known.close()
        self._writer.discard()
        self._on_close(self)

    def __enter__(self) -> "Ingest":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()
