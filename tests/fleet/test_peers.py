"""Sites follow each other over real sockets: through breaks and untruths, no further than they may read."""

import http.client
import io
import itertools
import json
import os
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from appliance.api.appliance_v1.fleet_peers import PREFIX
from appliance.blobs.delivery import StoredBlock, read_records
from appliance.errors import ApplianceError, Corrupt, Forbidden, Invalid, NotFound, Unavailable
from appliance.fleet.block_map import BlockMap
from appliance.fleet.feed_log import make
from appliance.fleet.following import Follower, Progress
from appliance.fleet.manifest import Manifest
from appliance.fleet.pace import Bucket, Hours
from appliance.fleet.peer_requests import APART, sign_request
from appliance.fleet.syncing import FollowTerms
from appliance.values import now
from tests.blobs.backends.fault_proxy import fault_proxy
from tests.data_directory import data
from tests.fleet.conftest import Serve
from tests.fleet.sites import Pair, Site, pair, site


def test_images_come_and_their_changes_follow(following: Pair) -> None:
    payload = data()
    image_id = following.center.add(payload, "debian")
    assert following.sync() == [image_id] and following.edge.read(image_id) == payload
    following.center.change(image_id, name="renamed")
    assert following.sync() == [] and following.edge.get(image_id).name == "renamed"
    following.center.delete(image_id)
    following.sync()
    assert not following.edge.ids() and not following.edge.findings()


def test_only_new_blocks_travel(following: Pair) -> None:
    payload = os.urandom(6_000_000)
    following.center.add(payload, "monday")
    following.sync()
    tuesday = following.center.add(payload[:2_000_000] + os.urandom(10_000) + payload[2_010_000:], "tuesday")
    following.sync()
    status = following.edge.fleet.syncer.behind()[0]
    assert tuesday in following.edge.ids() and status.progress.came < 900_000


def test_what_came_as_a_bundle_goes_on_over_the_network(center: Site, edge: Site, serve: Serve) -> None:
    payload = os.urandom(3_000_000)
    first = center.add(payload)
    center.fleet.publisher.create("golden", {"all": True}, ["edge"])
    edge.take(center.bundle(), center)
    second = center.add(payload[:-1000])
    pair(center, "edge", edge)
    pair(edge, "center", center, serve(center))
    edge.fleet.syncer.follow("center", "golden", FollowTerms())
    assert edge.fleet.syncer.run("golden").created == [second] and edge.ids() == {first, second}


def test_a_relay_hands_on_what_it_follows(following: Pair, third: Site, serve: Serve) -> None:
    payload = data()
    image_id = following.center.add(payload)
    following.sync()
    relay = following.edge
    relay.set_feed(readers=["third"])
    pair(relay, "third", third)
    pair(third, "relay", relay, serve(relay))
    with pytest.raises(Forbidden, match=f"--origin {following.center.fleet.key.fingerprint}"):
        third.fleet.syncer.follow("relay", "golden", FollowTerms())
    third.fleet.syncer.follow("relay", "golden", FollowTerms(origin=following.center.fleet.key.fingerprint))
    assert third.fleet.syncer.run("golden").created == [image_id] and third.read(image_id) == payload


def test_a_relay_of_a_relay_hands_on(following: Pair, third: Site, serve: Serve, tmp_path: Path) -> None:
    """Four sites in a row; what is asked of each is signed by the next, and every entry by the first."""
    with site(tmp_path / "fourth") as fourth:
        row = [following.edge, third, fourth]
        for before, after in itertools.pairwise(row):
            before.set_feed(readers=["next"])
            pair(before, "next", after)
            pair(after, "before", before, serve(before))
            after.fleet.syncer.follow("before", "golden", FollowTerms(origin=following.center.fleet.key.fingerprint))
        payload = data()
        image_id = following.center.add(payload)
        for one in row:
            assert one.fleet.syncer.run("golden").created == [image_id]
        assert fourth.read(image_id) == payload and not fourth.findings()
        following.center.delete(image_id)
        for one in row:
            assert one.fleet.syncer.run("golden").removed == [image_id]


@pytest.mark.parametrize("fault", ["reset", "reset after", "truncated", "503"])
@pytest.mark.parametrize("path", ["/entries", "/map", "/blocks"])
def test_a_break_costs_a_second_try(center: Site, edge: Site, serve: Serve, fault: str, path: str) -> None:
    payload = os.urandom(2_000_000)
    image_id = center.add(payload)
    with fault_proxy(serve(center)) as (through, plan):
        following = Pair(center, edge, through)
        plan.set(fault, path=path)
        for _ in range(2):
            try:
                following.sync()
            except Unavailable:
                continue
    assert edge.read(image_id) == payload and not edge.findings()


