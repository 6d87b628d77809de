"""What travels when an image is followed by another site: the first night, a snapshot of it, and the next release.

    python -m bench.fleet [--tree-mib 400] [--disk-mib 2048] [--rate 1000000]

The disks are those of `bench.corpus`, of the Debian packages on this machine. Two sites in one process follow each
other over a loopback socket; `wire` counts every byte that the follower reads from it, `unique` are the blocks that it
lacked as they are stored, and `ratio` is the one against the other. `whole` is the image as it is stored. With --rate
the seconds are those of a line that carries so many bytes; else they are without a limit.
"""

import argparse
import os
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from appliance.api.appliance_v1.fleet_peers import peer_service
from appliance.datadir import DataDir
from appliance.db.engine.registry import open_database
from appliance.fleet.following import Follower, Progress
from appliance.fleet.pace import Pacer
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
from bench.corpus import Corpus

_ADMIN = Caller("u", "p", roles=frozenset(("admin", "manager", "member", "reader")))
_FORMATS = {"disk_format": "raw", "container_format": "bare", "visibility": "public"}


class Site:
    """A data directory with a fleet."""

    def __init__(self, path: Path) -> None:
        settings, directory = Settings(data_dir=path), DataDir(path)
        directory.acquire("bench")
        db = open_database(directory.database)
        self.images = Images(db, open_stores(settings, directory, db, now), settings, now)
        self.fleet = Fleet(db, self.images, directory, now)

    def add(self, disk: Path) -> str:
        image = self.images.create(_ADMIN, {**_FORMATS, "name": disk.stem})
        with disk.open("rb") as file:
            self.images.data.upload(_ADMIN, image.id, file)
        return image.id


@dataclass(slots=True)
class Night:
    """What one synchronization took."""

    wire: int
    unique: int
    seconds: float


class Line:
    """A centre that is followed by an edge."""

    def __init__(self, center: Site, edge: Site, rate: int) -> None:
        self._edge = edge
        self._rate = rate
        self._server = Server([Listener(peer_service(center.fleet), "127.0.0.1", 0)], Limits())
        self._server.start()
        threading.Thread(target=self._server.run, daemon=True).start()
        url = f"http://127.0.0.1:{self._server.addresses[0][1]}"
        key, other = center.fleet.key, edge.fleet.key
        center.fleet.peers.pair("edge", other.fingerprint, key=other.public)
        self._peer = edge.fleet.peers.pair("center", key.fingerprint, url=url)
        center.fleet.publisher.create("golden", {"visibility": ["public"]}, ["edge"])
        edge.fleet.syncer.follow("center", "golden", FollowTerms())

    def follow(self) -> Night:
        context, stopping, progress = self._edge.fleet.context, threading.Event(), Progress()
        pacer = Pacer(self._rate)
        client = PeerClient(self._peer, context.key, now, pacer)
        began = time.monotonic()
        Follower(context, context.feed("golden"), client, progress, stopping).run()
        return Night(pacer.came, progress.came, time.monotonic() - began)

    def close(self) -> None:
        self._server.stop(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree-mib", type=int, default=400)
    parser.add_argument("--disk-mib", type=int, default=2048)
    parser.add_argument("--rate", type=int, default=0)
    asked = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="bench-fleet-", dir=os.environ.get("BENCH_DIR")))
    try:
        corpus = Corpus(directory, asked.tree_mib * MIB, asked.disk_mib * MIB)
        center, edge = Site(directory / "center"), Site(directory / "edge")
        line = Line(center, edge, asked.rate)
        base = corpus.base()
        for name, disk in (("base", base), ("snap", corpus.snap(base)), ("rebuild", corpus.rebuild())):
            image = center.images.finder.get(_ADMIN, center.add(disk))
            night = line.follow()
            manifest = edge.fleet.context.rows.image("golden", image.id)
            assert manifest is not None
            whole = manifest.facts["map"]["stored"]
            print(
                f"{name:<8} whole {whole / MIB:7.1f} MiB   unique {night.unique / MIB:7.1f}   "
                f"wire {night.wire / MIB:7.1f}   ratio {night.wire / max(1, night.unique):.3f}   {night.seconds:.1f} s",
                flush=True,
            )
        line.close()
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
