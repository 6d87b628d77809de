"""What travels when an image is followed by another site, and what others would move for the same.

    python -m bench.fleet [--disks files|debian] [--form raw|qcow2c] [--tree-mib 400] [--disk-mib 2048] [--rate 1000000]

The disks are those of `bench.corpus` (the first night, a snapshot of it, and the next release), or of `bench.releases`:
a Debian of its last point release, and with the updates since. Two sites in one process follow each other over a line
that counts every byte in both directions; after the first night it carries --rate of them a second, if that is given.
`whole` is the file without its holes, `unique` are the blocks that were lacking as they are stored, and `ratio` is what
travelled against that. Behind it, where they can be had, what rsync, zsync and casync move, which have the first
night's disk and fetch the new one: bytes, and against ours. Their seconds are those of their bytes alone.
"""

import argparse
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from appliance.api.appliance_v1.fleet_peers import peer_service
from appliance.datadir import DataDir
from appliance.db.engine.registry import open_database
from appliance.fleet.following import Follower, Progress
from appliance.fleet.peer_client import PeerClient
from appliance.fleet.service import Fleet
from appliance.fleet.syncing import FollowTerms
from appliance.image.service import Images
from appliance.image.stores import open_stores
from appliance.server.limits import Limits
from appliance.server.listener import Listener
from appliance.server.server import Server
from appliance.settings import Settings
from appliance.values import MIB, Caller, now
from bench.corpus import Corpus, convert
from bench.releases import Releases
from bench.rivals import compare, find_tools
from tests.fleet.lines import line_to

_ADMIN = Caller("u", "p", roles=frozenset(("admin", "manager", "member", "reader")))
_FORMATS = {"container_format": "bare", "visibility": "public"}


class Site:
    """A data directory with a fleet."""

    def __init__(self, path: Path) -> None:
        settings, directory = Settings(data_dir=path), DataDir(path)
        directory.acquire("bench")
        db = open_database(directory.database)
        self.images = Images(db, open_stores(settings, directory, db, now), settings, now)
        self.fleet = Fleet(db, self.images, directory, now)

    def add(self, disk: Path, form: str) -> str:
        disk_format = "raw" if form == "raw" else "qcow2"
        image = self.images.create(_ADMIN, {**_FORMATS, "disk_format": disk_format, "name": disk.stem})
        with disk.open("rb") as file:
            self.images.data.upload(_ADMIN, image.id, file)
        return image.id


@dataclass(slots=True)
class Night:
    """What one synchronization took."""

    wire: int
    unique: int
    seconds: float


class Link:
    """A centre that is followed by an edge over a line."""

    def __init__(self, center: Site, edge: Site) -> None:
        self.center = center
        self._edge = edge
        self._server = Server([Listener(peer_service(center.fleet), "127.0.0.1", 0)], Limits())
        self._server.start()
        threading.Thread(target=self._server.run, daemon=True).start()
        self._opened = ExitStack()
        self._line = self._opened.enter_context(line_to(f"http://127.0.0.1:{self._server.addresses[0][1]}"))
        key, other = center.fleet.key, edge.fleet.key
        center.fleet.peers.pair("edge", other.fingerprint, key=other.public)
        self._peer = edge.fleet.peers.pair("center", key.fingerprint, url=self._line.url)
        center.fleet.publisher.create("golden", {"visibility": ["public"]}, ["edge"])
        edge.fleet.syncer.follow("center", "golden", FollowTerms())

    def follow(self, rate: int) -> Night:
        self._line.rate = rate
        context, stopping, progress = self._edge.fleet.context, threading.Event(), Progress()
        client = PeerClient(self._peer, context.key, now)
        before = self._line.down + self._line.up
        began = time.monotonic()
        Follower(context, context.feed("golden"), client, progress, stopping).run()
        seconds = time.monotonic() - began
        return Night(self._line.down + self._line.up - before, progress.came, seconds)

    def close(self) -> None:
        self._opened.close()
        self._server.stop(0)


def disks_of(kind: str, directory: Path, tree: int, disk: int) -> Iterator[tuple[str, Path]]:
    """The disks, the first night's first."""
    if kind == "debian":
        releases = Releases(directory, disk)
        print(f"Debian: {releases.packages} packages, of which {releases.changed} have an update", flush=True)
        yield from zip(("release", "updated"), releases.disks(), strict=True)
        return
    corpus = Corpus(directory, tree, disk)
    base = corpus.base()
    yield "base", base
    yield "snap", corpus.snap(base)
    yield "rebuild", corpus.rebuild()


def data_length(path: Path) -> int:
    """Bytes of a file without its holes."""
    return path.stat().st_blocks * 512


def show(name: str, disk: Path, night: Night, others: dict[str, int], rate: int) -> None:
    print(
        f"{name:<8} whole {data_length(disk) / MIB:7.1f} MiB   unique {night.unique / MIB:7.1f}   wire "
        f"{night.wire / MIB:7.1f}   ratio {night.wire / max(1, night.unique):.3f}   {night.seconds:.1f} s",
        flush=True,
    )
    for rival, length in others.items():
        seconds = f"   {length / rate:.1f} s" if rate else ""
        print(
            f"         {rival:<8} {length / MIB:7.1f} MiB, {length / max(1, night.wire):.2f} of ours{seconds}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--disks", choices=("files", "debian"), default="files")
    parser.add_argument("--form", choices=("raw", "qcow2c"), default="raw")
    parser.add_argument("--tree-mib", type=int, default=400)
    parser.add_argument("--disk-mib", type=int, default=2048)
    parser.add_argument("--rate", type=int, default=0)
    asked = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="bench-fleet-", dir=os.environ.get("BENCH_DIR")))
    if why := find_tools():
        print(f"(compared with nobody: {why})")
    try:
        link = Link(Site(directory / "center"), Site(directory / "edge"))
        first: Path | None = None
        for name, raw in disks_of(asked.disks, directory, asked.tree_mib * MIB, asked.disk_mib * MIB):
            disk = convert(raw, asked.form)
            link.center.add(disk, asked.form)
            night = link.follow(asked.rate if first else 0)
            others = compare(first, disk, directory) if first and not why else {}
            show(name, disk, night, others, asked.rate)
            first = first or disk
        link.close()
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