def test_what_came_before_a_break_does_not_come_again(center: Site, edge: Site, serve: Serve) -> None:
    image_id = center.add(os.urandom(4_000_000))
    with fault_proxy(serve(center)) as (through, plan):
        following = Pair(center, edge, through)
        plan.set("truncated", path="/blocks")
        assert following.sync() == [image_id]
        assert plan.done == 1
    assert following.edge.fleet.syncer.behind()[0].progress.came < 4_500_000


@pytest.mark.parametrize("path", ["/entries", "/map", "/blocks"])
def test_a_flipped_bit_is_noticed(center: Site, edge: Site, serve: Serve, path: str) -> None:
    center.add(os.urandom(2_000_000))
    with fault_proxy(serve(center)) as (through, plan):
        following = Pair(center, edge, through)
        plan.set("flipped", path=path, times=-1)
        with pytest.raises(ApplianceError):
            following.sync()
        assert not edge.ids() and not edge.findings()
        plan.heal()
        assert len(following.sync()) == 1


def test_a_feed_is_not_there_for_others(following: Pair, third: Site) -> None:
    url = following.edge.fleet.peers.find("center").url
    pair(following.center, "third", third)
    pair(third, "center", following.center, url)
    with pytest.raises(NotFound, match="shows no feed golden"):
        third.fleet.syncer.follow("center", "golden", FollowTerms())


class Caller:
    """Asks a site as whoever has a key."""

    def __init__(self, url: str, to: str, site: Site) -> None:
        self._url, self._to, self._site = urlsplit(url), to, site

    def ask(self, method: str, path: str, body: bytes = b"", header: str | None = None) -> tuple[int, bytes]:
        target = PREFIX + path
        if header is None:
            header = sign_request(self._site.fleet.key, self._to, method, target, body, now())
        connection = http.client.HTTPConnection(str(self._url.hostname), self._url.port, timeout=20)
        connection.request(method, target, body or None, {"Authorization": header})
        response = connection.getresponse()
        found = response.status, response.read()
        connection.close()
        return found

    def signed(self, path: str, at: int | None = None, to: str = "") -> str:
        return sign_request(self._site.fleet.key, to or self._to, "GET", PREFIX + path, b"", at or now())


@pytest.fixture
def caller(following: Pair) -> Caller:
    url = following.edge.fleet.peers.find("center").url
    return Caller(url, following.center.fleet.key.public, following.edge)


def test_an_image_that_is_not_in_the_feed_is_not_there(following: Pair, caller: Caller) -> None:
    secret = following.center.add(data(), visibility="private")
    following.center.add(data())
    assert caller.ask("GET", "/feeds/golden/entries?after=0")[0] == 200
    assert caller.ask("GET", f"/feeds/golden/images/{secret}/map")[0] == 404
    assert caller.ask("POST", f"/feeds/golden/images/{secret}/blocks", b"\xff")[0] == 404


def test_a_bitmap_reaches_no_further_than_its_map(following: Pair, caller: Caller) -> None:
    image_id = following.center.add(os.urandom(500_000))
    caller.ask("GET", "/feeds/golden/entries?after=0")
    _, packed = caller.ask("GET", f"/feeds/golden/images/{image_id}/map")
    assert packed.startswith(b"GLAMAP1\n")
    for bits in (b"", b"\0", b"\xff" * 1000):
        status, answer = caller.ask("POST", f"/feeds/golden/images/{image_id}/blocks", bits)
        assert status == 400 and b"bit" in answer, bits


def test_a_request_is_good_once(caller: Caller) -> None:
    header = caller.signed("/feeds")
    assert caller.ask("GET", "/feeds", header=header)[0] == 200
    assert caller.ask("GET", "/feeds", header=header)[0] == 401


def test_clocks_may_differ_by_an_hour(caller: Caller) -> None:
    hour = 3600 * 1_000_000
    for at, status in ((now() - hour, 200), (now() + hour, 200), (now() - APART - hour, 401), (now() + 2 * hour, 401)):
        assert caller.ask("GET", "/feeds", header=caller.signed("/feeds", at))[0] == status


def test_a_request_is_good_for_what_was_signed(following: Pair, caller: Caller) -> None:
    for header in (
        caller.signed("/feeds/golden/entries?after=0"),
        caller.signed("/feeds", to=following.edge.fleet.key.public),
        caller.signed("/feeds").replace("at=1", "at=2"),
        "",
        "Glance-Fleet",
    ):
        assert caller.ask("GET", "/feeds", header=header)[0] == 401


def test_a_peer_that_was_removed_is_let_in_no_more(following: Pair, caller: Caller) -> None:
    following.center.fleet.peers.remove("edge")
    assert caller.ask("GET", "/feeds")[0] == 401
    with pytest.raises(Forbidden, match="not known here"):
        following.sync()


