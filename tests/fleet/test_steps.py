"""`kill -9` on either side, before and after every step: what was there stays, nothing is half, and it goes on."""

import hashlib
import json
import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from appliance.errors import Corrupt
from tests.fleet import victim
from tests.fleet.sites import pair, site
from tests.fleet.steps import Death, every_step
from tests.fleet.test_trees import Ranges, follow, publish, web
from tests.waiting import eventually

STEPS = every_step()

# What each step is a part of, and which time that one comes by is meant, if there are several.
ROWS: dict[str, list[tuple[str, int]]] = {
    "applying.Applier._attempted": [("sync", 1), ("sync", 2), ("bring", 1)],
    "bundle_reader.BundleReader.blocks": [("bring", 2)],
    "bundle_writer.BundleWriter.pieces": [("export", 1)],
    "bundle_writer.BundleWriter.pieces#2": [("export", 5)],
    "bundle_writer.BundleWriter.pieces#3": [("export", 2)],
    "bundle_writer.BundleWriter.pieces#4": [("export", 1)],
    "bundle.import_": [("bring", 1)],
    "context.FleetContext.give_back": [("give_back", 1)],
    "context.Maps.keep": [("follow", 1), ("bring_first", 2)],
    "context.Maps.keep#2": [("sync", 1), ("bring", 1)],
    "fleet_peers.site": [("serve", 1)],
    "fleet_peers.feeds": [("serve", 1)],
    "fleet_peers.entries": [("serve", 1)],
    "fleet_peers.map": [("serve", 2)],
    "fleet_peers.blocks": [("serve", 1)],
    "following.Follower._write_down": [("sync", 1), ("follow", 1)],
    "keys.SiteKey.make_missing": [("bring_first", 1), ("bring_first", 2)],
    "keys.SiteKey.make_missing#2": [("bring_first", 1)],
    "operations.FleetOperations.change_feed": [("administer", 1)],
    "parts.PartWriter._begin": [("export", 2)],
    "parts.PartWriter._publish": [("export", 1), ("export", 2)],
    "peer_client.PeerClient.blocks": [("sync", 1)],
    "peer_requests.RequestCheck._once": [("serve", 1)],
    "peers.Peers.change": [("administer", 1)],
    "peers.Peers.pair": [("administer", 1), ("follow", 1)],
    "peers.Peers.remove": [("administer", 1)],
    "publishing.Publisher._append": [("serve", 1), ("serve", 2)],
    "publishing.Publisher.create": [("administer", 1)],
    "publishing.Publisher.delete": [("administer", 1)],
    "receiving.Arrivals.keep": [("sync", 1), ("bring", 1)],
    "receiving.Receiver.assemble": [("sync", 1), ("bring", 1)],
    "receiving.Receiver.assemble#2": [("refuse", 1)],
    "serving.Blocks.sent": [("serve", 2)],
    "shipping.Shipment.blocks": [("serve", 3), ("export", 3)],
    "syncing.Syncer.follow": [("follow", 1)],
    "syncing.Syncer.follow#2": [("follow", 1)],
    "syncing.Syncer._run_alone": [("sync", 1)],
    "tree_client.TreeClient.blocks": [("follow_files", 1)],
    "tree_writer.TreeWriter.__init__": [("publish", 1), ("publish", 3)],
    # A pack, a map, its places, the entries, what says how long they are.
    "tree_writer.TreeWriter._put": [("publish", number) for number in (1, 2, 3, 4, 5)],
    "tree_writer.TreeWriter._put#2": [("publish", 1)],
    "tree_writer.TreeWriter._tidy": [("publish", 1), ("publish", 2)],
}
WITHOUT = {
    "applying.Applier._attempted#2": "the same transaction, after clients have changed an image twenty times meanwhile",
}


def test_every_step_has_its_row() -> None:
    """A new call that writes, a new piece that goes out, a new request of peers: how is it when one is killed there?"""
    assert STEPS.keys() == ROWS.keys() | WITHOUT.keys()
    assert {act for rows in ROWS.values() for act, _ in rows} == victim.ACTS.keys()


PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.fleet.victim"])


def begin(act: str, place: Path, death: Death | None = None) -> BaseProcess:
    process = PROCESSES.Process(target=victim.act, args=(act, place, death))
    process.start()
    return process


