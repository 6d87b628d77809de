"""What the store needs from an index of blocks: the Protocols that `db/` satisfies, and the values they exchange.

`Tx` is whatever the index uses as a write transaction: this room only passes it on.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from appliance.values import Micros

MAX_EXTENT_BLOCKS = 256
"""An extent names at most this many blocks, which bounds the search for the extents that cover a block."""


@dataclass(frozen=True, slots=True)
class KnownBlock:
    """A block that may be referenced again: present, not marked for deletion, not damaged."""

    id: int
    length: int


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block that an upload has just written."""

    offset: int
    stored: int
    length: int
    codec: int


@dataclass(frozen=True, slots=True)
class Item:
    """One step of a content: a block, known or new, or a hole (`digest` is `HOLE`)."""

    digest: bytes
    length: int
    known_id: int = 0


@dataclass(slots=True)
class Part:
    """What of an upload became durable as one segment: at most 512 MiB of new bytes."""

    number: int
    offset: int
    segment: str = ""
    segment_size: int = 0
    length: int = 0
    items: list[Item] = field(default_factory=list)
    new: dict[bytes, NewBlock] = field(default_factory=dict)
    scope: str = ""
    """Whose blocks these are: uploads find only those of their own scope. Empty for the scope of all."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An upload whose every byte is durable, and which nobody can read until its rows are committed."""

    upload: bytes
    content_id: int | None
    last: Part
    size: int
    md5: str
    hash_algorithm: str
    hash_value: str
    label: bytes
    created_at: Micros


class Span(NamedTuple):
    """A step of a stored content as a reader needs it: where the bytes of `[offset, offset + length)` are.

    `segment` is empty for a hole.
    """

    offset: int
    length: int
    block_id: int = 0
    digest: bytes = b""
    segment: str = ""
    at: int = 0
    stored: int = 0
    codec: int = 0


@dataclass(frozen=True, slots=True)
class ContentRow:
    """A stored content, and what storing it cost and saved at the time."""

    id: int
    upload: bytes
    size: int
    md5: str
    hash_algorithm: str
    hash_value: str
    label: bytes
    created_at: Micros
    hole_length: int
    reused_length: int
    new_length: int
    new_stored: int


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """How far the stored bytes are checked: all of them, those checked since some time, and the oldest check."""

    size: int
    checked: int
    oldest: Micros | None


@dataclass(frozen=True, slots=True)
class SegmentRow:
    id: int
    name: str
    size: int
    payload: int
    live_blocks: int
    live_stored: int
    live_length: int
    damaged: bool
    scrub_after: int
    scrubbed_at: Micros
    dense: bool
    """Its blocks were compressed with zstd, where that gains anything."""


@dataclass(frozen=True, slots=True)
class PartRow:
    """Which segment holds the map of one part of a content, so that it can be written again when that goes."""

    content_id: int
    number: int
    offset: int
    length: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class Move:
    """A block's new place after its segment was rewritten."""

    block_id: int
    old_segment: int
    place: NewBlock


class Duplicate(NamedTuple):
    """Two blocks of the same bytes in different places: the first one's is to be that of both."""

    kept: Span | None
    moved: Span | None


@dataclass(frozen=True, slots=True)
class Totals:
    """The whole store in bytes. `logical` is what the contents add up to; `file` what the segments occupy."""

    contents: int
    logical: int
    holes: int
    unique: int
    stored: int
    file: int
    segments: int
    blocks: int
    damaged_blocks: int
    releasing: int

    @property
    def saved_by_dedup(self) -> int:
        return self.logical - self.holes - self.unique

    @property
    def saved_by_lz4(self) -> int:
        return self.unique - self.stored


