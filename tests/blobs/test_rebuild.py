"""The database is lost: the segments alone bring the contents back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.blobs.backends.local import LocalBackend
from appliance.blobs.block_writer import Limits
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.rebuild import Rebuilder, RebuildReport
from appliance.blobs.store import BlobStore
from appliance.blobs.verify import verify
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.registry import open_database
from appliance.values import KIB, MIB
from tests.blobs.world import World, noise, text, world_in

ONE = noise(600 * KIB, 1) + bytes(MIB) + text(500 * KIB)
TWO = noise(600 * KIB, 1) + noise(400 * KIB, 2)
LONG = noise(5 * MIB, 3) + bytes(100 * KIB)


def rebuild(world: World) -> RebuildReport:
    """Lose the database and rebuild it."""
    world.stop()
    for path in world.directory.glob("appliance.db*"):
        path.unlink()
    world.db = open_database(world.directory / "appliance.db")
    world.index = BlockIndex(world.db)
    world.store = BlobStore(LocalBackend(world.directory / "blobs"), world.index, limits=world.limits)
    world.store.open(lost_index=True)
    return Rebuilder(world.store).run()


def by_label(world: World) -> dict[bytes, bytes]:
    return {row.label: world.get(row.id) for row in world.index.maintenance.contents()}


def test_every_content_comes_back_with_its_label(tmp_path: Path) -> None:
    with world_in(tmp_path, limits=Limits(segment=MIB)) as world:
        stored = {b"one": ONE, b"two": TWO, b"long": LONG, b"again": ONE, b"empty": b""}
        for label, data in stored.items():
            world.put(data, label=label)
        before = {row.label: row for row in world.index.maintenance.contents()}
        report = rebuild(world)
        assert len(report.contents) == len(stored) and not report.damage and not report.incomplete
        assert by_label(world) == stored
        for row in world.index.maintenance.contents():
            was = before[row.label]
            assert (row.md5, row.hash_value, row.created_at) == (was.md5, was.hash_value, was.created_at)
        assert list(verify(world.store)) == []
        world.restart()
        assert by_label(world) == stored


def test_a_deleted_content_stays_deleted_once_collected(world: World) -> None:
    first = world.put(ONE, label=b"one")
    world.put(ONE + b"more", label=b"two")
    world.delete(first)
    GarbageCollector(world.store, grace=0, live_percent=0).run()
    report = rebuild(world)
    assert report.deleted == 1
    assert by_label(world) == {b"two": ONE + b"more"}


def test_rewritten_segments_are_enough(tmp_path: Path) -> None:
    with world_in(tmp_path, limits=Limits(segment=MIB)) as world:
        gone = world.put(noise(3 * MIB, 9) + LONG)
        world.put(LONG, label=b"long")
        world.delete(gone)
        GarbageCollector(world.store, grace=0, live_percent=100).run()
        rebuild(world)
        assert by_label(world) == {b"long": LONG}


def break_a_map(data: bytearray) -> None:
    data[data.index(b"MAPS") + 30] ^= 1


def break_the_footer(data: bytearray) -> None:
    data[-1] ^= 1


def break_the_seal(data: bytearray) -> None:
    data[data.index(b"SEAL") + 30] ^= 1


@pytest.mark.parametrize(
    "harm, whole",
    [(break_a_map, False), (break_the_footer, True), (break_the_seal, False)],
    ids=["map", "footer", "seal"],
)
def test_damage_is_reported_and_the_rest_comes_back(
    world: World, harm: Callable[[bytearray], None], whole: bool
) -> None:
    world.put(TWO, label=b"two")
    (path,) = world.segments()
    world.put(noise(MIB, 5), label=b"other")
    data = bytearray(path.read_bytes())
    harm(data)
    path.write_bytes(data)
    report = rebuild(world)
    assert report.damage
    assert by_label(world).keys() == ({b"two", b"other"} if whole else {b"other"})
    world.collect()
    assert list(verify(world.store)) == []


def test_a_rebuild_may_be_run_again(world: World) -> None:
    world.put(ONE, label=b"one")
    rebuild(world)
    again = Rebuilder(world.store).run()
    assert len(again.contents) == 1
    assert by_label(world) == {b"one": ONE}


def test_a_torn_journal_of_deletions_loses_only_its_end(world: World) -> None:
    for number in range(3):
        content = world.put(noise(70_000, number))
        world.delete(content)
        world.collect()
    journal = world.directory / "blobs" / "deleted"
    known = world.store.backend.deletions()
    journal.write_bytes(journal.read_bytes()[:-7])
    assert len(world.store.backend.deletions()) == 2
    world.store.backend.note_deletions([b"x" * 16])
    assert b"x" * 16 in world.store.backend.deletions() and len(world.store.backend.deletions() & known) == 2
