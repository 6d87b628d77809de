"""Room that somebody has missed: what is deleted is given back at once then."""

import shutil
from pathlib import Path

import pytest

from appliance.blobs.reserve import Reserve


class Time:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def reserve(tmp_path: Path, time: Time) -> Reserve:
    return Reserve(tmp_path, 0, clock=time)


def more_than_is_free(path: Path) -> int:
    usage = shutil.disk_usage(path)
    return (usage.free + usage.total) // 2


def test_room_is_not_short_unasked(reserve: Reserve) -> None:
    assert not reserve.is_short()


def test_room_is_short_once_somebody_has_missed_it(reserve: Reserve, tmp_path: Path) -> None:
    reserve.miss(more_than_is_free(tmp_path))
    assert reserve.is_short()


def test_room_that_is_there_by_now_is_not_short(reserve: Reserve) -> None:
    reserve.miss(1)
    assert not reserve.is_short()


def test_room_is_not_wanted_for_ever(reserve: Reserve, time: Time, tmp_path: Path) -> None:
    reserve.miss(more_than_is_free(tmp_path))
    time.now += 61_000_000
    assert not reserve.is_short()


def test_nobody_makes_room_for_what_the_disk_could_never_hold(reserve: Reserve, tmp_path: Path) -> None:
    reserve.miss(shutil.disk_usage(tmp_path).total + 1)
    assert not reserve.is_short()
