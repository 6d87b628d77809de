"""How many times real Glance and Keystone the appliance is. Prints ratios, medians of several rounds.

    python -m bench.peers [--rounds 3] [--size-mib 256] [--images 100] [--binary PATH]

Makes .venv-peers from packaging/peers.txt if it is not there. The peers run under uwsgi with a process for each
processor, SQLite, Fernet tokens and a file store; theirs and ours are asked for the same, one after the other, in
each round.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from appliance.values import MIB
from bench.cloud import CROWDS, ratio, seconds
from bench.peers.servers import CannotServe, Peers
from bench.service import Served, served

ENVIRONMENT = Path(".venv-peers")
# Seconds that one load of kept clients lasts.
_SPAN = 2.0
_PINS = Path("packaging/peers.txt")

Figures = dict[str, tuple[list[float], list[float]]]
"""What was measured, more being better: ours and theirs, round by round."""


def transfers(ours: Served, theirs: Peers, size: int, note: Callable[[str, float, float], None]) -> None:
    """One round of an upload, the same again, and downloads; of an image that packs well, too."""
    data = os.urandom(size)
    text = b"".join(b"line %d of something that compresses\n" % n for n in range(size // 40 // 64)) * 64
    found: list[list[float]] = []
    for cloud in (ours, theirs):
        image, first = cloud.upload(data)
        again, second = cloud.upload(data)
        down = [cloud.download(image, size) for _ in range(2)]
        packed, _ = cloud.upload(text)
        unpacked = cloud.download(packed, len(text)) * size / len(text)
        found.append([size / MIB / each for each in (first, second, *down, unpacked)])
        cloud.delete(image, again, packed)
    names = ("upload", "the same image again", "first download", "second download", "download of lz4 blocks")
    for name, mine, other in zip(names, *found, strict=True):
        note(f"{name}, MiB/s", mine, other)


def metadata(ours: Served, theirs: Peers, made: list[list[str]], note: Callable[[str, float, float], None]) -> None:
    """One round of lists, shows and tokens."""
    found: list[list[float]] = []
    for cloud, images in zip((ours, theirs), made, strict=True):
        found.append(
            [
                cloud.rate(cloud.image, "GET", "/v2/images?limit=25", 100),
                cloud.rate(cloud.image, "GET", f"/v2/images/{images[0]}", 200),
                cloud.rate(cloud.identity, "GET", "/v3/auth/tokens", 200),
                5 / seconds(lambda cloud=cloud: [cloud.issue() for _ in range(5)]),  # type: ignore[misc]
            ]
        )
    names = ("list of 25", "show", "token validation", "token issue")
    for name, mine, other in zip(names, *found, strict=True):
        note(f"{name}, a second", mine, other)


def clients(ours: Served, theirs: Peers, made: list[list[str]], note: Callable[[str, float, float], None]) -> None:
    """One round of small requests of few and of many clients that keep their connections."""
    for crowd in CROWDS:
        for name, at, path in (
            ("show", "image", "/v2/images/{}"),
            ("list of 25", "image", "/v2/images?limit=25"),
            ("token validation", "identity", "/v3/auth/tokens"),
        ):
            pair = [
                cloud.load(getattr(cloud, at), path.format(images[0]), crowd, _SPAN)
                for cloud, images in zip((ours, theirs), made, strict=True)
            ]
            note(f"{name}, {crowd} clients, a second", pair[0].rate, pair[1].rate)
            note(f"{name}, {crowd} clients, p99 in ms", pair[0].p99, pair[1].p99)
            for load, whose in zip(pair, ("ours", "theirs"), strict=True):
                if load.bad:
                    print(f"  {load.bad} bad answers, {whose}: {name}, {crowd} clients")


def measure(ours: Served, theirs: Peers, rounds: int, size: int, images: int) -> Figures:
    """Everything, in each round."""
    figures: Figures = {}

    def note(name: str, mine: float, other: float) -> None:
        pair = figures.setdefault(name, ([], []))
        pair[0].append(mine)
        pair[1].append(other)

    made = [cloud.new_images(images) for cloud in (ours, theirs)]
    for _ in range(rounds):
        metadata(ours, theirs, made, note)
        clients(ours, theirs, made, note)
        transfers(ours, theirs, size, note)
    return figures


def environment() -> None:
    """Make .venv-peers, unless it is there."""
    command = [sys.executable, "packaging/environment.py", str(ENVIRONMENT), "--pins", str(_PINS)]
    if subprocess.run(command).returncode:
        raise SystemExit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size-mib", type=int, default=256)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--binary", help="single executable to measure in place of this checkout")
    options = parser.parse_args()
    program = [options.binary] if options.binary else [sys.executable, "appliance.py"]
    environment()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as root:
        try:
            theirs = Peers(ENVIRONMENT, Path(root))
        except CannotServe as problem:
            raise SystemExit(str(problem)) from problem
        try:
            with served(program) as ours:
                figures = measure(ours, theirs, options.rounds, options.size_mib * MIB, options.images)
        finally:
            theirs.stop()
    print(f"  load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    for name, (mine, other) in figures.items():
        middle = f"({statistics.median(mine):.1f} against {statistics.median(other):.1f})"
        print(f"  {name + ', ours / theirs':<46} {ratio(mine, other):7.2f}  {middle}")


if __name__ == "__main__":
    main()