def test_the_key_of_a_site_can_be_asked_for(center: Site, edge: Site, serve: Serve) -> None:
    url = serve(center)
    with pytest.raises(Forbidden, match="has the fingerprint"):
        edge.fleet.peers.pair("center", "0" * 32, url=url)
    peer = edge.fleet.peers.pair("center", center.fleet.key.fingerprint, url=url)
    assert peer.key == center.fleet.key.public


def test_blocks_travel_as_they_are_stored(following: Pair, caller: Caller) -> None:
    image_id = following.center.add(b"again and again " * 200_000)
    entry = json.loads(caller.ask("GET", "/feeds/golden/entries?after=0")[1])["entries"][0]["entry"]
    count = json.loads(entry)["put"]["map"]["blocks"]
    bits = b"\x01" + bytes(-(-count // 8) - 1)
    status, answer = caller.ask("POST", f"/feeds/golden/images/{image_id}/blocks", bits)
    assert status == 200 and len(answer) < 50_000
    first = next(read_records(io.BytesIO(answer).read))
    assert first.plain() and first.codec == 1


class Liar:
    """A source that does not tell the truth in one way."""

    def __init__(self, center: Site, lie: str) -> None:
        self._context = center.fleet.context
        self._serving = center.fleet.serving
        self._lie = lie

    def entries(self, feed: str, after: int) -> tuple[list[object], int]:
        page = self._serving.entries("edge", feed, after)
        found: list[object] = [entry.signed() for entry in page.entries]
        if self._lie == "gap":
            return found[1:], page.sequence
        if self._lie == "old page":
            return [entry.signed() for entry in self._serving.entries("edge", feed, 0).entries], page.sequence
        if self._lie == "endless":
            return found, page.sequence + 1000
        if self._lie == "another feed":
            other = make(self._context.key, "other", page.entries[0].position, 0, page.entries[0].image_id, None)
            return [other.signed()], page.sequence
        return found, page.sequence

    def map(self, feed: str, manifest: Manifest) -> bytes:
        packed = self._serving.map("edge", feed, manifest["id"])
        return packed[:-1] + b"x" if self._lie == "map" else packed

    def blocks(self, feed: str, manifest: Manifest, block_map: BlockMap, bits: bytes) -> Iterator[StoredBlock]:
        for block in self._serving.blocks("edge", feed, manifest["id"], bits).sent(0):
            if self._lie == "nothing":
                return
            yield block._replace(data=b"x" * len(block.data)) if self._lie == "block" else block
            if self._lie == "twice":
                yield block


@pytest.mark.parametrize(
    ("lie", "kind", "sentence"),
    [
        ("gap", ApplianceError, "missing|does not follow"),
        ("old page", ApplianceError, "another than|entries"),
        ("another feed", Invalid, "is of the feed other"),
        ("map", Invalid, "not the one that the manifest names"),
        ("block", Corrupt, "a block that came"),
        ("twice", Corrupt, "another block than it was asked for"),
        ("nothing", Invalid, "sends nothing"),
    ],
)
def test_a_peer_that_does_not_tell_the_truth_is_refused(
    following: Pair, lie: str, kind: type[ApplianceError], sentence: str
) -> None:
    first = following.center.add(data())
    following.sync()
    following.center.add(data())
    following.center.add(data())
    context = following.edge.fleet.context
    liar = Liar(following.center, lie)
    with pytest.raises(kind, match=sentence):
        Follower(context, context.feed("golden"), liar, Progress(), threading.Event()).run()
    assert following.edge.ids() == {first} and not following.edge.findings()
    assert len(following.sync()) == 2


def test_a_feed_is_followed_in_the_background(center: Site, edge: Site, serve: Serve) -> None:
    following = Pair(center, edge, serve(center), FollowTerms(every=1))
    image_id = center.add(data())
    edge.fleet.syncer.start()
    came = threading.Event()
    for _ in range(600):
        if edge.ids() == {image_id}:
            came.set()
            break
        came.wait(0.05)
    following.edge.fleet.syncer.stop()
    assert came.is_set()


def test_a_bucket_lets_through_what_it_is_told_to() -> None:
    moment = [0.0]
    bucket = Bucket(1000, lambda: moment[0])
    assert bucket.take(1000) == 0
    assert bucket.take(500) == pytest.approx(0.5)
    moment[0] = 10.0
    assert bucket.take(1000) == 0


def test_hours_may_go_over_midnight() -> None:
    hours = Hours("22:00-06:00")
    times = [datetime(2026, 11, 26, hour, minute) for hour, minute in ((21, 59), (22, 0), (3, 0), (5, 59), (6, 0))]
    assert [hours.has(int(at.timestamp() * 1_000_000)) for at in times] == [False, True, True, True, False]


def test_wrong_hours_are_refused() -> None:
    for text in ("22-6", "25:00-06:00", "22:00", "22:00-06:00 "):
        with pytest.raises(Invalid):
            Hours(text)
