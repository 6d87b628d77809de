"""Uploaders, deleters, readers and a collector without grace at the same time: no failed read, no leaked byte."""

import random
import threading
import time
from pathlib import Path

import pytest

from appliance.blobs.block_writer import Limits
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.verify import verify
from appliance.errors import NotFound
from appliance.values import KIB
from tests.blobs.world import World, noise, text, world_in

PARTS = [noise(150 * KIB, seed) for seed in range(6)] + [text(120 * KIB, seed) for seed in range(4)] + [bytes(80 * KIB)]


class Soak:
    """What the threads share: which contents are there and what they must read as."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lock = threading.Lock()
        self.contents: dict[int, bytes] = {}
        self.errors: list[BaseException] = []
        self.done = threading.Event()

    def guarded(self, name: str, seed: int) -> None:
        luck = random.Random(seed)
        try:
            while not self.done.is_set():
                getattr(self, name)(luck)
        except BaseException as error:
            self.errors.append(error)
            self.done.set()

    def upload(self, luck: random.Random) -> None:
        data = b"".join(luck.choices(PARTS, k=luck.randint(1, 9)))
        content = self.world.put(data, chunk=luck.choice([64 * KIB, 300 * KIB]))
        with self.lock:
            self.contents[content] = data

    def delete(self, luck: random.Random) -> None:
        with self.lock:
            chosen = luck.choice(list(self.contents)) if len(self.contents) > 6 else None
            if chosen is not None:
                del self.contents[chosen]
        if chosen is not None:
            self.world.delete(chosen)
        else:
            time.sleep(0.002)

    def read(self, luck: random.Random) -> None:
        with self.lock:
            if not self.contents:
                return
            content, data = luck.choice(list(self.contents.items()))
        try:
            start = luck.randrange(len(data))
            read = luck.choice([self.world.get, self.world.get_pieces])
            assert read(content, start) == data[start:], "a read returned other bytes"
        except NotFound:
            with self.lock:
                assert content not in self.contents, "a stored content was not found"

    def collect(self, luck: random.Random) -> None:
        GarbageCollector(self.world.store, grace=0, live_percent=luck.choice([0, 50, 95])).run()


def soak(tmp_path: Path, seconds: float) -> None:
    with world_in(tmp_path, limits=Limits(segment=400 * KIB, items=40)) as world:
        shared = Soak(world)
        threads = [
            threading.Thread(target=shared.guarded, args=(name, seed))
            for seed, name in enumerate(["upload"] * 3 + ["delete"] * 2 + ["read"] * 2 + ["collect"])
        ]
        for thread in threads:
            thread.start()
        shared.done.wait(seconds)
        shared.done.set()
        for thread in threads:
            thread.join()
        if shared.errors:
            raise shared.errors[0]
        world.collect()
        for content, data in shared.contents.items():
            assert world.get(content) == data
        assert list(verify(world.store)) == []
        assert not world.scrub().damaged_blocks
        for content in shared.contents:
            world.delete(content)
        world.collect()
        assert world.segments() == [] and world.staged() == []
        assert world.index.maintenance.totals().blocks == 0


def test_a_soak_loses_nothing_and_leaks_nothing(tmp_path: Path) -> None:
    soak(tmp_path, 3)


@pytest.mark.slow
def test_a_long_soak_loses_nothing_and_leaks_nothing(tmp_path: Path) -> None:
    soak(tmp_path, 180)
