"""Rot: every flipped bit that matters is found, none is ever served, and a new upload heals."""

from pathlib import Path

import pytest

from appliance.blobs import segment_format as fmt
from appliance.blobs.scrub import DAY, Scrubber, ScrubReport
from appliance.blobs.verify import verify
from appliance.db.engine.base import Tx
from appliance.errors import Corrupt, StorageFault
from appliance.values import KIB, MIB
from tests.blobs.world import World, noise, text

DATA = noise(300 * KIB) + text(300 * KIB) + bytes(64 * KIB) + noise(70 * KIB, 2)


def flip(path: Path, at: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


def flip_places(path: Path) -> list[int]:
    """Some bytes in each part of the file, and all of its ends."""
    size = path.stat().st_size
    return [*range(8), *range(8, size, size // 40), *range(size - fmt.FOOTER_LENGTH - 40, size, 5)]


def test_every_flipped_bit_is_found(world: World) -> None:
    content = world.put(DATA)
    (path,) = world.segments()
    good = path.read_bytes()
    for number, at in enumerate(flip_places(path)):
        flip(path, at, number % 8)
        report = world.scrub()
        assert report.damaged_blocks or report.damaged_segments, f"the flip at {at} was not found"
        if report.damaged_blocks:
            assert report.contents == {content}
        path.write_bytes(good)

        def change(tx: Tx) -> None:
            tx.execute("UPDATE blocks SET damaged_at = NULL")
            tx.execute("UPDATE segments SET damaged = 0")

        world.db.transact(change)


def test_a_flipped_bit_is_never_served(world: World) -> None:
    content = world.put(DATA)
    (path,) = world.segments()
    good = path.read_bytes()
    for number, at in enumerate(flip_places(path)):
        flip(path, at, number % 8)
        for read in (world.get, world.get_pieces):
            try:
                assert read(content) == DATA
            except (Corrupt, StorageFault):
                pass
        path.write_bytes(good)


def test_a_reader_that_meets_damage_marks_the_block(world: World) -> None:
    content = world.put(noise(2 * MIB))
    (path,) = world.segments()
    flip(path, MIB)
    with pytest.raises(Corrupt):
        world.get(content)
    assert len(world.index.maintenance.damaged_blocks(10)) == 1


def test_what_is_before_the_damage_is_served_and_then_it_fails(world: World) -> None:
    data = noise(8 * MIB)
    content = world.put(data)
    (path,) = world.segments()
    flip(path, 7 * MIB)
    with world.store.open_content(content) as reader:
        assert reader.read(MIB) == data[:MIB]
        with pytest.raises(Corrupt):
            reader.read()


def test_a_new_upload_heals_every_content_that_has_the_block(world: World) -> None:
    data = noise(2 * MIB)
    first, second = world.put(data), world.put(data + b"tail")
    flip(max(world.segments(), key=lambda path: path.stat().st_size), MIB)
    assert world.scrub().contents == {first, second}
    third = world.put(data)
    assert world.store.content(third).new_length < MIB
    for content, wanted in ((first, data), (second, data + b"tail"), (third, data)):
        assert world.get(content) == wanted
    world.collect()
    assert list(verify(world.store)) == []
    assert not world.scrub().damaged_blocks


def test_a_damaged_block_is_not_reused(world: World) -> None:
    data = noise(MIB)
    world.put(data)
    world.db.transact(lambda tx: tx.execute("UPDATE blocks SET damaged_at = 1"))
    assert world.store.content(world.put(data)).new_length == MIB


def test_damaged_records_are_written_anew_by_the_collection(world: World) -> None:
    content = world.put(DATA)
    (path,) = world.segments()
    flip(path, path.stat().st_size - 3)
    assert world.scrub().damaged_segments == [path.stem]
    world.collect()
    assert world.segments() != [path] and len(world.segments()) == 1
    assert world.get(content) == DATA
    assert not world.scrub().damaged_segments


def test_a_lost_segment_is_found_and_named(world: World) -> None:
    content = world.put(DATA)
    (path,) = world.segments()
    path.unlink()
    kinds = {finding.kind for finding in verify(world.store)}
    assert kinds == {"segment-missing"}
    report = world.scrub()
    assert report.contents == {content} and report.damaged_segments == [path.stem]
    with pytest.raises(Corrupt, match="missing"):
        world.get(content)


def test_a_shortened_segment_is_found(world: World) -> None:
    content = world.put(DATA)
    (path,) = world.segments()
    path.write_bytes(path.read_bytes()[: 200 * KIB])
    assert "segment-size" in {finding.kind for finding in verify(world.store)}
    assert world.scrub().contents == {content}


def test_a_scrub_goes_on_where_it_was_interrupted(world: World) -> None:
    world.put(noise(20 * MIB))
    report = ScrubReport()
    steps = Scrubber(world.store, interval=0).steps(report)
    next(steps)
    seen = report.blocks
    del steps
    total = world.index.maintenance.totals().blocks
    assert 0 < seen < total
    world.restart()
    assert world.scrub().blocks == total - seen


def test_what_was_checked_lately_is_left_alone(world: World) -> None:
    world.put(DATA)
    assert Scrubber(world.store, interval=30 * DAY).run().segments == 0
    assert world.scrub().segments == 1


def test_the_pace_is_kept(world: World) -> None:
    world.put(noise(8 * MIB))
    slept: list[float] = []
    Scrubber(world.store, interval=0, bytes_per_second=MIB, sleep=slept.append).run()
    assert 7 < sum(slept) < 9


def test_a_reader_gets_what_is_before_a_damaged_block_and_nothing_behind_it(world: World) -> None:
    data = noise(6 * MIB)
    content = world.put(data)
    flip(world.segments()[0], 5 * MIB)
    with world.store.open_content(content) as reader:
        got = b"".join(reader.read(64 * KIB) for _ in range(70))
        assert got == data[: len(got)]
        for _ in range(2):
            with pytest.raises(Corrupt):
                reader.read()
