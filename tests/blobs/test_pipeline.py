"""The buffers of uploads: every stage sees all bytes in order, failures surface, memory is bounded."""

import threading

import pytest

from appliance.blobs.block_writer import SCRATCH
from appliance.blobs.pipeline import SLABS, SURE, Buffers, Pipeline
from appliance.values import MIB
from tests.blobs.world import World, noise


class Seen:
    """A stage that remembers what it saw."""

    def __init__(self) -> None:
        self.data = bytearray()

    def __call__(self, buffer: bytearray, start: int, end: int) -> None:
        self.data += buffer[start:end]


def feed(pipeline: Pipeline, parts: list[bytes]) -> None:
    for part in parts[:-1]:
        slab = pipeline.take()
        slab.data[SCRATCH : SCRATCH + len(part)] = part
        slab.filled = len(part)
        pipeline.put(slab)
    slab = pipeline.take()
    slab.data[SCRATCH : SCRATCH + len(parts[-1])] = parts[-1]
    slab.filled = len(parts[-1])
    pipeline.finish(slab)


@pytest.mark.parametrize("count", [1, 2, 30])
def test_every_stage_sees_all_bytes_in_order(count: int) -> None:
    parts = [noise(1000 + number, number) for number in range(count)]
    stages = [Seen(), Seen(), Seen()]
    feed(Pipeline(stages, Buffers()), parts)
    assert [bytes(stage.data) for stage in stages] == [b"".join(parts)] * 3


def test_what_a_stage_raises_reaches_whoever_feeds() -> None:
    def broken(buffer: bytearray, start: int, end: int) -> None:
        raise ZeroDivisionError

    pipeline = Pipeline([Seen(), broken], Buffers())
    with pytest.raises(ZeroDivisionError):
        feed(pipeline, [b"part"] * 30)
    pipeline.cancel()


def test_an_upload_waits_for_a_slow_stage_with_few_buffers() -> None:
    slow = threading.Event()
    pipeline = Pipeline([lambda *_: bool(slow.wait())], Buffers())
    taken = [pipeline.take() for _ in range(SLABS)]
    for slab in taken:
        pipeline.put(slab)
    waiter = threading.Thread(target=pipeline.take)
    waiter.start()
    waiter.join(0.05)
    assert waiter.is_alive(), "a sixth buffer was given out"
    slow.set()
    waiter.join()
    pipeline.cancel()


def test_uploads_share_what_is_spare_and_give_it_back() -> None:
    buffers = Buffers(spare=1)
    greedy = Pipeline([Seen()], buffers)
    for _ in range(SURE + 1):
        greedy.take()
    assert not buffers.take()
    greedy.cancel()
    greedy.cancel()
    assert buffers.take() and not buffers.take()


def test_many_uploads_at_once_all_end_well(world: World) -> None:
    contents: dict[int, int] = {}

    def upload(seed: int) -> None:
        contents[seed] = world.put(noise(5 * MIB, seed % 3) + noise(MIB, seed))

    threads = [threading.Thread(target=upload, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, content in contents.items():
        assert world.get(content) == noise(5 * MIB, seed % 3) + noise(MIB, seed)
    assert len(contents) == 12 and world.store.liveness.ingests() == 0
