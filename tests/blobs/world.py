"""A real store on a real database in a temporary directory, and the few things that tests do with it."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.blobs.backends.base import Backend
from appliance.blobs.backends.local import LocalBackend
from appliance.blobs.backends.registry import Location, connect
from appliance.blobs.block_reader import RecentChecks
from appliance.blobs.block_writer import Limits
from appliance.blobs.durable import Disk
from appliance.blobs.garbage_collection import GarbageCollector, Step
from appliance.blobs.scrub import Scrubber, ScrubReport
from appliance.blobs.store import BlobStore
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.registry import open_database
from appliance.values import KIB, FileRange


class World:
    """One store. `restart` is what a new process would see."""

    def __init__(
        self,
        directory: Path,
        disk: Disk | None = None,
        limits: Limits | None = None,
        checks: RecentChecks | None = None,
    ) -> None:
        self.directory = directory
        self.disk = disk
        self.limits = limits
        self.checks = checks
        self.start()

    def start(self) -> None:
        self.db = open_database(self.directory / "appliance.db")
        self.index = BlockIndex(self.db)
        self.backend = backend_in(self.directory / "blobs", self.disk)
        self.store = BlobStore(self.backend, self.index, limits=self.limits, checks=self.checks)
        self.store.open()

    def stop(self) -> None:
        self.store.close()
        self.db.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def put(self, data: bytes, chunk: int = 300 * KIB, label: bytes = b"label", algorithm: str = "sha512") -> int:
        with self.store.begin(hash_algorithm=algorithm, readable_by_caller=lambda content: True) as ingest:
            for start in range(0, len(data), chunk):
                ingest.write(data[start : start + chunk])
            sealed = ingest.seal(label)
            return self.db.transact(lambda tx: self.index.commit(tx, sealed))

    def get(self, content_id: int, start: int = 0, length: int | None = None) -> bytes:
        with self.store.open_content(content_id, start, length) as content:
            return content.read()

    def get_pieces(self, content_id: int, start: int = 0, length: int | None = None) -> bytes:
        with self.store.open_content(content_id, start, length) as content:
            return b"".join(in_memory(piece) for piece in content.pieces())

    def delete(self, content_id: int) -> None:
        self.db.transact(lambda tx: self.index.release(tx, content_id))

    def collect(self, grace: int = 0) -> list[Step]:
        return GarbageCollector(self.store, grace=grace).run()

    def scrub(self) -> ScrubReport:
        return Scrubber(self.store, interval=0).run()

    def segments(self) -> list[Path]:
        return sorted((self.directory / "blobs" / "segments").iterdir())

    def staged(self) -> list[Path]:
        return sorted((self.directory / "blobs" / "staging").iterdir())

    def stored(self) -> int:
        return sum(path.stat().st_size for path in self.segments())


def backend_in(directory: Path, disk: Disk | None) -> Backend:
    """The directory's, or the one that a test of remote stores has put into the environment, for its victims, too."""
    url = os.environ.get("TEST_STORE_URL")
    if not url:
        return LocalBackend(directory, disk)
    kind, _, place = url.partition("://")
    options = dict(item.split("=", 1) for item in os.environ["TEST_STORE_OPTIONS"].replace("main:", "").split(","))
    return connect(Location("main", kind, place, directory, options), disk)


def in_memory(piece: FileRange | bytes | memoryview) -> bytes:
    if isinstance(piece, FileRange):
        data = os.pread(piece.fd, piece.length, piece.offset)
        assert len(data) == piece.length
        return data
    return bytes(piece)


@contextmanager
def world_in(
    directory: Path, disk: Disk | None = None, limits: Limits | None = None, checks: RecentChecks | None = None
) -> Iterator[World]:
    directory.mkdir(exist_ok=True)
    world = World(directory, disk, limits, checks)
    try:
        yield world
    finally:
        world.stop()


def noise(length: int, seed: int = 0) -> bytes:
    """Bytes that don't compress, the same for the same seed."""
    return random.Random(seed).randbytes(length)


def text(length: int, seed: int = 0) -> bytes:
    """Bytes that compress about fourfold and don't repeat."""
    made = random.Random(seed)
    line = b"".join(b"%08x the quick brown fox jumps over\n" % made.getrandbits(32) for _ in range(length // 39 + 1))
    return line[:length]
