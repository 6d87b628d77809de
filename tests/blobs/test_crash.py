"""Loss of power after every prefix of recorded operations: what was acknowledged is there, what was deleted is not."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.blobs.backends.local import LocalBackend
from appliance.blobs.block_writer import Limits
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.store import BlobStore
from appliance.db.blocks.index import BlockIndex
from appliance.errors import NotFound
from appliance.values import KIB, MIB
from tests.blobs.disks import AfterCrash, Op, RecordingDatabase, RecordingDisk, crash
from tests.blobs.world import World, noise, text, world_in

DATA = {
    "a": noise(200 * KIB, 1) + bytes(64 * KIB) + text(100 * KIB),
    "b": noise(200 * KIB, 1) + noise(150 * KIB, 2),
    "c": noise(3 * MIB, 3),
    "d": noise(3 * MIB, 3)[: 2 * MIB] + noise(300 * KIB, 4),
    "e": bytes(MIB),
    "f": text(900 * KIB, 2),
}


class Recorded(World):
    """A store whose every operation is written down."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.recorder = RecordingDisk(directory)
        copies = directory / "copies"
        copies.mkdir()
        self.db = RecordingDatabase(directory / "appliance.db", self.recorder, copies)
        self.index = BlockIndex(self.db)
        self.ids: dict[str, int] = {}
        self.store = BlobStore(
            LocalBackend(directory / "blobs", self.recorder), self.index, limits=Limits(segment=512 * KIB, items=200)
        )
        self.store.open()
        self.recorder.note(Op("opened"))

    def upload(self, name: str) -> None:
        self.recorder.note(Op("begin", name))
        self.ids[name] = self.put(DATA[name])
        self.recorder.note(Op("stored", name, str(self.ids[name])))

    def remove(self, name: str) -> None:
        self.recorder.note(Op("removing", name))
        self.delete(self.ids[name])
        self.recorder.note(Op("deleted", name))


def uploads_and_deletes(world: Recorded) -> None:
    world.upload("a")
    world.upload("b")
    world.remove("a")
    GarbageCollector(world.store, grace=0).run()
    world.upload("e")
    world.remove("b")
    world.upload("a")
    GarbageCollector(world.store, grace=0).run()


def many_segments(world: Recorded) -> None:
    world.upload("c")
    world.upload("d")
    world.remove("c")
    GarbageCollector(world.store, grace=0, live_percent=90).run()
    world.remove("d")
    GarbageCollector(world.store, grace=0).run()


def packed(world: Recorded) -> None:
    world.upload("b")
    world.upload("f")
    GarbageCollector(world.store, grace=0, recompress_after=-1).run()
    world.upload("a")
    world.remove("f")
    GarbageCollector(world.store, grace=0, recompress_after=-1, live_percent=90).run()


SCENARIOS: dict[str, Callable[[Recorded], None]] = {
    "uploads and deletes": uploads_and_deletes,
    "many segments": many_segments,
    "packed": packed,
}


def check(root: Path, state: AfterCrash, past: list[Op]) -> None:
    """Start on what the crash left, and compare with what clients were told."""
    root.mkdir()
    state.put(root)
    stored: dict[str, int] = {}
    doubtful: set[str] = set()
    for op in past:
        if op.kind == "stored":
            stored[op.path] = int(op.other)
        elif op.kind == "removing":
            doubtful.add(op.path)
        elif op.kind == "deleted":
            doubtful.discard(op.path)
            gone = stored.pop(op.path)
            stored[f"{op.path} {gone}"] = -gone
    with world_in(root) as world:
        for _ in range(2):
            for name, content in stored.items():
                if content < 0:
                    with pytest.raises(NotFound):
                        world.get(-content)
                elif name not in doubtful:
                    assert world.get(content) == DATA[name], f"{name} was acknowledged and is not whole"
            known = {row.id for row in world.index.maintenance.contents()}
            assert len(known - {abs(content) for content in stored.values()}) <= 1, "an upload appeared from nowhere"
            report = world.scrub()
            assert not report.damaged_blocks and not report.damaged_segments
            world.collect()
    shutil.rmtree(root)


def run(tmp_path: Path, scenario: str, step: int, losses: tuple[str, ...], seeds: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    world = Recorded(home)
    try:
        SCENARIOS[scenario](world)
    finally:
        world.stop()
    log = world.recorder.log
    opened = next(number for number, op in enumerate(log) if op.kind == "opened")
    turn = 0
    for length in range(opened, len(log) + 1, step):
        for loss in losses:
            for seed in range(seeds if loss == "some" else 1):
                turn += 1
                state = crash(log[:length], random.Random(f"{length} {seed}"), loss)
                check(tmp_path / f"state-{turn}", state, log[:length])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_loss_of_power_loses_nothing_acknowledged(tmp_path: Path, scenario: str) -> None:
    run(tmp_path, scenario, 4, ("all", "some"), 1)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_loss_of_power_at_any_operation_loses_nothing_acknowledged(tmp_path: Path, scenario: str) -> None:
    run(tmp_path, scenario, 1, ("all", "none", "some"), 6)
