"""Writes the index anew from the segments alone, when the database is lost.

Three walks over the backend: blocks, then maps, then seals. Each handles one record at a time, so that memory does not
grow with the store. What a rebuild can't know is listed in docs/blob-store.md.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from appliance.blobs import segment_format as fmt
from appliance.blobs.backends.base import SegmentMissing
from appliance.blobs.index import NewBlock, Part, Sealed
from appliance.blobs.segments import Record, scan
from appliance.blobs.store import BlobStore
from appliance.errors import Corrupt, StorageFault

_PAGE = 1000

log = logging.getLogger(__name__)


@dataclass(slots=True)
class RebuildReport:
    """What came back and what did not."""

    segments: int = 0
    contents: set[int] = field(default_factory=set)
    """Whole contents, by their new ids; `index.content` has each one's label."""
    incomplete: int = 0
    """Uploads that were sealed once and of which some blocks or maps are missing."""
    deleted: int = 0
    """Uploads that were deleted before, and stay so."""
    damage: list[str] = field(default_factory=list)


class Rebuilder:
    """Rebuilds one store, opened with `lost_index=True`. May be run again after an interruption."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._maintenance = store.index.maintenance

    def run(self) -> RebuildReport:
        report = RebuildReport()
        deleted = self._store.backend.deletions()
        for name in self._store.backend.names():
            self._adopt_blocks(name, report)
        for name in self._store.backend.names():
            self._adopt_maps(name, deleted)
        for name in self._store.backend.names():
            self._adopt_seals(name, deleted, report)
        self._maintenance.discard_writing()
        self.mark_leaked()
        return report

    def mark_leaked(self) -> int:
        """Hand blocks that no content names to the collection; says how many. A repair of its own, too."""
        after = count = 0
        while True:
            after, lost = self._maintenance.unreferenced(after, _PAGE)
            if not after:
                return count
            if lost:
                condemned_at = self._store.gc_guard.tick()
                self._maintenance.mark(lost, condemned_at)
                self._store.gc_guard.marked(condemned_at)
                count += len(lost)

    def _records(self, name: str, kind: bytes, report: RebuildReport | None = None) -> Iterator[Record]:
        try:
            handle = self._store.handles.acquire(name)
        except SegmentMissing:
            return
        try:
            for record in scan(handle):
                if record.damage and report:
                    report.damage.append(f"segment {name} at {record.offset}: {record.damage}")
                if record.kind == kind:
                    yield record
        except (SegmentMissing, StorageFault) as error:
            if report:
                report.damage.append(f"segment {name}: {error}")
        finally:
            self._store.handles.release(name)

    def _adopt_blocks(self, name: str, report: RebuildReport) -> None:
        blocks: list[tuple[bytes, NewBlock]] = []
        for record in self._records(name, fmt.BLOCKS, report):
            offset = record.payload_offset
            for entry in fmt.unpack_blocks(record.table):
                blocks.append((entry.digest, NewBlock(offset, entry.stored, entry.length, entry.codec)))
                offset += entry.stored
        size = self._store.backend.size(name) or 0
        self._maintenance.adopt_segment(name, size, blocks, self._store.clock())
        report.segments += 1

    def _adopt_maps(self, name: str, deleted: set[bytes]) -> None:
        segment = self._maintenance.adopt_segment(name, 0, (), 0)
        for record in self._records(name, fmt.MAP):
            found = fmt.unpack_map(record.table)
            if found.upload not in deleted:
                self._maintenance.adopt_part(
                    found.upload, segment, found.number, found.offset, found.items, self._store.clock()
                )

    def _adopt_seals(self, name: str, deleted: set[bytes], report: RebuildReport) -> None:
        for record in self._records(name, fmt.SEAL):
            seal = fmt.unpack_seal(record.table)
            if seal.upload in deleted:
                report.deleted += 1
                continue
            sealed = Sealed(
                upload=seal.upload,
                content_id=None,
                last=Part(0, 0),
                size=seal.size,
                md5=seal.md5.hex(),
                hash_algorithm=seal.hash_algorithm,
                hash_value=seal.hash_value.hex(),
                label=seal.label,
                created_at=seal.created_at,
            )
            try:
                content_id = self._maintenance.adopt_seal(sealed, seal.parts)
            except Corrupt as error:
                report.damage.append(f"segment {name}: {error}")
                continue
            if content_id is None:
                report.incomplete += 1
            else:
                report.contents.add(content_id)