class BlockMaintenance(Protocol):
    """What collection, scrub, doctor and accounting ask of the index."""

    def released(self, after: int, most: int) -> list[ContentRow]:
        """Released contents by id."""
        ...

    def drop_extents(self, content_id: int, condemned_at: Micros, most: int) -> int:
        """Forget up to `most` extents of a released content, marking the blocks that nothing names any more."""
        ...

    def drop_content(self, content_id: int) -> None:
        """Forget a released content that has no extents left."""
        ...

    def delete_marked(self, not_after: Micros, most: int) -> tuple[int, int]:
        """Delete marked for deletion blocks, and unmark those that something names again; says how many of each."""
        ...

    def marked(self, not_after: Micros) -> tuple[int, int]:
        """How many blocks are marked for deletion up to then, and their stored bytes."""
        ...

    def empty_segments(self, most: int) -> list[SegmentRow]:
        """Segments that hold neither a live block nor the map of a content."""
        ...

    def forget_segment(self, segment_id: int) -> bool:
        """Delete the row of a segment if it is still empty."""
        ...

    def thin_segments(self, live_percent: int, after: int, most: int) -> list[SegmentRow]:
        """Segments of which less than that share is live or which are damaged, by id, without damaged blocks."""
        ...

    def has_segment(self, name: str) -> bool: ...

    def segments(self, after: int = 0, most: int = 1000) -> list[SegmentRow]:
        """All segments by id, a page at a time."""
        ...

    def segment_blocks(self, segment_id: int, after: int, most: int) -> list[Span]:
        """Live blocks of a segment by block id, a page at a time. Their `offset` is meaningless."""
        ...

    def segment_parts(self, segment_id: int) -> list[PartRow]: ...

    def cold_segments(self, before: Micros, after: int, most: int) -> list[SegmentRow]:
        """Segments that were made before then, not read since, and not dense yet, by id, without damaged blocks."""
        ...

    def note_reads(self, names: Iterable[str], now: Micros) -> None:
        """These segments were read."""
        ...

    def commit_rewrite(
        self, old: Sequence[int], name: str, size: int, moves: Sequence[Move], now: Micros, *, dense: bool = False
    ) -> int:
        """Make a rewritten segment known and its blocks and parts at home there; says how many blocks moved."""
        ...

    def next_to_scrub(self, not_after: Micros) -> SegmentRow | None:
        """The segment whose last full check is the oldest, if that was before then."""
        ...

    def scrub_progress(self, segment_id: int, after: int, finished_at: Micros | None) -> None:
        """Remember up to which block a segment was checked, or that all of it was."""
        ...

    def scrubbed(self, since: Micros) -> Scrubbed:
        """How much of what is stored was checked since a time."""
        ...

    def mark_damaged(self, block_ids: Sequence[int], now: Micros) -> None: ...

    def mark_sound(self, segment_id: int, block_ids: Sequence[int]) -> None:
        """These blocks read well: those that were marked damaged are so no more."""
        ...

    def mark_segment(self, segment_id: int, damaged: bool) -> None: ...

    def damaged_blocks(self, most: int) -> list[Span]: ...

    def contents_of(self, block_id: int, most: int) -> list[int]:
        """Stored contents that contain the block."""
        ...

    def contents(self, after: int = 0, most: int = 1000) -> list[ContentRow]:
        """Stored contents by id, a page at a time."""
        ...

    def totals(self) -> Totals: ...

    def folded_to(self) -> int:
        """Up to which block id duplicates were looked for."""
        ...

    def duplicates(self, after: int, most: int) -> tuple[int, list[Duplicate]]:
        """Where a page of the walk over all blocks ended, 0 at its end, and duplicates in it."""
        ...

    def fold(self, pairs: Sequence[Duplicate], to: int) -> int:
        """Give each pair one place, and remember how far the walk is; the bytes that are free now."""
        ...

    def unreferenced(self, after: int, most: int) -> tuple[int, list[int]]:
        """Where a page of the walk over all blocks ended, and which of them nothing names, though none is marked."""
        ...

    def mark(self, block_ids: Sequence[int], condemned_at: Micros) -> None:
        """Mark those of the blocks that nothing names: what a rebuild found no content for."""
        ...

    def adopt_segment(self, name: str, size: int, blocks: Sequence[tuple[bytes, NewBlock]], now: Micros) -> int:
        """Rebuild: make a segment found on the backend known, with the blocks that the index lacks."""
        ...

    def adopt_part(
        self, upload: bytes, segment_id: int, number: int, offset: int, items: Sequence[tuple[bytes, int]], now: Micros
    ) -> bool:
        """Rebuild: write down a part found in a segment. False if one of its blocks is nowhere."""
        ...

    def adopt_seal(self, sealed: Sealed, parts: int) -> int | None:
        """Rebuild: a content is whole if its parts tile it. Its id, or None if something is missing."""
        ...

    def bring_back(self, now: Micros) -> None:
        """Times that are still to come, written by a clock that was ahead, become now."""
        ...

    def discard_writing(self) -> int:
        """Release contents that were being written by processes that have died; says how many."""
        ...


class BlockIndex(Protocol):
    """Where one store's blocks are and what its contents are made of."""

    @property
    def maintenance(self) -> BlockMaintenance: ...

    def store_uuid(self) -> bytes | None:
        """The mark of the store, None if this index has never known it."""
        ...

    def adopt_store(self, uuid: bytes) -> None: ...

    def find(self, digests: Sequence[bytes], scope: str = "") -> dict[bytes, KnownBlock]:
        """Those of the digests that an upload of this scope may reuse. What other scopes have costs it nothing."""
        ...

    def beginning_with(self, offset: int, block_id: int, size: int | None, most: int) -> list[int]:
        """Stored contents, of that size if one is given, with a run of blocks at `offset` that this one begins.

        The newest first.
        """
        ...

    def add_part(self, upload: bytes, content_id: int | None, part: Part, now: Micros) -> int:
        """Commit a durable part of an upload that goes on, in a transaction of its own. The content's id."""
        ...

    def commit(self, tx: Any, sealed: Sealed) -> int:
        """Make a sealed upload a stored content, in the caller's transaction. Its id."""
        ...

    def release(self, tx: Any, content_id: int) -> None:
        """Nothing names the content any more: its space may be collected."""
        ...

    def discard(self, content_id: int) -> None:
        """An upload was given up: release what it had committed, unless it was stored after all."""
        ...

    def content(self, content_id: int) -> ContentRow | None:
        """A stored content."""
        ...

    def spans(self, content_id: int, offset: int, most: int) -> list[Span]:
        """Steps of a content from the extent on that covers `offset`, in order, about `most` of them."""
        ...

    def damaged(self, block_id: int) -> None:
        """A reader met bytes that fail their check."""
        ...


def extents_of(refs: Iterator[tuple[int, int]]) -> Iterator[tuple[int | None, int, int]]:
    """Fold (block id or 0 for a hole, length) steps into (first block or None, blocks, length) extents."""
    first, blocks, total = -1, 0, 0
    for ref, length in refs:
        if first > 0 and ref == first + blocks and blocks < MAX_EXTENT_BLOCKS:
            blocks, total = blocks + 1, total + length
        elif first == 0 and ref == 0:
            total += length
        else:
            if first >= 0:
                yield (first or None), blocks, total
            first, blocks, total = ref, int(ref > 0), length
    if first >= 0:
        yield (first or None), blocks, total
