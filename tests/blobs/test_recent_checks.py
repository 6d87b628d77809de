"""Runs that leave as file ranges are not checked for each reader, and are never trusted for long."""

from pathlib import Path

import pytest

from appliance.blobs import block_reader
from appliance.blobs.block_reader import RecentChecks
from appliance.errors import Corrupt
from appliance.values import MIB
from tests.blobs.test_scrub import flip
from tests.blobs.world import World, noise, text, world_in

DATA = noise(5 * MIB)
SECONDS = 300


class Monotonic:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def checks_at(clock: Monotonic) -> RecentChecks:
    return RecentChecks(SECONDS, clock)


def rotten(world: World) -> int:
    """A content that was read, and then rotted on the disk."""
    content = world.put(DATA)
    assert world.get_pieces(content) == DATA
    flip(world.segments()[0], 3 * MIB)
    return content


def test_a_run_is_checked_again_when_its_time_is_over(tmp_path: Path) -> None:
    clock = Monotonic()
    with world_in(tmp_path / "world", checks=checks_at(clock)) as world:
        content = rotten(world)
        clock.at += SECONDS
        with pytest.raises(Corrupt):
            world.get_pieces(content)


def test_a_run_is_not_read_for_each_reader(tmp_path: Path) -> None:
    """Seen by what a disk does behind everybody's back: the change stays unseen for a while."""
    with world_in(tmp_path / "world", checks=checks_at(Monotonic())) as world:
        content = rotten(world)
        assert len(world.get_pieces(content)) == len(DATA)
        # Whoever reads into memory checks all the same, and what that finds ends the trust.
        with pytest.raises(Corrupt):
            world.get(content)
        with pytest.raises(Corrupt):
            world.get_pieces(content)


def test_without_seconds_every_read_is_checked(tmp_path: Path) -> None:
    with world_in(tmp_path / "world", checks=RecentChecks(0)) as world, pytest.raises(Corrupt):
        world.get_pieces(rotten(world))


def test_damage_that_the_scrub_finds_ends_the_trust(tmp_path: Path) -> None:
    with world_in(tmp_path / "world", checks=checks_at(Monotonic())) as world:
        content = rotten(world)
        assert world.scrub().damaged_blocks
        with pytest.raises(Corrupt):
            world.get_pieces(content)


def test_trusted_runs_are_the_right_bytes_in_every_range(tmp_path: Path) -> None:
    data = DATA[: 2 * MIB] + bytes(MIB) + text(MIB) + DATA[2 * MIB :]
    with world_in(tmp_path / "world", checks=checks_at(Monotonic())) as world:
        content = world.put(data)
        for start, length in [(0, len(data)), (0, len(data)), (1, MIB), (1, MIB), (0, 100), (7, 5 * MIB), (7, 5 * MIB)]:
            assert world.get_pieces(content, start, length) == data[start : start + length]


def test_a_run_lives_no_longer_than_it_should_whenever_it_is_asked_for() -> None:
    for step in (1.0, 7.0, 40.0, 149.0, 151.0, 299.0):
        clock = Monotonic()
        checks = checks_at(clock)
        checks.add("first", 0, 1)
        began = clock.at
        while clock.at - began < 2 * SECONDS:
            assert not checks.has("first", 0, 1) or clock.at - began < SECONDS
            checks.add(f"at {clock.at}", 0, 1)
            clock.at += step


def test_a_run_is_trusted_for_half_of_its_time_at_least() -> None:
    clock = Monotonic()
    checks = checks_at(clock)
    for _ in range(50):
        clock.at += 37
        checks.add("run", 0, 1)
        clock.at += SECONDS / 2 - 1
        assert checks.has("run", 0, 1)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_reader, "_MOST", 10)
    checks = checks_at(Monotonic())
    for number in range(35):
        checks.add("run", number, 1)
    known = [number for number in range(35) if checks.has("run", number, 1)]
    assert known == list(range(20, 35))
    assert not checks.has("run", 34, 2) and not checks.has("other", 34, 1)
