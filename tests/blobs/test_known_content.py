"""Uploads that are, or nearly are, what is stored already: their digests are right, however much was not hashed."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.blobs.index import Sealed
from appliance.blobs.pipeline import SLAB, Pipeline
from appliance.errors import RangeNotSatisfiable, Unavailable
from appliance.values import KIB, MIB
from tests.blobs.world import World, noise, world_in

SLABS_4 = 4 * SLAB


@pytest.fixture
def hashing_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether hashing or storing is faster depends on the machine; here hashing never is."""
    monkeypatch.setattr(Pipeline, "hashing_is_slowest", True)


@pytest.fixture
def crawling(hashing_is_slow: None, world: World) -> World:
    """A store that hashes only what it has to."""
    return world


def put(
    world: World,
    data: bytes,
    *,
    readable_by_caller: Callable[[int], bool] | None = lambda content: True,
    algorithm: str = "sha512",
    size: int | None = None,
) -> tuple[int, Sealed, int]:
    """The content, what was sealed, and how many bytes were not hashed. Checks all that can be checked."""
    with world.store.begin(
        hash_algorithm=algorithm, readable_by_caller=readable_by_caller, expected_size=size
    ) as ingest:
        for start in range(0, len(data), 700 * KIB):
            ingest.write(data[start : start + 700 * KIB])
        sealed = ingest.seal(b"label")
        content = world.db.transact(lambda tx: world.index.commit(tx, sealed))
        unhashed = ingest.unhashed
    assert sealed.md5 == hashlib.md5(data).hexdigest()
    assert sealed.hash_value == hashlib.new(algorithm, data).hexdigest()
    assert world.get(content) == data
    return content, sealed, unhashed


QCOW2 = b"QFI\xfb" + noise(6 * MIB)
WHOLE = {
    "plain": noise(SLABS_4 + 5),
    "whole buffers": noise(SLABS_4),
    "begins with a hole": bytes(3 * MIB + 8 * KIB) + noise(SLABS_4),
    "ends with a hole": noise(SLABS_4) + bytes(5 * MIB + 1),
    "a long hole inside": noise(2 * SLAB + 100) + bytes(3 * SLAB) + noise(SLAB),
    "compressed container": QCOW2,
    "small": noise(100 * KIB),
}


@pytest.mark.parametrize("name", WHOLE)
def test_an_image_that_comes_again_is_recognized(name: str, crawling: World) -> None:
    data = WHOLE[name]
    put(crawling, data)
    _, _, unhashed = put(crawling, data)
    assert unhashed > len(data) // 2 or name == "small"


def changed(data: bytes, at: int, by: bytes) -> bytes:
    return data[:at] + by + data[at + len(by) :]


BASE = noise(3 * SLAB) + bytes(2 * SLAB + 64 * KIB) + noise(3 * SLAB, 1)
PARTING = {
    "the first byte": changed(BASE, 0, b"!"),
    "a byte in the first buffer": changed(BASE, MIB, b"!"),
    "a byte in the third buffer": changed(BASE, 2 * SLAB + 7, b"!"),
    "around the end of a buffer": changed(BASE, 2 * SLAB - 3, b"!!!!!!"),
    "where the hole begins": changed(BASE, 3 * SLAB, b"!"),
    "inside the hole": changed(BASE, 4 * SLAB, b"!"),
    "where the hole ends": changed(BASE, 5 * SLAB + 64 * KIB - 1, b"!"),
    "the last byte": BASE[:-1] + b"!",
    "longer": BASE + b"!",
    "longer by a buffer": BASE + noise(SLAB, 3),
    "longer by a hole": BASE + bytes(3 * SLAB),
    "shorter": BASE[:-1],
    "ends inside the hole": BASE[: 4 * SLAB],
    "ends where the hole begins": BASE[: 3 * SLAB],
    "a longer hole": BASE[: 4 * SLAB] + bytes(SLAB) + BASE[4 * SLAB :],
    "a shorter hole": BASE[: 3 * SLAB] + BASE[4 * SLAB :],
    "a hole in front": bytes(SLAB) + BASE,
    "a hole in place of a block": changed(BASE, SLAB, bytes(MIB)),
    "no bytes": b"",
}


@pytest.mark.parametrize("name", PARTING)
def test_an_upload_that_parts_from_what_is_stored_is_hashed_whole(name: str, crawling: World) -> None:
    put(crawling, BASE)
    _, _, unhashed = put(crawling, PARTING[name])
    assert unhashed == 0


def test_of_several_that_begin_alike_the_right_one_is_found(crawling: World) -> None:
    for data in (BASE, *PARTING.values()):
        put(crawling, data)
    for name in ("the last byte", "longer by a buffer", "inside the hole", "shorter"):
        data = PARTING[name]
        assert put(crawling, data)[2] > 0
        assert put(crawling, data, size=len(data))[2] > 0
    # A wrong size is no harm: the client may have lied.
    assert put(crawling, BASE, size=1)[2] == 0


