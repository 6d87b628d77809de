"""A clock that is set, ahead or back, neither takes a block from whoever uses it nor keeps space for ever."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.blobs.backends.local import LocalBackend
from appliance.blobs.garbage_collection import HOUR, GarbageCollector
from appliance.blobs.store import BlobStore
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.registry import open_database
from appliance.values import KIB, Micros, SteadyClock, now
from tests.blobs.world import noise

YEAR: Micros = 365 * 24 * HOUR


class Wall:
    """A wall clock that the test sets."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> Micros:
        return self.at


class Shop:
    """A store with that clock."""

    def __init__(self, directory: Path, wall: Wall) -> None:
        self.db = open_database(directory / "appliance.db")
        self.index = BlockIndex(self.db)
        self.store = BlobStore(LocalBackend(directory / "blobs"), self.index, clock=wall)
        self.store.open()
        self.collector = GarbageCollector(self.store, grace=HOUR)

    def put(self, data: bytes) -> int:
        with self.store.begin() as ingest:
            ingest.write(data)
            sealed = ingest.seal()
            return self.db.transact(lambda tx: self.index.commit(tx, sealed))

    def delete(self, content: int) -> None:
        self.db.transact(lambda tx: self.index.release(tx, content))

    def segments(self) -> int:
        self.collector.run()
        return len(list(self.store.backend.names()))

    def close(self) -> None:
        self.store.close()
        self.db.close()


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def shop(tmp_path: Path, wall: Wall) -> Iterator[Shop]:
    opened = Shop(tmp_path, wall)
    yield opened
    opened.close()


@pytest.mark.parametrize("jump", [-YEAR, YEAR])
def test_a_steady_clock_goes_on_when_the_wall_clock_is_set(wall: Wall, jump: Micros) -> None:
    passed = [0]
    clock = SteadyClock(wall, lambda: passed[0])
    began = clock()
    wall.at += jump
    passed[0] += 5_000_000
    assert clock() - began == 5_000_000


@pytest.mark.parametrize("jump", [-YEAR, YEAR])
def test_a_block_that_an_upload_reuses_is_not_collected_when_the_clock_is_set(
    shop: Shop, wall: Wall, jump: Micros
) -> None:
    data = noise(300 * KIB)
    first = shop.put(data)
    with shop.store.begin() as ingest:
        ingest.write(data)
        ingest.flush()
        shop.delete(first)
        shop.collector.run()
        wall.at += jump
        shop.collector.run()
        sealed = ingest.seal()
        second = shop.db.transact(lambda tx: shop.index.commit(tx, sealed))
    shop.collector.run()
    with shop.store.open_content(second) as content:
        assert content.read() == data


def test_space_comes_back_after_the_grace_when_the_clock_was_ahead_at_the_deletion(tmp_path: Path, wall: Wall) -> None:
    wall.at += YEAR
    ahead = Shop(tmp_path, wall)
    ahead.delete(ahead.put(noise(300 * KIB)))
    assert ahead.segments() == 1
    ahead.close()
    wall.at -= YEAR
    shop = Shop(tmp_path, wall)
    assert shop.segments() == 1
    wall.at += HOUR + 1
    assert shop.segments() == 0
    shop.close()


def test_a_file_from_the_future_that_no_row_names_goes_after_the_grace(shop: Shop, wall: Wall, tmp_path: Path) -> None:
    orphan = tmp_path / "blobs" / "segments" / f"{'0' * 32}.seg"
    orphan.write_bytes(b"x")
    ahead = (wall.at + YEAR) // 1_000_000
    os.utime(orphan, (ahead, ahead))
    assert shop.segments() == 1
    wall.at += HOUR + 1
    assert shop.segments() == 0
