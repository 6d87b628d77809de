"""Real processes on both sides of a feed, and `kill -9` of either while it is followed: it goes on where it was."""

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, Appliance
from tests.waiting import eventually

_RATE = 400_000


def run(directory: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "appliance.py"), *words, "--data-dir", str(directory)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(directory: Path, *words: str) -> Any:
    return json.loads(run(directory, *words, "-f", "json"))


def free_port() -> str:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return str(sock.getsockname()[1])


class Sites:
    """A centre with an image in a feed, and an edge that follows it slowly. Both keep their addresses."""

    def __init__(self, directory: Path, payload: bytes) -> None:
        self.payload = payload
        for name in ("center", "edge"):
            (directory / name).mkdir()
        self.center = Appliance(directory / "center/data", "--image-port", free_port())
        self.edge = Appliance(directory / "edge/data")
        center, edge = self.center.directory, self.edge.directory
        (directory / "disk").write_bytes(payload)
        formats = ("--disk-format", "raw", "--container-format", "bare", "--public")
        self.image = ask(center, "image", "create", "d", "--file", str(directory / "disk"), *formats)["id"]
        other = ask(edge, "peer", "show")
        run(center, "peer", "pair", "edge", "--fingerprint", other["fingerprint"], "--key", other["key"])
        run(center, "feed", "create", "golden", "--visibility", "public", "--reader", "edge")
        accepted = ("--fingerprint", ask(center, "peer", "show")["fingerprint"])
        run(edge, "peer", "pair", "center", "--url", self.center.image, *accepted)
        run(edge, "feed", "follow", "center", "golden", "--every", "1s", "--limit", str(_RATE))

    def came(self) -> int:
        status = ask(self.edge.directory, "sync", "status")
        return int(status[0]["bytes_came"]) if status else 0

    def is_there(self) -> bool:
        return [image["state"] for image in ask(self.edge.directory, "feed", "show", "golden")] == ["here"]

    def check(self, directory: Path) -> None:
        """The image is there and is what it was, and nothing is wrong with the edge."""
        run(self.edge.directory, "image", "save", self.image, "--file", str(directory / "saved"))
        assert (directory / "saved").read_bytes() == self.payload
        assert self.edge.stop() == 0
        assert "nothing is wrong" in run(self.edge.directory, "doctor", "--deep")
        self.edge.start()

    def stop(self) -> None:
        for one in (self.center, self.edge):
            if one.process.poll() is None:
                one.stop()


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    it = Sites(tmp_path, os.urandom(12_000_000))
    yield it
    it.stop()


@pytest.mark.slow
def test_a_killed_edge_goes_on_where_it_was(sites: Sites, tmp_path: Path) -> None:
    eventually(lambda: sites.came() > 15 * _RATE, 120)
    sites.edge.kill()
    sites.edge.start()
    eventually(sites.is_there, 120)
    # What had come in the first ten seconds did not come once more.
    assert sites.came() < len(sites.payload) - 5 * _RATE
    sites.check(tmp_path)


@pytest.mark.slow
def test_either_side_may_be_killed_at_any_moment(sites: Sites, tmp_path: Path) -> None:
    chance = random.Random(7)
    for number in range(6):
        time.sleep(chance.uniform(0.5, 6.0))
        victim = (sites.edge, sites.center)[number % 2]
        victim.kill()
        victim.start()
    eventually(sites.is_there, 180)
    sites.check(tmp_path)
