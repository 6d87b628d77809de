"""Collection: space comes back, and nothing that lives is ever touched."""

import pytest

from appliance.blobs.block_writer import Limits
from appliance.blobs.garbage_collection import HOUR, GarbageCollector
from appliance.blobs.verify import verify
from appliance.errors import NotFound
from appliance.values import KIB, MIB
from tests.blobs.world import World, in_memory, noise, text, world_in


def test_the_space_of_a_deleted_content_comes_back(world: World) -> None:
    content = world.put(noise(3 * MIB))
    world.delete(content)
    world.collect()
    assert world.segments() == []
    totals = world.index.maintenance.totals()
    assert (totals.contents, totals.unique, totals.blocks, totals.releasing) == (0, 0, 0, 0)


def test_shared_blocks_outlive_the_content_that_brought_them(world: World) -> None:
    data = noise(3 * MIB)
    first, second = world.put(data), world.put(data + b"more")
    world.delete(first)
    world.collect()
    assert world.get(second) == data + b"more"
    world.delete(second)
    world.collect()
    assert world.segments() == []


def test_nothing_is_deleted_before_its_grace_ends(world: World) -> None:
    content = world.put(noise(MIB))
    world.delete(content)
    world.collect(grace=HOUR)
    assert len(world.segments()) == 1
    plan = {plan.what: plan for plan in GarbageCollector(world.store, grace=HOUR).plan()}
    assert plan["blocks to wait for"].length == MIB
    assert world.index.find([]) == {}


def test_marked_blocks_are_not_reused_but_unmarked_by_a_commit(world: World) -> None:
    data = noise(MIB)
    world.delete(world.put(data))
    world.collect(grace=HOUR)
    again = world.put(data)
    assert world.store.content(again).new_length == MIB
    world.collect()
    assert world.get(again) == data
    assert world.stored() < MIB * 1.01
    assert list(verify(world.store)) == []


def test_a_dry_run_says_what_and_why_and_does_nothing(world: World) -> None:
    world.delete(world.put(noise(MIB)))
    before = world.stored()
    plan = GarbageCollector(world.store, grace=0).plan()
    assert [each.what for each in plan] == ["contents to drop"]
    assert "deleted" in plan[0].why and plan[0].length == MIB
    assert world.stored() == before


def test_an_upload_under_way_keeps_the_blocks_it_has_met(world: World) -> None:
    data = noise(8 * MIB)
    first = world.put(data)
    with world.store.begin() as ingest:
        ingest.write(data)
        ingest.flush()
        world.delete(first)
        world.collect()
        world.collect()
        sealed = ingest.seal()
        second = world.db.transact(lambda tx: world.index.commit(tx, sealed))
    world.collect()
    assert world.get(second) == data


def test_an_upload_that_began_later_does_not_hold_the_collection_up(world: World) -> None:
    world.delete(world.put(noise(MIB)))
    list(GarbageCollector(world.store, grace=0)._drop_contents())
    with world.store.begin():
        world.collect()
        assert world.segments() == []


def test_a_reader_finishes_although_the_content_is_deleted(world: World) -> None:
    data = noise(3 * MIB) + text(MIB)
    content = world.put(data)
    reader = world.store.open_content(content)
    start = reader.read(100_000)
    world.delete(content)
    world.collect()
    with pytest.raises(NotFound):
        world.store.open_content(content)
    assert start + reader.read() == data
    reader.close()
    world.collect()
    assert world.segments() == []


@pytest.mark.parametrize("by_pieces", [False, True])
def test_a_reader_follows_blocks_that_move(world: World, by_pieces: bool) -> None:
    kept, gone = noise(6 * MIB, 1), noise(8 * MIB, 2)
    first = world.put(gone + kept)
    reader = world.store.open_content(world.put(kept))
    pieces = reader.pieces()
    # It has looked up where all blocks are, and read the first of them.
    begin = in_memory(next(pieces)) if by_pieces else reader.read(1)
    world.delete(first)
    steps = {step.what: step for step in world.collect()}
    assert steps["blocks moved"].count > 10
    rest = b"".join(in_memory(piece) for piece in pieces) if by_pieces else reader.read()
    assert begin + rest == kept
    reader.close()


def test_a_thin_segment_is_rewritten_and_shrinks(world: World) -> None:
    kept = noise(MIB, 1) + text(300 * KIB)
    first = world.put(noise(6 * MIB, 2) + kept)
    second = world.put(kept, label=b"second")
    world.delete(first)
    world.collect()
    assert world.stored() < 2 * MIB
    assert world.get(second) == kept
    assert world.store.content(second).label == b"second"
    assert list(verify(world.store)) == []
    assert world.collect() == []


def test_a_hold_keeps_every_segment(world: World) -> None:
    data = noise(MIB)
    content = world.put(data)
    with world.store.hold_segments():
        world.delete(content)
        world.collect()
        assert len(world.segments()) == 1
    world.collect()
    assert world.segments() == []


def test_orphans_go_once_they_are_old_enough(world: World) -> None:
    world.put(noise(MIB))
    orphan = world.directory / "blobs" / "segments" / ("0" * 32 + ".seg")
    orphan.write_bytes(b"left by a crash")
    world.collect(grace=HOUR)
    assert orphan.exists()
    world.collect()
    assert not orphan.exists() and len(world.segments()) == 1


def test_the_same_new_bytes_from_two_uploads_are_kept_once(world: World) -> None:
    data = noise(4 * MIB)
    with world.store.begin() as one, world.store.begin() as two:
        one.write(data)
        two.write(data)
        first, second = one.seal(), two.seal()
        contents = world.db.transact(lambda tx: [world.index.commit(tx, first), world.index.commit(tx, second)])
    assert world.index.maintenance.totals().unique == len(data)
    world.collect()
    assert world.stored() < len(data) * 1.01
    assert [world.get(content) == data for content in contents] == [True, True]


def test_deleting_is_quick_and_collection_takes_small_steps(tmp_path_factory: pytest.TempPathFactory) -> None:
    with world_in(tmp_path_factory.mktemp("steps"), limits=Limits(segment=MIB, items=50)) as world:
        content = world.put(noise(12 * MIB))
        world.delete(content)
        counts = [step.count for step in GarbageCollector(world.store, grace=0).steps()]
        assert max(counts) <= 2000
        assert world.segments() == []