_PART = st.one_of(
    st.tuples(st.just("noise"), st.integers(1, 3 * MIB), st.integers(0, 2)),
    st.tuples(st.just("zeros"), st.integers(1, 3 * MIB), st.just(0)),
)


def _made(parts: list[tuple[str, int, int]]) -> bytes:
    return b"".join(noise(length, seed) if kind == "noise" else bytes(length) for kind, length, seed in parts)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(_PART, max_size=4),
    mine=st.lists(_PART, max_size=3),
    yours=st.lists(_PART, max_size=3),
    after=st.lists(_PART, max_size=2),
)
def test_digests_are_right_whatever_two_images_share(
    before: list[tuple[str, int, int]],
    mine: list[tuple[str, int, int]],
    yours: list[tuple[str, int, int]],
    after: list[tuple[str, int, int]],
    hashing_is_slow: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with world_in(tmp_path_factory.mktemp("world")) as world:
        put(world, _made(before + mine + after))
        put(world, _made(before + yours + after))
        put(world, _made(before + mine + after))


def test_nothing_is_recognized_that_the_uploader_may_not_know_of(crawling: World) -> None:
    stored, _, _ = put(crawling, BASE)
    asked: list[int] = []

    def deny(content: int) -> bool:
        asked.append(content)
        return False

    assert put(crawling, BASE, readable_by_caller=deny)[2] == 0
    assert asked == [stored]
    assert put(crawling, BASE, readable_by_caller=None)[2] == 0


def test_another_hash_algorithm_needs_to_be_computed(crawling: World) -> None:
    put(crawling, BASE, algorithm="sha256")
    assert put(crawling, BASE)[2] == 0
    assert put(crawling, BASE)[2] > 0


def flip(path: Path, needle: bytes) -> None:
    """Change one bit of stored data, as a disk does: nobody is told."""
    with path.open("r+b") as file:
        at = file.read().index(needle)
        file.seek(at)
        file.write(bytes([needle[0] ^ 1]))


def test_an_upload_never_borrows_digests_of_damaged_data(crawling: World) -> None:
    stored, _, _ = put(crawling, BASE)
    flip(crawling.segments()[0], BASE[SLAB : SLAB + 32])
    crawling.scrub()
    assert put(crawling, BASE)[2] == 0
    # The upload has brought the damaged block anew: both are whole.
    assert crawling.get(stored) == BASE
    assert put(crawling, BASE)[2] > 0


def test_damage_found_when_an_upload_parts_fails_it_once(crawling: World) -> None:
    put(crawling, BASE)
    flip(crawling.segments()[0], BASE[SLAB : SLAB + 32])
    with pytest.raises(Unavailable, match="send it again"):
        put(crawling, PARTING["the last byte"])
    put(crawling, PARTING["the last byte"])


def test_what_an_upload_follows_stays_until_the_upload_has_ended(crawling: World) -> None:
    stored, _, _ = put(crawling, BASE)
    parted = PARTING["the last byte"]
    with crawling.store.begin(readable_by_caller=lambda content: True) as ingest:
        ingest.write(parted[: 4 * SLAB])
        crawling.delete(stored)
        crawling.collect()
        ingest.write(parted[4 * SLAB :])
        sealed = ingest.seal()
        content = crawling.db.transact(lambda tx: crawling.index.commit(tx, sealed))
    assert sealed.md5 == hashlib.md5(parted).hexdigest()
    assert crawling.get(content) == parted
    crawling.collect()
    assert crawling.index.content(stored) is None and crawling.get(content) == parted


def test_an_upload_that_is_given_up_lets_go_of_what_it_followed(crawling: World) -> None:
    stored, _, _ = put(crawling, BASE)
    with crawling.store.begin(readable_by_caller=lambda content: True) as ingest:
        ingest.write(BASE[: 4 * SLAB])
    assert not crawling.store.gc_guard.is_read(stored)


def test_many_at_once_are_recognized(world: World) -> None:
    """At the machine's own pace: hashed in part or not at all."""
    put(world, BASE)
    threads = [threading.Thread(target=put, args=(world, BASE)) for _ in range(4)]
    threads += [threading.Thread(target=put, args=(world, data)) for data in list(PARTING.values())[::4]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.store.gc_guard.ingests() == 0


def test_a_content_can_be_read_from_another_place_on(world: World) -> None:
    stored = world.put(BASE)
    with world.store.open_content(stored, MIB, 5 * MIB) as content:
        assert content.read(10) == BASE[MIB : MIB + 10]
        content.seek(2 * MIB + 3)
        assert content.read(2 * MIB) == BASE[3 * MIB + 3 : 5 * MIB + 3]
        content.seek(0)
        assert content.read() == BASE[MIB : 6 * MIB]
        content.seek(5 * MIB)
        assert content.read() == b""
        with pytest.raises(RangeNotSatisfiable):
            content.seek(5 * MIB + 1)
