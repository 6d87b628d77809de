"""Following a feed over the network: its log, the blocks that are missing, and each image as soon as it is whole."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from appliance.blobs.delivery import StoredBlock
from appliance.db.fleet import FeedRecord
from appliance.errors import ApplianceError, Conflict, Corrupt, Invalid, TooManyRequests, Unavailable
from appliance.fleet.applying import Applier, Report
from appliance.fleet.block_map import BlockMap
from appliance.fleet.context import FleetContext
from appliance.fleet.feed_log import Entry, Position, check, follow
from appliance.fleet.manifest import Manifest
from appliance.fleet.pace import Interrupted
from appliance.fleet.publishing import row_of, todo
from appliance.fleet.receiving import Receiver

_TRIES = 5
_PAUSE = 1.0
_LONGEST_WAIT = 600
"""Seconds for which a peer that wants to be asked later is asked again; the feed's next time comes anyway."""


class Source(Protocol):
    """Where a feed comes from: another appliance, or files on a web server. Nothing of it is believed unchecked."""

    def entries(self, feed: str, after: int) -> tuple[list[object], int]: ...

    def map(self, feed: str, manifest: Manifest) -> bytes: ...

    def blocks(self, feed: str, manifest: Manifest, block_map: BlockMap, bits: bytes) -> Iterator[StoredBlock]:
        """The first of the blocks that a bitmap names, in their order: at least one."""
        ...


@dataclass(slots=True)
class Progress:
    """How a feed that is being followed is."""

    running: bool = False
    images_left: int = 0
    bytes_left: int = 0
    """About what is still to come, as it is stored."""
    came: int = 0
    report: Report = field(default_factory=Report)


class _Patience:
    """How often a peer is asked again that brings nothing, or wants to be asked later."""

    def __init__(self, image_id: str, stopping: threading.Event) -> None:
        self._image_id = image_id
        self._stopping = stopping
        self._tries = 0
        self._waited = 0

    def wait(self, trouble: ApplianceError | None, *, brings: bool) -> None:
        """Wait for the next try. Raises what was in the way if there is none."""
        self._tries = 0 if brings else self._tries + 1
        self._waited = 0 if brings else self._waited
        pause = 0.0 if trouble is None else _PAUSE * (self._tries + 1)
        if isinstance(trouble, TooManyRequests):
            self._waited += trouble.retry_after
            self._tries, pause = 0, float(trouble.retry_after)
        if self._tries >= _TRIES or self._waited > _LONGEST_WAIT:
            raise trouble or Invalid(f"The peer sends nothing of image {self._image_id}.")
        if trouble is not None and self._stopping.wait(pause):
            raise trouble


class Follower:
    """Brings one feed up to what its peer has."""

    def __init__(
        self, context: FleetContext, feed: FeedRecord, source: Source, progress: Progress, stopping: threading.Event
    ) -> None:
        self._context = context
        self._stopping = stopping
        self._feed = feed
        self._source = source
        self._progress = progress

    def run(self) -> Report:
        """Raises `Unavailable` if the peer can't be reached now, and others if it is not to be believed.

        What has come by then stays, and images that are whole have appeared.
        """
        self._follow_log()
        receiver, applier = Receiver(self._context, self._feed), Applier(self._context, self._feed)
        entries = todo(self._context, self._feed)
        needed = [entry for entry in entries if entry.put is not None and applier.needs_data(entry.put)]
        self._progress.images_left = len(needed)
        self._progress.bytes_left = sum(entry.put["map"]["stored"] for entry in needed if entry.put)
        for entry in needed:
            self._bring(entry, receiver, applier)
        if entries or self._feed.applied != self._feed.sequence:
            reached = Position(self._feed.sequence, self._feed.head)
            self._add(applier.apply(entries, {}, reached))
        return self._progress.report

    def _follow_log(self) -> None:
        """Take the entries that are new, page by page, and write them down once they are checked."""
        total = self._feed.sequence + 1
        while self._feed.sequence < total:
            page, total = self._source.entries(self._feed.remote, self._feed.sequence)
            if total < self._feed.sequence:
                raise Conflict(f"the peer has {total} entries of the feed, and here there are {self._feed.sequence}")
            if not page:
                break
            checked = [check(one, self._feed.source, self._feed.origin) for one in page]
            self._write_down(list(follow(checked, Position(self._feed.sequence, self._feed.head), {})))

    def _write_down(self, fresh: list[Entry]) -> None:
        feed, rows = self._feed, [row_of(entry) for entry in fresh]
        head = fresh[-1].position.head
        self._context.db.transact(lambda tx: self._context.rows.append(tx, feed.name, feed.sequence, rows, head))
        self._feed = self._context.feed(feed.name)

    def _bring(self, entry: Entry, receiver: Receiver, applier: Applier) -> None:
        """One image, from its map to its place among the others."""
        assert entry.put is not None
        receiver.check_room(entry.put)
        block_map = self._map(entry.put)
        missing = receiver.missing(block_map)
        stored, patience = entry.put["map"]["stored"], _Patience(entry.image_id, self._stopping)
        others = self._progress.bytes_left - stored
        while missing:
            self._progress.bytes_left = others + stored * len(missing) // block_map.blocks
            trouble = self._fetch(entry.put, block_map, missing, receiver)
            left = receiver.missing(block_map)
            patience.wait(trouble, brings=len(left) < len(missing))
            missing = left
        self._progress.bytes_left = others
        data = receiver.assemble(entry.put, block_map)
        self._add(applier.apply([entry], {entry.image_id: data}))
        self._progress.images_left -= 1

    def _add(self, report: Report) -> None:
        """Count what was done to the rest."""
        so_far = self._progress.report
        so_far.created += report.created
        so_far.changed += report.changed
        so_far.removed += report.removed
        so_far.notes = [*so_far.notes, *(note for note in report.notes if note not in so_far.notes)]

    def _map(self, manifest: Manifest) -> BlockMap:
        digest = manifest["map"]["sha256"]
        packed = self._context.maps.find(digest)
        if packed is None:
            packed = self._source.map(self._feed.remote, manifest)
            BlockMap.unpack(packed, digest=digest, size=manifest["size"])
            self._context.maps.keep(digest, packed)
        return BlockMap.unpack(packed, digest=digest, size=manifest["size"])

    def _fetch(
        self, manifest: Manifest, block_map: BlockMap, missing: set[bytes], receiver: Receiver
    ) -> ApplianceError | None:
        """One answer: the first of what is missing. Says why it ended early, if it did; what has come stays.

        Raises `Corrupt` for a block that was not asked for, or is not sound.
        """
        bits = block_map.bitmap(missing)
        asked = block_map.chosen(bits)
        try:
            with receiver.arrivals() as arrivals:
                for block in self._source.blocks(self._feed.remote, manifest, block_map, bits):
                    named = next(asked, None)
                    if named is None or (block.digest, block.length) != named[1:]:
                        raise Corrupt("The peer sent another block than it was asked for.")
                    arrivals.take(block)
                    self._progress.came += len(block.data)
        except Interrupted:
            raise
        except (Unavailable, TooManyRequests) as error:
            return error
        return None
