"""Receivers that are full, that are several, that have tenants of their own."""

import io
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.blobs.delivery import StoredBlock
from appliance.db.fleet import FeedRecord
from appliance.errors import Conflict, NotFound, StorageFull
from appliance.fleet.block_map import BlockMap
from appliance.fleet.bundle_import import Terms
from appliance.fleet.following import Follower, Progress
from appliance.fleet.manifest import Manifest
from appliance.fleet.peer_client import PeerClient
from appliance.fleet.service import Fleet
from appliance.fleet.syncing import FollowTerms
from appliance.values import Caller
from tests.data_directory import ADMIN, data
from tests.fleet.conftest import Serve
from tests.fleet.sites import Pair, Site, pair, site

MB = 1_000_000


class Happens:
    """Nothing."""

    def block(self) -> None:
        pass


class Watched(PeerClient):
    """A peer that is asked, and after each block of which something happens."""

    def __init__(self, site: Site, then: Happens) -> None:
        super().__init__(site.fleet.peers.find("center"), site.fleet.key, site.clock)
        self._then = then
        self.asked: list[int] = []

    def blocks(self, feed: str, manifest: Manifest, block_map: BlockMap, bits: bytes) -> Iterator[StoredBlock]:
        self.asked.append(sum(byte.bit_count() for byte in bits))
        for block in super().blocks(feed, manifest, block_map, bits):
            yield block
            self._then.block()


def follow(edge: Site, source: PeerClient, fleet: Fleet | None = None) -> list[str]:
    context = (fleet or edge.fleet).context
    feed: FeedRecord = context.feed("golden")
    with context.locks.with_feed(feed.name):
        return Follower(context, feed, source, Progress(), threading.Event()).run().created


# -- a full disk


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of 24 MiB of its own."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(mount)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a file system can't be mounted here: {done.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


