"""Cross-checks the index against the backend, both ways, without reading any block: what a doctor asks first."""

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.blobs.index import SegmentRow
from appliance.blobs.store import BlobStore
from appliance.errors import Corrupt

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit. `kind` is a stable word for programs, `text` a sentence for people."""

    kind: str
    text: str
    content_id: int | None = None
    segment: str | None = None
    block_id: int | None = None


def verify(store: BlobStore) -> Iterator[Finding]:
    """Everything that does not fit, one by one, in constant memory. Nothing is changed."""
    yield from _segments(store)
    yield from _orphans(store)
    yield from _contents(store)
    yield from _blocks(store)


def _segments(store: BlobStore) -> Iterator[Finding]:
    after = 0
    while rows := store.index.maintenance.segments(after, _PAGE):
        for row in rows:
            after = row.id
            size = store.backend.size(row.name)
            if size is None and store.index.maintenance.has_segment(row.name):
                yield Finding("segment-missing", f"the file of segment {row.name} is missing", segment=row.name)
            elif size is not None and size != row.size:
                text = f"segment {row.name} has {size} bytes and should have {row.size}"
                yield Finding("segment-size", text, segment=row.name)
            if row.damaged:
                yield Finding("segment-damaged", f"records of segment {row.name} are damaged", segment=row.name)
            yield from _figures(store, row)


def _figures(store: BlobStore, row: SegmentRow) -> Iterator[Finding]:
    blocks = stored = length = after = 0
    places: set[int] = set()
    while spans := store.index.maintenance.segment_blocks(row.id, after, _PAGE):
        after = spans[-1].block_id
        for span in spans:
            blocks += 1
            # Blocks of several scopes may share a place: its bytes count once.
            if span.at not in places:
                places.add(span.at)
                stored, length = stored + span.stored, length + span.length
            if span.at + span.stored > row.size:
                text = f"block {span.block_id} reaches beyond the end of segment {row.name}"
                yield Finding("block-outside", text, segment=row.name, block_id=span.block_id)
    if (blocks, stored, length) != (row.live_blocks, row.live_stored, row.live_length):
        yield Finding("segment-figures", f"the figures of segment {row.name} are wrong", segment=row.name)


def _orphans(store: BlobStore) -> Iterator[Finding]:
    for name in store.backend.names():
        if not store.gc_guard.is_fresh(name) and not store.index.maintenance.has_segment(name):
            yield Finding("segment-orphan", f"no row names the file of segment {name}", segment=name)


def _contents(store: BlobStore) -> Iterator[Finding]:
    after = 0
    while rows := store.index.maintenance.contents(after, _PAGE):
        for row in rows:
            after = row.id
            try:
                whole = _reaches(store, row.id, row.size)
            except Corrupt:
                whole = False
            if not whole and store.index.content(row.id):
                yield Finding("content-broken", f"content {row.id} is not whole in the index", content_id=row.id)


def _reaches(store: BlobStore, content_id: int, size: int) -> bool:
    """Whether the content's steps follow each other without a gap, up to its size."""
    position = 0
    while position < size:
        before = position
        for span in store.index.spans(content_id, position, _PAGE):
            if span.offset == position:
                position += span.length
        if position == before:
            return False
    return position == size


def _blocks(store: BlobStore) -> Iterator[Finding]:
    for span in store.index.maintenance.damaged_blocks(_PAGE):
        contents = store.index.maintenance.contents_of(span.block_id, _PAGE)
        text = f"block {span.block_id} is damaged; contents {contents} can't be read in full"
        yield Finding("block-damaged", text, segment=span.segment, block_id=span.block_id)
    after = 0
    while True:
        after, lost = store.index.maintenance.unreferenced(after, _PAGE)
        if not after:
            return
        for block_id in lost:
            yield Finding("block-leaked", f"nothing names block {block_id}, which is not marked", block_id=block_id)
