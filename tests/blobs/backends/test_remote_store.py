"""A whole store whose segments are in a bucket of a real SeaweedFS, behind a proxy that does harm."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.blobs.backends.base import Backend
from appliance.blobs.backends.registry import Location, connect
from appliance.blobs.block_writer import Limits
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.rebuild import Rebuilder
from appliance.blobs.scrub import Scrubber
from appliance.blobs.store import BlobStore
from appliance.blobs.verify import verify
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.sqlite import SqliteDatabase
from appliance.errors import Corrupt, Fatal, Unavailable
from appliance.values import KIB, MIB, FileRange
from tests.blobs.backends.fault_proxy import Plan, fault_proxy
from tests.blobs.backends.seaweed import KEY, SECRET, Seaweed
from tests.blobs.world import World, noise, text

DATA = noise(2 * MIB, 1) + bytes(MIB) + text(MIB)


class Far(World):
    """A store in a bucket. `forget` is what a new machine sees: the bucket alone."""

    def __init__(self, directory: Path, place: str, endpoint: str, plan: Plan) -> None:
        self.place, self.endpoint, self.plan = place, endpoint, plan
        self.options: dict[str, str] = {"timeout": "3", "connect_timeout": "1", "retries": "1"}
        self.lost_index = False
        super().__init__(directory, limits=Limits(segment=MIB))

    def start(self) -> None:
        self.db = SqliteDatabase(self.directory / "appliance.db")
        self.index = BlockIndex(self.db)
        options = {"endpoint": self.endpoint, "access_key": KEY, "secret_key": SECRET} | self.options
        self.backend: Backend = connect(Location("deep", "s3", self.place, self.directory / "far", options))
        self.store = BlobStore(self.backend, self.index, limits=self.limits)
        self.store.open(lost_index=self.lost_index)

    def names(self) -> set[str]:
        return set(self.backend.names())

    def cool(self) -> None:
        """Start anew with nothing cached."""
        self.stop()
        shutil.rmtree(self.directory / "far" / "cache")
        self.start()

    def lose_all(self) -> None:
        """Start anew on another machine, with the bucket alone."""
        self.stop()
        shutil.rmtree(self.directory)
        self.directory.mkdir()
        self.lost_index = True
        self.start()

    def hurt(self, name: str, at: int) -> None:
        """Change a byte of a segment in the bucket."""
        handle = self.backend.open(name)
        data = bytearray(handle.size)
        handle.read_into(memoryview(data), 0)
        handle.close()
        data[at] ^= 1
        staged = self.backend.stage(name)
        staged.write([data])
        staged.publish()


@contextmanager
def far(directory: Path, server: Seaweed, bucket: str) -> Iterator[Far]:
    directory.mkdir()
    with fault_proxy(server.endpoint) as (address, plan):
        world = Far(directory, f"{bucket}/{os.urandom(6).hex()}", address, plan)
        try:
            yield world
        finally:
            plan.heal()
            world.stop()


@pytest.fixture
def world(tmp_path: Path, server: Seaweed, bucket: str) -> Iterator[Far]:
    with far(tmp_path / "d", server, bucket) as made:
        yield made


def test_what_is_stored_reads_back_cold_and_warm(world: Far) -> None:
    content = world.put(DATA)
    assert world.get(content) == DATA
    world.cool()
    assert world.get(content) == DATA
    assert world.get_pieces(content) == DATA


@pytest.mark.parametrize("start, length", [(0, 1), (MIB - 3, 7), (2 * MIB - 1, MIB + 2), (4 * MIB - 5, 5)])
def test_ranges_read_back_cold(world: Far, start: int, length: int) -> None:
    content = world.put(DATA)
    world.cool()
    assert world.get_pieces(content, start, length) == DATA[start : start + length]


def test_warm_raw_data_leaves_by_sendfile(world: Far) -> None:
    content = world.put(noise(900 * KIB, 3))
    with world.store.open_content(content) as opened:
        assert sum(piece.length for piece in opened.pieces() if isinstance(piece, FileRange)) > 800 * KIB


def test_the_same_data_is_stored_once(world: Far) -> None:
    world.put(DATA)
    before = world.store.content(world.put(DATA))
    assert before.new_length == 0


def test_an_upload_leaves_nothing_staged(world: Far) -> None:
    world.put(DATA)
    assert list((world.directory / "far" / "staging").iterdir()) == []


def test_an_upload_goes_on_while_its_last_segment_is_put(world: Far) -> None:
    world.options["timeout"] = "20"
    world.cool()
    data = noise(MIB + 200 * KIB, 7)
    world.plan.set("stall", "PUT", "segments")
    with world.store.begin(expected_size=len(data)) as ingest:
        ingest.write(data)
        ingest.flush()
        assert not world.names()
        world.plan.heal()
        sealed = ingest.seal()
        content = world.db.transact(lambda tx: world.index.commit(tx, sealed))
    assert world.get(content) == data


def test_blocks_that_come_again_while_their_segment_is_put_read_back(world: Far) -> None:
    data = noise(MIB + 200 * KIB, 11) * 3
    content = world.put(data)
    GarbageCollector(world.store, grace=0).run()
    assert world.get(content) == data
    assert list(verify(world.store)) == []


def test_an_upload_whose_earlier_segment_could_not_be_put_fails(world: Far) -> None:
    world.plan.set("500", "PUT", "segments", -1)
    with pytest.raises(Unavailable), world.store.begin(expected_size=2 * MIB) as ingest:
        ingest.write(noise(MIB + 200 * KIB, 8))
        ingest.flush()
        deadline = time.monotonic() + 20
        # The library tries twice.
        while world.plan.done < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        world.plan.heal()
        ingest.seal()
    assert list((world.directory / "far" / "staging").iterdir()) == []


def test_an_upload_that_is_given_up_leaves_nothing_staged_of_what_could_not_be_put(world: Far) -> None:
    world.plan.set("500", "PUT", "segments", -1)
    with world.store.begin(expected_size=2 * MIB) as ingest:
        ingest.write(noise(MIB + 200 * KIB, 10))
        ingest.flush()
    assert list((world.directory / "far" / "staging").iterdir()) == []


def test_an_upload_that_is_given_up_leaves_no_segment_that_was_being_put(world: Far) -> None:
    with world.store.begin(expected_size=2 * MIB) as ingest:
        ingest.write(noise(MIB + 200 * KIB, 9))
        ingest.flush()
    assert world.names() == set()


def test_deleted_data_leaves_the_bucket(world: Far) -> None:
    world.delete(world.put(DATA))
    world.collect()
    assert world.names() == set()


def test_thin_segments_are_rewritten(world: Far) -> None:
    gone, stays = world.put(noise(900 * KIB, 1)), noise(100 * KIB, 2)
    # One segment of both: the second upload's blocks are few.
    kept = world.put(noise(900 * KIB, 1)[: 200 * KIB] + stays)
    world.delete(gone)
    GarbageCollector(world.store, grace=0, live_percent=60).run()
    world.cool()
    assert world.get(kept) == noise(900 * KIB, 1)[: 200 * KIB] + stays
    assert list(verify(world.store)) == []


def test_the_bucket_alone_brings_all_back(world: Far) -> None:
    world.put(DATA, label=b"kept")
    world.delete(world.put(noise(MIB, 9) + DATA, label=b"gone"))
    GarbageCollector(world.store, grace=0, live_percent=0).run()
    world.lose_all()
    report = Rebuilder(world.store).run()
    assert not report.damage
    found = {row.label: world.get(row.id) for row in world.index.maintenance.contents()}
    assert found == {b"kept": DATA}
    assert list(verify(world.store)) == []


def test_a_database_refuses_another_bucket(world: Far, tmp_path: Path, server: Seaweed, bucket: str) -> None:
    with far(tmp_path / "other", server, bucket) as other:
        world.stop()
        place, world.place = world.place, other.place
        shutil.rmtree(world.directory / "far")
        with pytest.raises(Fatal, match="another blob store"):
            world.start()
        world.backend.close()
        world.db.close()
        world.place = place
        world.start()


def test_an_empty_bucket_in_place_of_a_full_one_is_refused(world: Far) -> None:
    world.put(DATA)
    world.stop()
    place, world.place = world.place, world.place + "/wrong"
    shutil.rmtree(world.directory / "far")
    with pytest.raises(Fatal, match="none of the data"):
        world.start()
    world.backend.close()
    world.db.close()
    world.place = place
    world.start()


def test_damage_in_the_bucket_is_found_and_healed(world: Far) -> None:
    content = world.put(noise(600 * KIB, 4))
    (name,) = world.names()
    world.hurt(name, 300 * KIB)
    world.cool()
    with pytest.raises(Corrupt):
        world.get(content)
    world.put(noise(600 * KIB, 4))
    assert world.get(content) == noise(600 * KIB, 4)


def test_a_scrub_finds_damage_behind_a_sound_cache(world: Far) -> None:
    world.put(noise(600 * KIB, 4))
    (name,) = world.names()
    path = next((world.directory / "far" / "cache").iterdir())
    sound = path.read_bytes()
    world.hurt(name, 300 * KIB)
    path.write_bytes(sound)
    assert len(Scrubber(world.store, interval=0).run().damaged_blocks) == 1


def test_a_damaged_cache_heals_itself(world: Far) -> None:
    content = world.put(noise(600 * KIB, 4))
    world.stop()
    path = next((world.directory / "far" / "cache").iterdir())
    data = bytearray(path.read_bytes())
    data[300 * KIB] ^= 1
    path.write_bytes(data)
    world.start()
    assert world.get_pieces(content) == noise(600 * KIB, 4)
    assert Scrubber(world.store, interval=0).run().damaged_blocks == []
    assert world.get_pieces(content) == noise(600 * KIB, 4)


def test_a_flipped_byte_on_the_wire_is_no_damage(world: Far) -> None:
    content = world.put(noise(600 * KIB, 4))
    world.cool()
    world.plan.set("flipped", "GET", "segments")
    assert world.get(content) == noise(600 * KIB, 4)
    assert world.plan.done == 1
    assert list(verify(world.store)) == []


@pytest.mark.parametrize("fault", ["reset", "stall", "503", "truncated"])
def test_a_read_from_a_dead_store_fails_without_a_verdict(world: Far, fault: str) -> None:
    content = world.put(noise(600 * KIB, 4))
    world.cool()
    world.plan.set(fault, "GET", times=-1)
    with pytest.raises(Unavailable):
        world.get(content)
    assert world.index.maintenance.damaged_blocks(10) == []


def test_a_scrub_of_a_dead_store_finds_no_damage(world: Far) -> None:
    world.put(DATA)
    world.plan.set("reset", times=-1)
    with pytest.raises(Unavailable):
        Scrubber(world.store, interval=0).run()
    assert world.index.maintenance.damaged_blocks(10) == []


def test_an_upload_to_a_dead_store_leaves_nothing(world: Far) -> None:
    world.plan.set("reset", "PUT", times=-1)
    with pytest.raises(Unavailable):
        world.put(DATA)
    assert list((world.directory / "far" / "staging").iterdir()) == []
    assert world.index.maintenance.contents() == []


def test_a_store_opens_while_its_bucket_is_away(world: Far) -> None:
    content = world.put(DATA)
    world.stop()
    world.plan.set("reset", times=-1)
    world.start()
    assert world.get(content) == DATA


def test_a_first_start_without_the_bucket_is_told(world: Far) -> None:
    world.stop()
    shutil.rmtree(world.directory / "far")
    world.plan.set("reset", times=-1)
    with pytest.raises(Fatal, match="can't be reached"):
        world.start()
    world.backend.close()
    world.db.close()
    world.plan.heal()
    world.start()
