"""kill -9 at any moment, again and again on the same directory: nothing acknowledged is lost, nothing leaks."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from appliance.blobs.verify import verify
from appliance.errors import NotFound
from tests.blobs.victim import data_of
from tests.blobs.world import world_in

ROOT = Path(__file__).parents[2]


def run_and_kill(directory: Path, seed: int, wait: Callable[[], None]) -> list[list[str]]:
    """What a victim said before it was killed."""
    command = [sys.executable, "-m", "tests.blobs.victim", str(directory), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    victim = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    assert victim.stdout is not None
    with victim.stdout as lines:
        assert lines.readline() == "ready\n"
        wait()
        victim.send_signal(signal.SIGKILL)
        said = [line.split() for line in lines.read().split("\n")[:-1]]
    victim.wait()
    return said


def kill_over_and_over(directory: Path, times: int) -> None:
    luck = random.Random(times)
    kill_each_time(directory, [lambda: time.sleep(luck.uniform(0.1, 0.9))] * times)


def kill_each_time(directory: Path, waits: Sequence[Callable[[], None]], heal: Callable[[], object] = int) -> None:
    """One victim after the other on the same directory, each killed when its wait is over, then looked at."""
    stored: dict[int, int] = {}
    for turn, wait in enumerate(waits):
        doubtful: set[int] = set()
        said = run_and_kill(directory, turn, wait)
        heal()
        for word, first, *rest in said:
            if word == "stored":
                stored[int(first)] = int(rest[0])
            elif word == "deleting":
                doubtful = {int(first)}
            elif word == "deleted":
                del stored[int(first)]
        with world_in(directory) as world:
            for content, number in list(stored.items()):
                try:
                    assert world.get(content) == data_of(number)
                except NotFound:
                    assert content in doubtful, "an acknowledged upload is gone"
                    del stored[content]
            for row in world.index.maintenance.contents():
                # A commit that was not acknowledged any more may have happened; then it is whole.
                stored.setdefault(row.id, int(row.label))
                assert world.get(row.id) == data_of(int(row.label))
            world.collect()
            assert list(verify(world.store)) == [] and world.staged() == []
            assert not world.scrub().damaged_blocks


def test_a_killed_store_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    kill_over_and_over(tmp_path, 3)


@pytest.mark.slow
def test_a_store_killed_many_times_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    kill_over_and_over(tmp_path, 60)
