"""Stores equal blocks of different scopes once, after the fact: an upload never learns of another scope's blocks.

Every upload of a block that is new to its scope costs the same work, whoever else has it. Later, here, both rows are
given one place; the segment that loses its copy grows thin and is rewritten or removed like any other.
"""

import logging
from collections.abc import Iterator

from appliance.blobs.index import Duplicate, Span
from appliance.blobs.scrub import is_sound
from appliance.blobs.shelf import SegmentMissing
from appliance.blobs.store import BlobStore

log = logging.getLogger(__name__)

_AT_ONCE = 64


class Folder:
    """Folds one store. Used by the collection's thread alone, which holds the maintenance lock."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    def steps(self) -> Iterator[tuple[int, int]]:
        """Blocks and bytes folded, a few at a time, or none of a page of the walk.

        A crash between two steps leaves what was folded folded, and the rest as it was.
        """
        upkeep = self._store.index.upkeep
        after = upkeep.folded_to()
        while True:
            last, pairs = upkeep.duplicates(after, _AT_ONCE)
            if not last:
                upkeep.fold((), after)
                return
            after = last
            chosen = [pair for pair in map(self._chosen, pairs) if pair is not None]
            yield len(chosen), upkeep.fold(chosen, last) if chosen else 0

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
        finally:
            self._store.handles.release(span.segment)
        log.error("block %d is damaged", span.block_id)
        self._store.index.upkeep.mark_damaged([span.block_id], self._store.clock())
        return False