class Place:
    """Two sites, what travels between them, and what their images are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, str] = json.loads((path / "known.json").read_text())
        """The hash of each image that ever was, the one that goes in the second night last."""
        *wanted, self.gone = self.known
        self.wanted = set(wanted)

    def look(self, *names: str) -> None:
        """Whatever is at these sites, or at all of them, is whole. Bytes that no row names are collected in time."""
        for name in names or ("center", "edge", "new", "torn", "fresh"):
            with site(self.path / name) as it:
                it.collect()
                assert not it.findings()
                for image_id in it.ids():
                    assert hashlib.sha256(it.read(image_id)).hexdigest() == self.known[image_id]

    def arrived(self, name: str) -> None:
        """The second night has come to this site, and nothing is left over."""
        with site(self.path / name) as it:
            feed = it.fleet.context.feed(victim.FEED)
            assert it.ids() == self.wanted and feed.applied == feed.sequence
            assert sorted(it.get(image_id).name or "" for image_id in it.ids()) == ["renamed", "tuesday"]
            assert not it.fleet.context.rows.arrivals(victim.FEED)
        self.look()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("template")
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{port.getsockname()[1]}"
    (place / "url").write_text(url)
    monday, old = os.urandom(900_000), os.urandom(400_000)
    tuesday = monday[:500_000] + os.urandom(1_500_000)
    with site(place / "center") as center, site(place / "edge") as edge, site(place / "new") as new:
        pair(center, "new", new)
        (place / "fingerprint").write_text(center.fleet.key.fingerprint)
        changed, removed = center.add(monday, "monday"), center.add(old, "old")
        pair(center, "edge", edge)
        pair(edge, "center", center, url)
        center.fleet.publisher.create(victim.FEED, {"visibility": ["public"]}, ["all"])
        receipt = edge.take(center.bundle()).receipt
        edge.set_feed(peer="center", remote=victim.FEED)
        (place / "tree").mkdir()
        publish(center, place / "tree")
        center.change(changed, name="renamed", os_version="13")
        center.delete(removed)
        known = {changed: monday, center.add(tuesday, "tuesday"): tuesday, removed: old}
    (place / "known.json").write_text(json.dumps({one: hashlib.sha256(known[one]).hexdigest() for one in known}))
    # The entries of the second night are still to be made, so the bundles of it are those of a copy.
    shutil.copytree(place / "center", place / "copy")
    with site(place / "copy") as copy, site(place / "fresh"), site(place / "torn") as torn:
        (place / "next.tar").write_bytes(copy.bundle(since=receipt))
        bundle = copy.bundle()
        (place / "all.tar").write_bytes(bundle)
        with pytest.raises(Corrupt, match="ends early"):
            torn.take(bundle[: len(bundle) // 2], copy)
    shutil.rmtree(place / "copy")
    return place


@pytest.fixture
def place(template: Path, tmp_path: Path) -> Place:
    return Place(shutil.copytree(template, tmp_path / "place"))


@contextmanager
def around(act: str, place: Place) -> Iterator[None]:
    """What an act needs of the rest of the world."""
    path = place.path
    if act == "refuse":
        with site(path / "center") as center:
            center.db.transact(lambda tx: tx.execute("UPDATE images SET os_hash_value = ?", ("ab" * 64,)))
    if act == "follow_files":
        with site(path / "center") as center:
            publish(center, path / "tree")
        with web(path / "tree", Ranges) as url:
            (path / "tree-url").write_text(url)
            yield
    elif act in ("sync", "follow", "refuse"):
        served = begin("serve", path)
        try:
            eventually(lambda: is_served(path))
            yield
        finally:
            served.kill()
            served.join()
    else:
        yield


def is_served(path: Path) -> bool:
    port = int((path / "url").read_text().rpartition(":")[2])
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(process: BaseProcess) -> int:
    process.join(60)
    assert process.exitcode is not None, "it hangs"
    return process.exitcode


def killed_while_it_serves(place: Place, death: Death) -> None:
    """A new site follows, while the other is killed and starts again."""
    first = begin("serve", place.path, death)
    eventually(lambda: is_served(place.path))
    follower = begin("follow", place.path)
    multiprocessing.connection.wait([first.sentinel], 60)
    if first.exitcode is None:
        first.kill()
        pytest.fail("the step was never gone through")
    assert end(first) == -signal.SIGKILL
    again = begin("serve", place.path)
    try:
        eventually(lambda: is_served(place.path))
        if end(follower) != 0:
            assert end(begin("follow", place.path)) == 0
    finally:
        again.kill()
        again.join()


AFTERWARDS = {
    **dict.fromkeys(("sync", "follow_files", "bring"), "edge"),
    **dict.fromkeys(("follow", "serve"), "new"),
    "bring_first": "fresh",
}
"""The site at which the second night has arrived."""


def check(act: str, place: Place) -> None:
    """What each act was to do is done."""
    if act in AFTERWARDS:
        place.arrived(AFTERWARDS[act])
    elif act == "publish":
        with site(place.path / "new") as new, site(place.path / "center") as center:
            with web(place.path / "tree", Ranges) as url:
                follow(new, center, url)
                new.fleet.syncer.run(victim.FEED)
        place.arrived("new")
    elif act == "export":
        with site(place.path / "new") as new, site(place.path / "center") as center:
            parts = sorted(place.path.glob("out.tar.???"))
            new.take(b"".join(path.read_bytes() for path in parts), center)
        place.arrived("new")
    elif act == "give_back":
        with site(place.path / "torn") as torn:
            torn.collect()
            assert not torn.segments()
    elif act == "refuse":
        place.look()
        with site(place.path / "edge") as edge:
            assert place.gone in edge.ids()
            edge.fleet.context.give_back(edge.clock() + 1)
            assert not edge.fleet.context.rows.arrivals(victim.FEED)
    elif act == "administer":
        with site(place.path / "center") as center:
            assert [peer.name for peer in center.fleet.peers.every()] == ["edge", "new"]
            assert [feed.name for feed in center.fleet.context.rows.feeds()] == [victim.FEED]


FAST = {("applying.Applier._attempted", "sync", 1, "after"), ("tree_writer.TreeWriter._put", "publish", 4, "before")}
CASES = [(name, act, nth, when) for name, rows in ROWS.items() for act, nth in rows for when in ("before", "after")]


@pytest.mark.parametrize(
    ("name", "act", "nth", "when"),
    [pytest.param(*case, marks=() if case in FAST else pytest.mark.slow) for case in CASES],
)
def test_a_site_that_is_killed_at_a_step_goes_on(place: Place, name: str, act: str, nth: int, when: str) -> None:
    death = Death(STEPS[name], when, nth)
    if act == "serve":
        killed_while_it_serves(place, death)
    else:
        with around(act, place):
            assert end(begin(act, place.path, death)) == -signal.SIGKILL, "the step was never gone through"
            place.look("edge", "new", "torn", "fresh")
            assert end(begin(act, place.path)) == 0
    check(act, place)
