"""The buffers of uploads: every stage sees all bytes in order, failures surface, memory is bounded."""

import queue
import threading
from collections.abc import Sequence

import pytest

from appliance.blobs.block_writer import SCRATCH
from appliance.blobs.pipeline import SLABS, SURE, Buffers, Pipeline, Slab, Work
from appliance.values import MIB
from tests.blobs.world import World, noise


class Seen:
    """A hash that remembers what it saw."""

    def __init__(self) -> None:
        self.data = bytearray()

    def __call__(self, data: memoryview) -> None:
        self.data += data


class Storing:
    """A stage that stores nothing, and has everything hashed."""

    pipeline: Pipeline

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = 0

    def __call__(self, slab: Slab) -> None:
        assert not self.ended
        end = SCRATCH + slab.filled
        self.data += slab.data[SCRATCH:end]
        self.pipeline.hash(slab, SCRATCH, end)

    def end(self) -> None:
        self.ended += 1


def pipeline_of(hashes: Sequence[Work], buffers: Buffers | None = None) -> tuple[Pipeline, Storing]:
    storing = Storing()
    storing.pipeline = Pipeline(storing, storing.end, hashes, buffers or Buffers())
    return storing.pipeline, storing


def _wait(event: threading.Event) -> None:
    event.wait()


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
    seen = (Seen(), Seen())
    pipeline, storing = pipeline_of(seen)
    feed(pipeline, parts)
    assert [bytes(stage.data) for stage in (storing, *seen)] == [b"".join(parts)] * 3
    pipeline.finish(None)
    assert storing.ended == 1


def test_what_a_stage_raises_reaches_whoever_feeds() -> None:
    def broken(data: memoryview) -> None:
        raise ZeroDivisionError

    pipeline, storing = pipeline_of([Seen(), broken])
    with pytest.raises(ZeroDivisionError):
        feed(pipeline, [b"part"] * 30)
    pipeline.cancel()
    assert not storing.ended


@pytest.mark.parametrize("count", [1, 30])
def test_what_the_end_raises_reaches_whoever_feeds(count: int) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    pipeline = Pipeline(lambda slab: None, broken, [Seen()], Buffers())
    with pytest.raises(ZeroDivisionError):
        feed(pipeline, [b"part"] * count)
    pipeline.cancel()


def test_an_upload_waits_for_a_slow_stage_with_few_buffers() -> None:
    slow = threading.Event()
    pipeline, _ = pipeline_of([lambda data: _wait(slow)])
    taken = [pipeline.take() for _ in range(SLABS)]
    for slab in taken:
        pipeline.put(slab)
    waiter = threading.Thread(target=pipeline.take)
    waiter.start()
    waiter.join(0.05)
    assert waiter.is_alive(), "one buffer too many was given out"
    slow.set()
    waiter.join()
    pipeline.cancel()


def test_uploads_share_what_is_spare_and_give_it_back() -> None:
    buffers = Buffers(spare=1)
    greedy, _ = pipeline_of([Seen()], buffers)
    for _ in range(SURE + 1):
        greedy.take()
    home: queue.SimpleQueue[Slab] = queue.SimpleQueue()
    assert buffers.take(home, is_sure=False) is None
    greedy.cancel()
    greedy.cancel()
    assert buffers.take(home, is_sure=False) and not buffers.take(home, is_sure=False)
    assert buffers.take(home)


def test_a_buffer_that_is_being_filled_is_never_given_to_another_upload() -> None:
    buffers = Buffers()
    given_up, _ = pipeline_of([Seen()], buffers)
    held = given_up.take()
    parts = [given_up.take() for _ in range(3)]
    for slab in parts:
        slab.filled = 1
        given_up.put(slab)
    given_up.cancel()
    next_one, _ = pipeline_of([Seen()], buffers)
    others = [next_one.take() for _ in range(SLABS)]
    assert held not in others
    assert any(slab in parts for slab in others), "buffers are used again"
    assert all(slab.filled == 0 for slab in others)
    next_one.cancel()


def test_whoever_waits_for_a_buffer_is_told_when_another_thread_gives_the_upload_up() -> None:
    """And so is whoever comes for one at that very moment: none of them may wait for buffers that went elsewhere."""
    slow = threading.Event()
    pipeline, _ = pipeline_of([lambda data: _wait(slow)])
    for slab in [pipeline.take() for _ in range(SLABS)]:
        pipeline.put(slab)
    told: list[BaseException] = []

    def wait() -> None:
        try:
            pipeline.take()
        except RuntimeError as error:
            told.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    giving_up = threading.Thread(target=pipeline.cancel)
    giving_up.start()
    slow.set()
    giving_up.join()
    waiter.join(10)
    assert not waiter.is_alive() and len(told) == 1


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
    assert len(contents) == 12 and world.store.gc_guard.ingests() == 0
