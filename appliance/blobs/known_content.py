"""Stored contents that an upload has been the same as so far: who ends as one of them has its digests already.

A block is named by its BLAKE3 digest, so contents of the same steps are the same bytes. That spares the hashing of an
image that is uploaded again, where hashing is what holds the upload up.
"""

from collections import deque
from collections.abc import Callable, Iterator

from appliance.blobs.content import StoredContent
from appliance.blobs.index import BlockIndex, ContentRow, Span
from appliance.errors import Corrupt, NotFound, StorageFault, Unavailable

ReadableByCaller = Callable[[int], bool]
"""Whether whoever uploads may learn that this content is stored: the speed of an upload of known content says so."""

_CANDIDATES = 16
_SPANS_AT_ONCE = 256


class _Candidate:
    """One stored content, pinned, and how far it was compared."""

    def __init__(self, row: ContentRow, content: StoredContent, index: BlockIndex) -> None:
        self.row = row
        self.content = content
        self._index = index
        self._at = 0
        self._spans: deque[Span] = deque()

    def goes_on_with(self, digest: bytes | None, length: int) -> bool:
        """Whether its next step is this block, or this hole for None."""
        try:
            if not self._spans:
                self._spans.extend(self._index.spans(self.row.id, self._at, _SPANS_AT_ONCE))
            span = self._spans.popleft()
        except (Corrupt, IndexError):
            return False
        self._at += span.length
        return span.length == length and (span.digest if span.segment else None) == digest


class KnownContent:
    """Follows an upload step by step, on the thread that stores it."""

    def __init__(
        self,
        index: BlockIndex,
        open_content: Callable[[int], StoredContent],
        hash_algorithm: str,
        readable_by_caller: ReadableByCaller,
        expected_size: int | None,
    ) -> None:
        self._index = index
        self._open_content = open_content
        self._hash_algorithm = hash_algorithm
        self._readable_by_caller = readable_by_caller
        self._expected_size = expected_size
        self._candidates: list[_Candidate] | None = None
        self._parted = False
        self.matched = 0
        """So many bytes are those of a stored content."""

    @property
    def alive(self) -> bool:
        """Whether what came so far, but for a block or hole not yet ended, is how a stored content begins."""
        return self._candidates is not None and not self._parted

    @property
    def following(self) -> int | None:
        """The stored content that what came so far is the beginning of. Any thread may ask."""
        candidates = self._candidates
        return candidates[0].row.id if candidates and not self._parted else None

    def step(self, digest: bytes | None, length: int, block_id: int) -> None:
        """The upload goes on with this block, 0 if the index knows it not; or with this hole, for the digest None."""
        if self._parted:
            return
        if self._candidates is None and digest is not None:
            self._candidates = self._beginning_with(block_id) if block_id else []
        if self._candidates is not None:
            # A block that must be stored anew ends it as well: what is damaged vouches for nothing.
            sound = digest is None or block_id > 0
            going = [each for each in self._candidates if sound and each.goes_on_with(digest, length)]
            if not going:
                self._parted = True
                self._drop(self._candidates[1:])
                self._candidates = self._candidates[:1]
                return
            self._drop([each for each in self._candidates if each not in going])
            self._candidates = going
        self.matched += length

    def whole(self, size: int) -> ContentRow | None:
        """The stored content that an upload of this size is the same as, now that it has ended."""
        candidates = self._candidates if self.alive and self.matched == size else None
        return next((each.row for each in candidates or () if each.row.size == size), None)

    def read(self, start: int, end: int, most: int) -> Iterator[bytes]:
        """The upload's own bytes from what it is the same as: up to `matched`. Raises `Unavailable`."""
        if not self._candidates:
            raise RuntimeError("an upload without known content has to be read from its own buffers")
        content = self._candidates[0].content
        content.seek(start)
        while start < end:
            try:
                part = content.read(min(most, end - start))
            except (Corrupt, StorageFault) as error:
                # The reader has marked the block: the next attempt will store it anew.
                raise Unavailable("data that this upload shares with another is damaged; send it again") from error
            start += len(part)
            yield part

    def close(self) -> None:
        """Let go of the contents."""
        self._parted = True
        self._drop(self._candidates or [])
        self._candidates = []

    def _beginning_with(self, block_id: int) -> list[_Candidate]:
        """Contents that this block follows the hole in that the upload began with, if it did; the newest first."""
        found = []
        for content_id in self._index.beginning_with(self.matched, block_id, self._expected_size, _CANDIDATES):
            candidate = self._pinned(content_id)
            if candidate is None:
                continue
            if not self.matched or candidate.goes_on_with(None, self.matched):
                found.append(candidate)
            else:
                candidate.content.close()
        return found

    def _pinned(self, content_id: int) -> _Candidate | None:
        row = self._index.content(content_id)
        if row is None or row.hash_algorithm != self._hash_algorithm or not self._readable_by_caller(content_id):
            return None
        try:
            return _Candidate(row, self._open_content(content_id), self._index)
        except NotFound:
            return None

    def _drop(self, candidates: list[_Candidate]) -> None:
        for each in candidates:
            each.content.close()
