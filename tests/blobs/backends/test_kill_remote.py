"""kill -9 while segments go to, or leave, a real SeaweedFS: nothing acknowledged is lost, nothing leaks."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.blobs.backends.fault_proxy import Plan, fault_proxy
from tests.blobs.backends.seaweed import KEY, SECRET, Seaweed
from tests.blobs.test_kill import kill_each_time, kill_over_and_over

PHASES = {
    "putting a segment": ("PUT", "segments"),
    "looking at its size": ("HEAD", "segments"),
    "reading it back": ("GET", "segments"),
    "noting a deletion": ("PUT", "deleted"),
    "deleting a segment": ("POST", "delete"),
}


def use(monkeypatch: pytest.MonkeyPatch, endpoint: str, bucket: str) -> None:
    options = {"endpoint": endpoint, "access_key": KEY, "secret_key": SECRET, "timeout": "30"}
    monkeypatch.setenv("TEST_STORE_URL", f"s3://{bucket}/{os.urandom(6).hex()}")
    monkeypatch.setenv("TEST_STORE_OPTIONS", ",".join(f"main:{name}={value}" for name, value in options.items()))


def struck(plan: Plan, method: str, path: str) -> Callable[[], None]:
    """Let the network die in that phase, and wait until it has met somebody."""

    def wait() -> None:
        time.sleep(0.5)
        plan.set("stall", method, path, -1)
        deadline = time.monotonic() + 60
        while not plan.done and time.monotonic() < deadline:
            time.sleep(0.01)
        assert plan.done

    return wait


@pytest.mark.parametrize("after", [False, True], ids=["before the server hears of it", "after it has done it"])
@pytest.mark.parametrize("phase", PHASES)
def test_a_store_killed_in_each_phase_keeps_what_it_acknowledged(
    tmp_path: Path, server: Seaweed, bucket: str, monkeypatch: pytest.MonkeyPatch, phase: str, after: bool
) -> None:
    with fault_proxy(server.endpoint) as (address, plan):
        use(monkeypatch, address, bucket)
        plan.answers_before_stall = after
        kill_each_time(tmp_path, [struck(plan, *PHASES[phase])], plan.heal)


@pytest.mark.backends
def test_a_store_killed_many_times_keeps_what_it_acknowledged(
    tmp_path: Path, server: Seaweed, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, server.endpoint, bucket)
    kill_over_and_over(tmp_path, 20)
