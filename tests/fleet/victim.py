"""What a site does in a process of its own, which may be killed while it does: each can be done again from where it is.

Two sites are in one place: `center` with three images, of which `edge` has those of the first night.
"""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from appliance.api.appliance_v1.fleet_peers import peer_service
from appliance.cli.main import main
from appliance.errors import Conflict, Invalid, NotFound
from appliance.fleet.keys import SiteKey
from appliance.fleet.operations import FleetOperations
from appliance.fleet.syncing import FollowTerms
from appliance.server.limits import Limits
from appliance.server.listener import Listener
from appliance.server.server import Server
from tests.fleet.sites import site
from tests.fleet.steps import Death

FEED = "golden"


def _command(place: Path, *words: str) -> None:
    os.chdir(place)
    if main(words) != 0:
        sys.exit(1)


def sync(place: Path) -> None:
    with site(place / "edge") as edge:
        edge.fleet.syncer.run(FEED)


def follow(place: Path) -> None:
    """The first night of a new site."""
    with site(place / "new") as new:
        with suppress(Conflict):
            url = (place / "url").read_text()
            new.fleet.peers.pair("center", (place / "fingerprint").read_text(), url=url)
        for every in (60, 120):
            new.fleet.syncer.follow("center", FEED, FollowTerms(every=every))
        new.fleet.syncer.run(FEED)


def publish(place: Path) -> None:
    """Keep the files of a feed, of which some are a day old and no longer needed."""
    tree = place / "tree"
    for path in tree.rglob("*") if tree.exists() else ():
        os.utime(path, (0, 0))
    _command(place, "feed", "publish", FEED, "tree", "--data-dir", "center")


def follow_files(place: Path) -> None:
    with site(place / "edge") as edge:
        edge.set_feed(tree=(place / "tree-url").read_text())
        edge.fleet.syncer.run(FEED)


def export(place: Path) -> None:
    """Into parts; those that an export before has left are removed, as its message asks for."""
    for path in place.glob("out.tar.???"):
        path.unlink()
    _command(place, "bundle", "export", FEED, "out.tar", "--split", "1M", "--data-dir", "center")


def bring(place: Path) -> None:
    _command(place, "bundle", "import", "next.tar", "--data-dir", "edge")


def bring_first(place: Path) -> None:
    """Into a site that has no key yet."""
    origin = (place / "fingerprint").read_text()
    _command(place, "bundle", "import", "all.tar", "--origin", origin, "--data-dir", "fresh")


def give_back(place: Path) -> None:
    """What a torn import has brought long ago."""
    with site(place / "torn") as torn:
        torn.fleet.context.give_back(torn.clock() + 1)


def refuse(place: Path) -> None:
    """An image whose hash is not that of its manifest."""
    with site(place / "edge") as edge, suppress(Invalid):
        edge.fleet.syncer.run(FEED)


def administer(place: Path) -> None:
    with site(place / "center") as center:
        operations = FleetOperations(center.fleet)
        with suppress(Conflict):
            other = SiteKey(None)
            center.fleet.peers.pair("more", other.fingerprint, key=other.public)
        center.fleet.peers.change("more", {"url": "http://192.0.2.1"})
        with suppress(Conflict):
            center.fleet.publisher.create("second", {"all": True}, [])
        operations.do("PATCH", "/feeds/second", {"serve_rate": 7})
        with suppress(NotFound):
            center.fleet.publisher.delete("second")
        center.fleet.peers.remove("more")


def serve(place: Path) -> None:
    """Answer peers, until a signal ends it."""
    with site(place / "center") as center:
        port = int((place / "url").read_text().rpartition(":")[2])
        server = Server([Listener(peer_service(center.fleet), "127.0.0.1", port)], Limits())
        server.start()
        running = threading.Thread(target=server.run, name="main loop")
        running.start()
        running.join()


ACTS: dict[str, Callable[[Path], None]] = {
    act.__name__: act
    for act in (
        *(sync, follow, publish, follow_files, export, bring, bring_first, give_back, refuse, administer, serve),
    )
}


def act(name: str, place: Path, death: Death | None) -> None:
    """Entry point of a process."""
    if death is not None:
        death.lie_in_wait()
    ACTS[name](place)
