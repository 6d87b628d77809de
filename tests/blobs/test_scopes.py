"""Uploads reuse blocks of their own scope alone, and others have no part in what they cost; equal ones fold later."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.blobs.durable import Bytes, Disk
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.rebuild import Rebuilder
from appliance.blobs.verify import verify
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.registry import open_database
from appliance.values import KIB, MIB
from tests.blobs.world import World, noise, text, world_in


class Counting(Disk):
    """A disk that counts what it is asked to do."""

    def __init__(self) -> None:
        self.written = self.writes = self.syncs = 0

    def write(self, fd: int, parts: Sequence[Bytes]) -> int:
        written = super().write(fd, parts)
        self.written, self.writes = self.written + written, self.writes + 1
        return written

    def sync(self, fd: int) -> None:
        self.syncs += 1
        super().sync(fd)

    def work(self) -> tuple[int, int, int]:
        """What was done since the last call."""
        done = (self.written, self.writes, self.syncs)
        self.written = self.writes = self.syncs = 0
        return done


def put(world: World, data: bytes, scope: str) -> int:
    with world.store.begin(readable_by_caller=lambda content: True, scope=scope) as ingest:
        ingest.write(data)
        sealed = ingest.seal()
        return world.db.transact(lambda tx: world.index.commit(tx, sealed))


def rows(world: World) -> int:
    return world.index.maintenance.totals().blocks


def findings(world: World) -> list[str]:
    return [finding.text for finding in verify(world.store)]


MANY = noise(MIB, 7) + text(MIB, 7) + bytes(100 * KIB) + noise(200 * KIB, 8)


@pytest.mark.parametrize("folded", [False, True])
def test_what_another_scope_has_is_as_much_work_as_what_nobody_has(tmp_path: Path, folded: bool) -> None:
    disk = Counting()
    with world_in(tmp_path / "world", disk) as world:
        put(world, MANY, "theirs")
        put(world, noise(64 * KIB, 1), "mine")
        if folded:
            put(world, MANY, "third")
            world.collect()
        disk.work()
        put(world, MANY, "mine")
        stored_by_others = disk.work()
    with world_in(tmp_path / "fresh", disk) as fresh:
        put(fresh, noise(2 * MIB, 2), "theirs")
        put(fresh, noise(64 * KIB, 1), "mine")
        disk.work()
        put(fresh, MANY, "mine")
        assert disk.work() == stored_by_others


def test_the_own_scope_s_blocks_are_reused_at_once(tmp_path: Path) -> None:
    with world_in(tmp_path / "world") as world:
        put(world, MANY, "mine")
        before = world.stored()
        again = put(world, MANY, "mine")
        assert world.stored() - before < 8 * KIB
        assert world.get(again) == MANY


def test_a_lookup_visits_no_row_of_another_scope(tmp_path: Path) -> None:
    with world_in(tmp_path / "world") as world:
        plan = world.db.rows(
            "EXPLAIN QUERY PLAN SELECT id FROM blocks WHERE key IN (1, 2) AND scope = 1 AND store = 1 "
            "AND condemned_at IS NULL AND damaged_at IS NULL"
        )
        assert "blocks_key (key=? AND scope=?)" in plan[0]["detail"]


def test_equal_blocks_of_two_scopes_are_stored_once_in_the_end(tmp_path: Path) -> None:
    with world_in(tmp_path / "world") as world:
        put(world, MANY, "one")
        alone = world.stored()
        contents = [put(world, MANY, scope) for scope in ("two", "three")]
        assert world.stored() > 2.9 * alone
        steps = {step.what: step for step in world.collect()}
        assert steps["blocks folded"].count > 0
        assert world.stored() < 1.1 * alone
        assert [world.get(content) for content in contents] == [MANY, MANY]
        assert findings(world) == []
        totals = world.index.maintenance.totals()
        assert totals.saved_by_dedup > 1.9 * (totals.logical - totals.holes) / 3
        assert "blocks folded" not in {step.what for step in world.collect()}


def test_without_folding_scopes_share_nothing(tmp_path: Path) -> None:
    with world_in(tmp_path / "world") as world:
        put(world, MANY, "one")
        put(world, MANY, "two")
        before = world.stored()
        GarbageCollector(world.store, grace=0, fold=False).run()
        assert world.stored() == before


@pytest.mark.parametrize("gone", [0, 1])
def test_either_of_two_that_share_a_place_outlives_the_other(tmp_path: Path, gone: int) -> None:
    with world_in(tmp_path / "world") as world:
        contents = [put(world, MANY, "one"), put(world, MANY, "two")]
        world.collect()
        world.delete(contents[gone])
        world.collect()
        assert world.get(contents[1 - gone]) == MANY
        assert findings(world) == []
        world.delete(contents[1 - gone])
        world.collect()
        assert (world.segments(), rows(world)) == ([], 0)


def test_a_rewrite_keeps_what_is_shared_shared(tmp_path: Path) -> None:
    with world_in(tmp_path / "world") as world:
        shared, rest = noise(600 * KIB, 3), noise(2 * MIB, 4)
        big = put(world, shared + rest, "one")
        kept = [put(world, shared, scope) for scope in ("one", "two", "three")]
        world.collect()
        world.delete(big)
        world.collect()
        assert world.stored() < 700 * KIB
        assert [world.get(content) for content in kept] == [shared] * 3
        assert findings(world) == []


def test_a_copy_is_given_up_only_for_one_that_reads_well(tmp_path: Path) -> None:
    with world_in(tmp_path / "world") as world:
        data = noise(300 * KIB, 5)
        first = put(world, data, "one")
        (path,) = world.segments()
        damage(path)
        second = put(world, data, "two")
        world.collect()
        # The sound copy heals the damaged one instead.
        assert (world.get(first), world.get(second)) == (data, data)
        assert world.index.maintenance.damaged_blocks(9) == []
        assert findings(world) == []


def test_an_upload_heals_the_damaged_block_of_another_scope(tmp_path: Path) -> None:
    with world_in(tmp_path / "world") as world:
        data = noise(300 * KIB, 6)
        first = put(world, data, "one")
        (path,) = world.segments()
        damage(path)
        world.scrub()
        put(world, data, "two")
        assert world.get(first) == data
        assert findings(world) == []


def test_a_rebuild_brings_folded_contents_back(tmp_path: Path) -> None:
    with world_in(tmp_path / "world") as world:
        put(world, MANY, "one")
        put(world, MANY, "two")
        world.collect()
        world.stop()
        for path in world.directory.glob("appliance.db*"):
            path.unlink()
        world.db = open_database(world.directory / "appliance.db")
        world.index = BlockIndex(world.db)
        world.store.index = world.index
        world.store.open(lost_index=True)
        report = Rebuilder(world.store).run()
        assert [world.get(content) for content in sorted(report.contents)] == [MANY, MANY]


def damage(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = os.urandom(16)
        file.write(byte)
