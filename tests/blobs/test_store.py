"""Bytes in, bytes out: uploads, dedup, holes, compression, recovery and accounting of one store."""

import hashlib
from pathlib import Path

import pytest

from appliance.blobs.backends.local import LocalBackend
from appliance.blobs.block_writer import Limits
from appliance.db.engine.base import Tx
from appliance.errors import Fatal, Invalid, NotFound, RangeNotSatisfiable, Unavailable
from appliance.values import KIB, MIB
from tests.blobs.world import World, in_memory, noise, text, world_in

SHAPES = {
    "empty": b"",
    "one byte": b"a",
    "one zero": b"\0",
    "a page of zeros": bytes(4096),
    "a hole": bytes(5 * MIB + 3),
    "noise": noise(3 * MIB + 7),
    "text": text(3 * MIB + 11),
    "mixed": noise(700_001) + bytes(MIB) + text(900_000) + bytes(99_999) + noise(5000, 2) + bytes(70_000),
    "many slabs": noise(13 * MIB, 3) + bytes(4 * MIB) + text(3 * MIB),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_stored_reads_back(world: World, shape: str) -> None:
    data = SHAPES[shape]
    content = world.put(data)
    assert world.get(content) == data
    assert world.get_pieces(content) == data


@pytest.mark.parametrize("shape", SHAPES)
def test_any_range_reads_back(world: World, shape: str) -> None:
    data = SHAPES[shape]
    content = world.put(data)
    size = len(data)
    for start, end in [(0, 0), (size, size), (size // 3, size), (size // 2, size // 2 + min(1, size - size // 2))]:
        assert world.get(content, start, end - start) == data[start:end]
        assert world.get_pieces(content, start, end - start) == data[start:end]
    for start in range(1, size, max(1, size // 7)):
        length = min(123_457, size - start)
        assert world.get_pieces(content, start, length) == data[start : start + length]


def test_pieces_go_on_where_reading_ended(world: World) -> None:
    data = noise(2 * MIB) + bytes(MIB) + text(2 * MIB)
    with world.store.open_content(world.put(data), 5) as reader:
        begin = reader.read(700_000)
        assert begin + b"".join(in_memory(piece) for piece in reader.pieces()) == data[5:]


def test_digests_are_those_of_the_bytes(world: World) -> None:
    data = noise(5 * MIB)
    row = world.store.content(world.put(data))
    assert row.md5 == hashlib.md5(data).hexdigest()
    assert (row.hash_algorithm, row.hash_value) == ("sha512", hashlib.sha512(data).hexdigest())
    assert (row.size, row.label) == (len(data), b"label")


def test_another_hash_algorithm_can_be_asked_for(world: World) -> None:
    row = world.store.content(world.put(b"abc", algorithm="sha256"))
    assert row.hash_value == hashlib.sha256(b"abc").hexdigest()


def test_an_unknown_hash_algorithm_is_refused(world: World) -> None:
    with pytest.raises(Invalid):
        world.store.begin(hash_algorithm="crc32")
    assert world.store.gc_guard.ingests() == 0


def test_the_size_of_writes_does_not_matter(world: World) -> None:
    data = SHAPES["mixed"]
    world.put(data, chunk=len(data))
    before = world.store.index.maintenance.totals()
    for chunk in (1000, 4096, 65_537):
        row = world.store.content(world.put(data, chunk=chunk))
        assert row.new_length == 0
    assert world.store.index.maintenance.totals().unique == before.unique


def test_the_same_bytes_again_cost_under_a_thousandth(world: World) -> None:
    data = noise(20 * MIB)
    world.put(data)
    before = world.stored()
    world.put(data)
    assert world.stored() - before < len(data) / 1000


def test_zeros_cost_nothing(world: World) -> None:
    content = world.put(bytes(100 * MIB), chunk=10 * MIB)
    assert world.stored() < 1000
    assert world.store.content(content).hole_length == 100 * MIB


def test_text_is_compressed_and_noise_is_not(world: World) -> None:
    compressed = world.store.content(world.put(text(2 * MIB)))
    assert compressed.new_stored < compressed.new_length * 7 // 8
    plain = world.store.content(world.put(noise(2 * MIB)))
    assert plain.new_stored == plain.new_length


def test_an_upload_of_many_segments_is_one_content(tmp_path: Path) -> None:
    data = noise(9 * MIB) + bytes(MIB) + noise(3 * MIB, 1)
    with world_in(tmp_path, limits=Limits(segment=3 * MIB)) as world:
        content = world.put(data)
        assert len(world.segments()) >= 3
        assert world.get(content) == data
        again = world.put(data)
        assert world.get_pieces(again) == data
        assert world.store.content(again).new_length == 0


def test_bytes_may_be_put_straight_into_the_room_for_them(world: World) -> None:
    data = noise(5 * MIB + 3)
    with world.store.begin() as ingest:
        at = 0
        while at < len(data):
            part = data[at : at + min(len(ingest.room()), 700_001)]
            ingest.room()[: len(part)] = part
            ingest.filled(len(part))
            at += len(part)
        with pytest.raises(RuntimeError):
            ingest.filled(len(ingest.room()) + 1)
        sealed = ingest.seal()
        content = world.db.transact(lambda tx: world.index.commit(tx, sealed))
    assert sealed.md5 == hashlib.md5(data).hexdigest()
    assert sealed.size == len(data)
    assert world.get(content) == data


def test_totals_say_where_the_bytes_went(world: World) -> None:
    data = noise(MIB) + text(MIB) + bytes(8 * MIB)
    world.put(data)
    world.put(data)
    totals = world.store.index.maintenance.totals()
    assert totals.contents == 2
    assert totals.logical == 20 * MIB
    assert totals.holes == 16 * MIB
    assert totals.saved_by_dedup == 2 * MIB
    assert 0 < totals.saved_by_lz4 < MIB
    assert totals.file == world.stored()


def test_a_given_up_upload_leaves_nothing(world: World) -> None:
    with world.store.begin() as ingest:
        ingest.write(noise(7 * MIB))
    assert world.staged() == [] and world.segments() == []
    assert world.store.gc_guard.ingests() == 0


def test_a_failed_commit_leaves_nothing_readable(tmp_path: Path) -> None:
    with world_in(tmp_path, limits=Limits(segment=MIB)) as world:
        with pytest.raises(ZeroDivisionError), world.store.begin() as ingest:
            ingest.write(noise(5 * MIB))
            sealed = ingest.seal()
            committed: list[int] = []

            def commit_and_fail(tx: Tx) -> None:
                committed.append(world.index.commit(tx, sealed))
                raise ZeroDivisionError

            world.db.transact(commit_and_fail)
        with pytest.raises(NotFound):
            world.store.open_content(committed[0])
        world.collect()
        assert world.segments() == []


def test_an_upload_given_up_before_its_commit_is_refused(tmp_path: Path) -> None:
    with world_in(tmp_path, limits=Limits(segment=MIB)) as world:
        with world.store.begin() as ingest:
            ingest.write(noise(5 * MIB))
            sealed = ingest.seal()
        with pytest.raises(Unavailable):
            world.db.transact(lambda tx: world.index.commit(tx, sealed))


def test_a_released_content_is_gone_at_once(world: World) -> None:
    content = world.put(b"abc")
    world.delete(content)
    with pytest.raises(NotFound):
        world.store.open_content(content)
    with pytest.raises(NotFound):
        world.delete(content)


def test_a_range_outside_is_refused(world: World) -> None:
    content = world.put(b"abc")
    for start, length in [(4, None), (0, 4), (2, 2), (-1, 1)]:
        with pytest.raises(RangeNotSatisfiable):
            world.store.open_content(content, start, length)
    assert not world.store.gc_guard.is_read(content)


def test_a_restart_keeps_contents_and_clears_staging(world: World) -> None:
    data = noise(MIB)
    content = world.put(data)
    (world.directory / "blobs" / "staging" / "left.seg").write_bytes(b"half")
    world.restart()
    assert world.staged() == []
    assert world.get(content) == data


def test_an_upload_cut_off_by_a_crash_is_released_at_start(tmp_path: Path) -> None:
    with world_in(tmp_path, limits=Limits(segment=MIB)) as world:
        ingest = world.store.begin()
        ingest.write(noise(9 * MIB))
        while ingest.content_id is None:
            ingest.write(noise(2 * MIB))
        world.restart()
        assert world.store.index.maintenance.totals().releasing == 1
        world.collect()
        assert world.segments() == []


def test_a_directory_that_the_database_does_not_know_is_refused(world: World) -> None:
    world.put(b"abc")
    world.stop()
    (world.directory / "appliance.db").unlink()
    with pytest.raises(Fatal, match="knows nothing"):
        world.start()
    world.db.close()
    (world.directory / "appliance.db").unlink()
    (world.directory / "blobs").rename(world.directory / "old")
    world.start()


def test_two_stores_share_a_database_and_no_block(world: World, tmp_path: Path) -> None:
    data = noise(MIB)
    first = world.put(data)
    from_two = World.__new__(World)
    from_two.directory = tmp_path
    from_two.db = world.db
    from_two.index = type(world.index)(world.db, "second")
    from_two.store = type(world.store)(LocalBackend(tmp_path / "second"), from_two.index)
    from_two.store.open()
    second = from_two.put(data)
    assert from_two.store.content(second).new_length == MIB
    with pytest.raises(NotFound):
        from_two.store.open_content(first)
    world.delete(first)
    world.collect()
    assert world.segments() == []
    assert from_two.get(second) == data
    from_two.store.close()


def test_a_vast_hole_is_read_lazily(world: World) -> None:
    with world.store.begin() as ingest:
        zeros = bytes(8 * MIB)
        for _ in range(24):
            ingest.write(zeros)
        ingest.write(b"end")
        sealed = ingest.seal()
        content = world.db.transact(lambda tx: world.index.commit(tx, sealed))
    with world.store.open_content(content, 190 * MIB) as reader:
        assert reader.read(2 * KIB) == bytes(2 * KIB)
    with world.store.open_content(content) as reader:
        assert max(len(piece) for piece in reader.pieces() if isinstance(piece, memoryview)) <= MIB


@pytest.mark.parametrize("tables", [0, 700 * KIB, 1300 * KIB])
@pytest.mark.parametrize("magic", [b"QFI\xfb", b"KDMV"])
def test_compressed_containers_share_what_moved_by_odd_lengths(world: World, magic: bytes, tables: int) -> None:
    """They begin with tables, which compress; what follows doesn't, and keeps to no grid of pages."""
    head, body = magic + text(tables), noise(12 * MIB)
    world.put(head + body)
    moved = world.put(head + body[: 6 * MIB] + b"some more" + body[6 * MIB :])
    assert world.store.content(moved).new_length < 5 * MIB
    # Without the name of a container in front, such data is cut on the grid.
    world.put(noise(tables, 2) + noise(12 * MIB, 3))
    gone = world.put(noise(tables, 2) + b"some more" + noise(12 * MIB, 3))
    assert world.store.content(gone).new_length > 11 * MIB
