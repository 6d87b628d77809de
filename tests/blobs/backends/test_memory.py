"""The backend in memory: it passes what the others pass, and a whole store works on it."""

from pathlib import Path

import pytest

from appliance.blobs.backends.memory import MemoryBackend
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.rebuild import Rebuilder
from appliance.blobs.scrub import Scrubber
from appliance.blobs.store import BlobStore
from appliance.blobs.verify import verify
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.sqlite import SqliteDatabase
from tests.blobs.backends.conformance import Conformance, Reopen
from tests.blobs.world import World, noise, text


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def reopen(backend: MemoryBackend) -> Reopen:
    return lambda: backend


class TestMemory(Conformance):
    """All that any backend does."""


class InMemory(World):
    """A store whose segments are in memory."""

    def start(self, lost_index: bool = False) -> None:
        if not hasattr(self, "memory"):
            self.memory = MemoryBackend()
        self.backend = self.memory
        self.db = SqliteDatabase(self.directory / "appliance.db")
        self.index = BlockIndex(self.db)
        self.store = BlobStore(self.backend, self.index)
        self.store.open(lost_index=lost_index)


DATA = noise(700_000, 1) + text(400_000)


def test_a_store_in_memory_gives_back_what_it_got(tmp_path: Path) -> None:
    world = InMemory(tmp_path)
    content = world.put(DATA)
    world.restart()
    assert world.get(content) == world.get_pieces(content) == DATA
    world.stop()


def test_a_store_in_memory_gives_space_back(tmp_path: Path) -> None:
    world = InMemory(tmp_path)
    world.delete(world.put(DATA))
    GarbageCollector(world.store, grace=0).run()
    assert list(world.backend.names()) == []
    world.stop()


def test_a_store_in_memory_is_rebuilt_without_what_was_deleted(tmp_path: Path) -> None:
    world = InMemory(tmp_path)
    world.put(DATA, label=b"kept")
    world.delete(world.put(noise(50_000, 2) + DATA, label=b"gone"))
    GarbageCollector(world.store, grace=0, live_percent=0).run()
    world.stop()
    (tmp_path / "appliance.db").unlink()
    world.start(lost_index=True)
    report = Rebuilder(world.store).run()
    assert [world.index.content(each).label for each in report.contents if world.index.content(each)] == [b"kept"]  # type: ignore[union-attr]
    assert list(verify(world.store)) == []
    world.stop()


def test_a_store_in_memory_finds_damage(tmp_path: Path) -> None:
    world = InMemory(tmp_path)
    world.put(DATA)
    (name,) = world.backend.names()
    size = world.backend.size(name) or 0
    data = bytearray(size)
    world.backend.open(name).read_into(memoryview(data), 0)
    data[size // 2] ^= 1
    world.memory.put(name, bytes(data))
    assert len(Scrubber(world.store, interval=0).run().damaged_blocks) == 1
    world.stop()
