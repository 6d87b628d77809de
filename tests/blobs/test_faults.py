"""The disk says no: uploads fail with a clear error, nothing acknowledged suffers, and the store goes on."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.blobs.block_writer import Limits
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.store import BlobStore
from appliance.blobs.verify import verify
from appliance.errors import Failure, StorageFault, StorageFull
from appliance.values import KIB, MIB
from tests.blobs.disks import FailingDisk
from tests.blobs.world import World, noise, text, world_in

KEPT = noise(700 * KIB, 1) + text(200 * KIB)
FRESH = noise(2600 * KIB, 2) + KEPT
CODES = {errno.ENOSPC: StorageFull, errno.EIO: StorageFault, errno.EROFS: StorageFault}


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[tuple[World, FailingDisk]]:
    disk = FailingDisk()
    with world_in(tmp_path, disk, Limits(segment=MIB)) as world:
        yield world, disk
        disk.heal()


def operations(world: World, disk: FailingDisk, kind: str, data: bytes) -> int:
    """How many operations of that kind an upload takes."""
    disk.plan(kind, 0, 0)
    content = world.put(data)
    count = disk.count
    disk.heal()
    world.delete(content)
    world.collect()
    return count


def fail_everywhere(failing: tuple[World, FailingDisk], kind: str, code: int, goes_on: bool, every: int) -> None:
    world, disk = failing
    kept = world.put(KEPT)
    total = operations(world, disk, kind, FRESH)
    assert total > 0
    for at in range(1, total + 1, every):
        disk.plan(kind, at, code, goes_on)
        with pytest.raises(CODES[code]) as caught:
            world.put(FRESH)
        assert str(caught.value) in (world.store.write_trouble() or "")
        assert world.get(kept) == KEPT, "reads go on"
        disk.heal()
        assert world.staged() == []
        world.collect()
        assert list(verify(world.store)) == []
        assert world.get(kept) == KEPT
    content = world.put(FRESH)
    assert world.store.write_trouble() is None
    assert world.get(content) == FRESH


@pytest.mark.parametrize("kind", ["create", "write", "sync", "rename", "sync_directory"])
@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.get)
def test_a_failing_operation_fails_the_upload_and_nothing_else(
    failing: tuple[World, FailingDisk], kind: str, code: int
) -> None:
    fail_everywhere(failing, kind, code, goes_on=False, every=3)


@pytest.mark.slow
@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("kind", ["create", "write", "sync", "rename", "sync_directory"])
@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.get)
def test_every_operation_may_fail(failing: tuple[World, FailingDisk], kind: str, code: int, goes_on: bool) -> None:
    fail_everywhere(failing, kind, code, goes_on, every=1)


def test_a_disk_that_stays_full_refuses_uploads_and_serves_reads(failing: tuple[World, FailingDisk]) -> None:
    world, disk = failing
    kept = world.put(KEPT)
    disk.plan("write", 1, errno.ENOSPC, goes_on=True)
    for _ in range(3):
        with pytest.raises(StorageFull, match="full"):
            world.put(FRESH)
    assert world.get(kept) == KEPT
    assert world.staged() == []
    assert "full" in (world.store.write_trouble() or "")


def test_trouble_with_writing_ends_without_another_upload(tmp_path: Path) -> None:
    disk, at = FailingDisk(), [0.0]
    with world_in(tmp_path, disk, Limits(segment=MIB)) as world:
        store = BlobStore(world.backend, world.index, monotonic=lambda: at[0])
        disk.plan("create", 1, errno.EROFS, goes_on=True)
        store.note_write(StorageFault("the disk is read-only"))
        at[0] += 60
        assert "Read-only" in (store.write_trouble() or ""), "the trial failed, too"
        disk.heal()
        assert store.write_trouble(), "one trial in five seconds"
        at[0] += 60
        assert store.write_trouble() is None
        assert world.staged() == []


@pytest.mark.parametrize("kind", ["read", "open_to_read"])
def test_a_failing_read_fails_loudly_and_once(failing: tuple[World, FailingDisk], kind: str) -> None:
    world, disk = failing
    content = world.put(FRESH)
    world.restart()
    disk.plan(kind, 1, errno.EIO)
    with pytest.raises(StorageFault):
        world.get(content)
    assert disk.struck
    disk.heal()
    assert world.get(content) == FRESH


def test_short_writes_and_reads_lose_nothing(failing: tuple[World, FailingDisk]) -> None:
    world, disk = failing
    disk.short_writes = True
    content = world.put(FRESH)
    assert world.get(content) == FRESH and world.get_pieces(content) == FRESH
    disk.short_writes = False
    world.restart()
    assert world.get(content) == FRESH


@pytest.mark.parametrize("kind", ["read", "write", "sync", "rename", "unlink", "create"])
def test_a_collection_that_fails_is_done_by_the_next(failing: tuple[World, FailingDisk], kind: str) -> None:
    world, disk = failing
    for at in range(1, 40):
        first = world.put(FRESH)
        second = world.put(KEPT + noise(50 * KIB, at))
        world.delete(first)
        disk.plan(kind, at, errno.EIO)
        try:
            GarbageCollector(world.store, grace=0, live_percent=90).run()
        except Failure:
            pass
        struck = disk.struck
        disk.heal()
        assert world.get(second) == KEPT + noise(50 * KIB, at)
        world.db.transact(lambda tx: tx.execute("UPDATE blocks SET damaged_at = NULL"))
        world.delete(second)
        world.collect()
        assert world.segments() == [] and world.staged() == []
        assert list(verify(world.store)) == []
        if not struck:
            return


def test_a_failing_disk_during_a_scrub_is_damage_until_it_reads_again(failing: tuple[World, FailingDisk]) -> None:
    world, disk = failing
    content = world.put(KEPT)
    disk.plan("read", 1, errno.EIO)
    assert world.scrub().contents == {content}
    disk.heal()
    assert world.get(content) == KEPT
    assert not world.scrub().damaged_blocks
    assert list(verify(world.store)) == [], "a block that reads again is sound again"