class Ballast(Happens):
    """Somebody else's file, which takes the last byte of a file system after so many blocks."""

    def __init__(self, mount: Path, after: int) -> None:
        self._path = mount / "ballast"
        self._left = after

    def block(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.fill()

    def fill(self) -> None:
        with open(self._path, "wb", buffering=0) as file:
            try:
                while file.write(b"x" * 65536):
                    pass
            except OSError:
                pass

    def gone(self) -> None:
        self._path.unlink()


def test_a_disk_that_is_full_in_the_middle_of_a_sync(center: Site, small: Path, serve: Serve) -> None:
    with site(small / "edge") as edge:
        following = Pair(center, edge, serve(center))
        kept = center.add(data())
        following.sync()
        payload = os.urandom(8 * MB)
        coming = center.add(payload)
        ballast = Ballast(small, after=40)
        with pytest.raises(StorageFull, match="the disk is full"):
            follow(edge, Watched(edge, ballast))
        assert edge.ids() == {kept}
        # What is read goes on, and another try says the same, without a byte of the image on the line.
        assert edge.read(kept) == center.read(kept)
        again = Watched(edge, Happens())
        with pytest.raises(StorageFull):
            follow(edge, again)
        assert not again.asked
        ballast.gone()
        assert not edge.findings()
        assert following.sync() == [coming] and edge.read(coming) == payload
        assert not edge.findings()


def test_a_disk_that_is_full_in_the_middle_of_an_import(center: Site, small: Path) -> None:
    payload = os.urandom(8 * MB)
    coming = center.add(payload)
    center.publish()
    bundle = center.bundle()
    with site(small / "edge") as edge:
        ballast = Ballast(small, after=3 * MB // 65536)
        whole = io.BytesIO(bundle)

        def read(size: int) -> bytes:
            if size >= 10_000:
                ballast.block()
            return whole.read(size)

        terms = Terms(origin=center.fleet.key.fingerprint)
        with pytest.raises(StorageFull, match="the disk is full"):
            edge.fleet.imports.run(read, terms)
        assert not edge.ids() and not edge.fleet.context.rows.feeds()
        ballast.gone()
        assert not edge.findings()
        assert edge.take(bundle, center).report.created == [coming] and edge.read(coming) == payload


def test_an_image_that_has_no_room_is_not_begun(center: Site, small: Path, serve: Serve) -> None:
    with site(small / "edge") as edge:
        following = Pair(center, edge, serve(center))
        image_id = center.add(os.urandom(26 * MB))
        source = Watched(edge, Happens())
        with pytest.raises(StorageFull, match=f"There is no room for image {image_id}: it takes"):
            follow(edge, source)
        assert not source.asked
        with pytest.raises(StorageFull, match="There is no room"):
            following.sync()
        assert "There is no room" in edge.fleet.syncer.behind()[0].feed.trouble


# -- several


def test_two_sites_follow_at_once(center: Site, edge: Site, third: Site, serve: Serve) -> None:
    url = serve(center)
    center.fleet.publisher.create("golden", {"visibility": ["public"]}, ["edge", "third"])
    payloads = [os.urandom(2 * MB) for _ in range(3)]
    ids = [center.add(payload) for payload in payloads]
    pairs = []
    for name, one in (("edge", edge), ("third", third)):
        pair(center, name, one)
        pair(one, "center", center, url)
        one.fleet.syncer.follow("center", "golden", FollowTerms())
        pairs.append(one)
    threads = [threading.Thread(target=one.fleet.syncer.run, args=("golden",)) for one in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in pairs:
        assert [one.read(image_id) for image_id in ids] == payloads and not one.findings()


class Meanwhile(Happens):
    """Something that happens once, after the first block."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act

    def block(self) -> None:
        act, self._act = self._act, None
        if act is not None:
            act()


def test_a_feed_is_brought_up_to_date_once_at_a_time(following: Pair) -> None:
    center, edge = following.center, following.edge
    image_id = center.add(data(MB))

    def second() -> None:
        with pytest.raises(Conflict, match="The feed golden is being received already"):
            following.sync()

    assert follow(edge, Watched(edge, Meanwhile(second))) == [image_id]


def test_two_nodes_of_a_site_follow_at_once(following: Pair) -> None:
    """Each has a process of its own, and both have been told to bring the feed up to date."""
    center, edge = following.center, following.edge
    other = Fleet(edge.db, edge.images, edge.directory, edge.clock)
    payload = data(2 * MB)
    image_id = center.add(payload)
    came: list[list[str]] = []

    def second() -> None:
        came.append(follow(edge, Watched(edge, Happens()), other))

    came.append(follow(edge, Watched(edge, Meanwhile(second))))
    assert sorted(came) == [[], [image_id]]
    assert edge.ids() == {image_id} and edge.read(image_id) == payload
    assert not edge.findings() and not edge.fleet.context.rows.arrivals("golden")
    edge.delete(image_id)
    edge.collect()
    assert not edge.segments()


# -- tenants


THEIRS = Caller("v", "theirs", roles=frozenset(("member", "reader")))


def private(edge: Site, payload: bytes) -> str:
    body = {"name": "mine", "disk_format": "raw", "container_format": "bare", "visibility": "private"}
    image = edge.images.create(THEIRS, body)
    edge.images.data.upload(THEIRS, image.id, io.BytesIO(payload))
    return image.id


def test_what_a_tenant_has_is_asked_for_all_the_same(following: Pair) -> None:
    """Neither the bitmap nor how many bytes come tells the origin what is here beside its feed."""
    center, edge = following.center, following.edge
    payload = os.urandom(2 * MB)
    mine = private(edge, payload)
    image_id = center.add(payload)
    source = Watched(edge, Happens())
    assert follow(edge, source) == [image_id]
    assert sum(source.asked) == center.fleet.context.map_of(center.get(image_id)).blocks
    # Each goes without the other.
    center.delete(image_id)
    following.sync()
    edge.collect()
    assert edge.ids() == {mine} and edge.read(mine) == payload and not edge.findings()


def test_a_tenants_image_goes_and_the_feeds_stays(following: Pair) -> None:
    center, edge = following.center, following.edge
    payload = os.urandom(MB)
    mine = private(edge, payload)
    image_id = center.add(payload)
    following.sync()
    edge.delete(mine)
    edge.collect()
    assert edge.read(image_id) == payload and not edge.findings()


def test_what_the_feed_brought_is_seen_as_its_visibility_says(center: Site, edge: Site, serve: Serve) -> None:
    ids = {visibility: center.add(data(), visibility, visibility) for visibility in ("public", "private", "shared")}
    pair(center, "edge", edge)
    pair(edge, "center", center, serve(center))
    center.fleet.publisher.create("golden", {"all": True}, ["edge"])
    edge.fleet.syncer.follow("center", "golden", FollowTerms())
    edge.fleet.syncer.run("golden")
    seen = {image.id for image in edge.images.finder.page(THEIRS, [("limit", "100")])[0]}
    assert seen == {ids["public"]}
    for hidden in ("private", "shared"):
        assert edge.images.finder.get(ADMIN, ids[hidden]).owner == "p"
        with pytest.raises(NotFound):
            edge.images.finder.get(THEIRS, ids[hidden])
    # What the tenant uploads is not found to be here already by what the feed has.
    before = edge.blobs.index.maintenance.totals().contents
    mine = private(edge, edge.read(ids["private"]))
    assert edge.blobs.index.maintenance.totals().contents == before + 1 and mine
