"""Peers and origins that mean harm: each is refused with one sentence, and nothing is different then."""

import http.client
import itertools
import json
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

import pytest

from appliance.api.appliance_v1.fleet_peers import peer_service
from appliance.blobs import segment_format as fmt
from appliance.blobs.codec import block_digest
from appliance.blobs.delivery import StoredBlock, records
from appliance.errors import ApplianceError, Corrupt, Forbidden, Invalid, LimitExceeded, TooManyRequests, Unavailable
from appliance.fleet.feed_log import Position, make
from appliance.server.limits import Limits
from appliance.values import Caller
from tests.answering import answering
from tests.data_directory import data
from tests.fleet.conftest import Serve
from tests.fleet.sites import Pair, Site, site
from tests.server.conftest import Running

NOWHERE = "\0"
Manifest = dict[str, Any]
Spoil = Callable[[Manifest], None]


def refused(following: Pair, kind: type[ApplianceError], sentence: str) -> None:
    """Refused so, in one line that can be shown, and the site is as it was."""
    edge = following.edge
    before = {image_id: edge.get(image_id) for image_id in edge.ids()}
    with pytest.raises(kind, match=sentence) as error:
        following.sync()
    assert str(error.value).isprintable() and len(str(error.value)) < 700
    assert {image_id: edge.get(image_id) for image_id in edge.ids()} == before and not edge.findings()


# -- an origin that signs what no site of this kind would


def has(name: str, value: Any) -> Spoil:
    return lambda manifest: manifest.update({name: value})


def has_map(**values: Any) -> Spoil:
    def spoil(manifest: Manifest) -> None:
        manifest["map"] |= values
        manifest["size"] = max(manifest["size"], manifest["map"]["data"])

    return spoil


def forge(center: Site, spoil: Spoil) -> Callable[[], None]:
    """Have the origin sign another manifest in the last entry of its feed; what undoes that."""
    feed = center.fleet.publisher.refresh("golden")
    (last,) = center.fleet.context.rows.entries("golden", feed.sequence - 1, 1)
    document = json.loads(last.body)
    spoil(document["put"])
    before = Position(feed.sequence - 1, document["previous"])
    forged = make(center.fleet.key, "golden", before, 0, document["put"]["id"], document["put"])

    def put(body: str, signature: str, head: str) -> None:
        sql = "UPDATE fleet_entries SET body = ?, signature = ? WHERE sequence = ?"
        center.db.transact(lambda tx: tx.execute(sql, (body, signature, feed.sequence)))
        center.set_feed(head=head)

    put(forged.body, forged.signature, forged.position.head)
    return lambda: put(last.body, last.signature, feed.head)


@pytest.mark.parametrize(
    ("spoil", "kind", "sentence"),
    [
        (has_map(blocks=10**9, data=10**12), Invalid, "has 1000000000 blocks, and 33554432 at the most are read here"),
        (has_map(blocks=500, data=400), Invalid, "500 blocks with 400 bytes make no image"),
        (has_map(sha256="../../../etc/passwd"), Invalid, "sha256 must match pattern"),
        (has_map(more=1), Invalid, "must not contain"),
        (has("size", 2**63), Invalid, "size must be smaller"),
        (has("size", -1), Invalid, "size must be bigger"),
        (has("id", "../../../etc/passwd"), Invalid, "id must match pattern"),
        (has("id", 7), Invalid, "id must be string"),
        (has("name", "n" * 256), Invalid, "name must be shorter"),
        (has("name", "half of a character \ud800"), Invalid, "a text in it is none that can be stored"),
        (has("name", "beyond \U0001f600"), Invalid, "4 byte unicode"),
        (has("visibility", "everybody"), Invalid, "visibility must be one of"),
        (has("status", "queued"), Invalid, "status must be one of"),
        (has("min_disk", 2**40), Invalid, "min_disk must be smaller"),
        (has("os_hash_algo", "crc32"), Invalid, "os_hash_algo must be one of"),
        (has("properties", {"p" * 256: "x"}), Invalid, "not be greater than 255"),
        (has("properties", {"p": "x" * 70_000}), Invalid, "is too long"),
        (has("properties", {"p": "\0"}), Invalid, "a text in it is none that can be stored"),
        (has("properties", {"p": {"q": {}}}), Invalid, "must be string or null"),
        (has("properties", {"os_glance_x": "x"}), Invalid, "is reserved"),
        (has("properties", {"locations": "file:///etc/shadow"}), Invalid, "is reserved"),
        (has("tags", ["t" * 256]), Invalid, "must be shorter"),
        (has("tags", ["\ud800"]), Invalid, "a text in it is none that can be stored"),
        (has("owner", ["p"]), Invalid, "owner must be string or null"),
        (has("command", "x"), Invalid, "must not contain"),
    ],
)
def test_a_manifest_that_does_harm_is_refused(
    shared: Pair, spoil: Spoil, kind: type[ApplianceError], sentence: str
) -> None:
    shared.center.add(data(2000))
    restore = forge(shared.center, spoil)
    refused(shared, kind, sentence)
    restore()
    assert len(shared.sync()) == 1


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (has("size", 10**13), "has 10000000000000 bytes, .* a higher image_size_cap lets it in"),
        (has("properties", {f"p{number}": "x" for number in range(129)}), "number of allowed image properties"),
        (has("tags", [f"t{number}" for number in range(129)]), "number of allowed image tags"),
    ],
)
def test_an_image_that_nobody_could_upload_here_does_not_come(following: Pair, spoil: Spoil, sentence: str) -> None:
    following.center.add(data(2000))
    forge(following.center, spoil)
    refused(following, LimitExceeded, sentence)


def test_names_that_steer_a_terminal_are_told_without_that(center: Site, edge: Site) -> None:
    """They are allowed in names of images, as in those that are uploaded; a sentence shows what can be shown."""
    payload = data()
    monday = center.add(payload)
    center.publish()
    receipt = edge.take(center.bundle(), center).receipt
    center.add(payload + b"x" * 30_000, "\x1b[2Jgone\nroot# ")
    edge.delete(monday)
    edge.collect()
    with pytest.raises(ApplianceError, match=r"lacks \d+ blocks") as error:
        edge.take(center.bundle(since=receipt))
    assert str(error.value).isprintable() and "gone" in str(error.value)


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "a\nb", "\x1b[2J", "x" * 65, "-x", ".x"])
def test_a_name_that_is_none_is_refused(center: Site, edge: Site, serve: Serve, name: str) -> None:
    with pytest.raises(Invalid, match="is no name here") as error:
        edge.fleet.peers.pair(name, center.fleet.key.fingerprint, key=center.fleet.key.public)
    assert str(error.value).isprintable()
    with pytest.raises(Invalid, match="is no name here"):
        center.fleet.publisher.create(name, {"all": True}, [])


def test_an_image_with_the_id_of_another_projects_image_does_not_come(following: Pair) -> None:
    """The origin knows the id of an image that a project keeps for itself: that one is untouched, and unseen."""
    center, edge = following.center, following.edge
    theirs = Caller("v", "theirs", roles=frozenset(("member", "reader")))
    body = {"name": "mine", "disk_format": "raw", "container_format": "bare", "visibility": "private"}
    image_id = center.add(data(), "theirs")
    mine = edge.images.create(theirs, body | {"id": image_id})
    before = edge.get(mine.id)
    report = edge.fleet.syncer.run("golden")
    assert report.notes == [f"image {image_id}: another image has its id here; delete that one first"]
    assert edge.get(image_id) == before and before.owner == "theirs"
    center.change(image_id, name="renamed", visibility="public")
    center.delete(image_id)
    edge.fleet.syncer.run("golden")
    assert edge.get(image_id) == before


# -- a peer, or whoever is in between, that answers what it likes


class Between(BaseHTTPRequestHandler):
    """Hands requests on. For those whose path has `path_part`, `answer` gets the real answer, and sends its own."""

    protocol_version = "HTTP/1.1"
    url: str
    path_part: str
    answer: Callable[["Between", bytes], None]

    def _relay(self) -> None:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection.request(self.command, self.path, body or None, dict(self.headers))
        real = connection.getresponse()
        found = real.read()
        connection.close()
        self.close_connection = True
        if self.path_part in self.path:
            type(self).answer(self, found)
        else:
            self.say(real.status, found)

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response_only(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def say_for_ever(self, parts: Iterator[bytes]) -> None:
        self.send_response_only(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))

    do_GET = do_POST = _relay

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def between(url: str) -> Iterator[tuple[str, type[Between]]]:
    handler = type("Hostile", (Between,), {"url": url, "path_part": NOWHERE, "answer": None})
    with answering(handler) as address:
        yield address, handler


@pytest.fixture(scope="module")
def hostile_and_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[type[Between], Pair]]:
    """Two sites with the hostile one between them, for all tests that change nothing."""
    directory = tmp_path_factory.mktemp("sites")
    with ExitStack() as opened:
        center, edge = (opened.enter_context(site(directory / name)) for name in ("center", "edge"))
        served = Running((peer_service(center.fleet),), Limits(linger_seconds=1.0))
        opened.callback(served.close)
        url, handler = opened.enter_context(between(f"http://127.0.0.1:{served.address[1]}"))
        pair = Pair(center, edge, url)
        center.add(data(2000))
        pair.sync()
        yield handler, pair


@pytest.fixture
def hostile(hostile_and_shared: tuple[type[Between], Pair]) -> type[Between]:
    return hostile_and_shared[0]


@pytest.fixture
def shared(hostile_and_shared: tuple[type[Between], Pair]) -> Pair:
    return hostile_and_shared[1]


Answer = Callable[[Between, bytes], None]


def endless(self: Between, real: bytes) -> None:
    self.say_for_ever(itertools.repeat(b"[" * (1 << 20)))


def huge(self: Between, real: bytes) -> None:
    self.say(200, b"{", Content_Length=str(10 << 30))


def deep(self: Between, real: bytes) -> None:
    self.say(200, b'{"entries":' + b"[" * 200_000)


def a_list(self: Between, real: bytes) -> None:
    self.say(200, b"[1, 2, 3]")


def nonsense(self: Between, real: bytes) -> None:
    self.say(200, json.dumps({"entries": [7, None, {"entry": 7}], "sequence": 10**6}).encode())


def no_number(self: Between, real: bytes) -> None:
    self.say(200, json.dumps({"entries": [], "sequence": "many"}).encode())


def signed_by_nobody(self: Between, real: bytes) -> None:
    page = json.loads(real)
    page["entries"][0]["signature"] = "ab" * 64
    self.say(200, json.dumps(page).encode())


def fewer(self: Between, real: bytes) -> None:
    self.say(200, json.dumps({"entries": [], "sequence": -5}).encode())


def elsewhere(self: Between, real: bytes) -> None:
    self.say(302, b"", Location="http://169.254.169.254/latest/meta-data")


def shouts(self: Between, real: bytes) -> None:
    self.say(403, json.dumps({"message": "\x1b[2J\x07\nroot# " * 1000}).encode())


def long_header(self: Between, real: bytes) -> None:
    self.say(200, real, X_Long="x" * 100_000)


def later(self: Between, real: bytes) -> None:
    self.say(429, b'{"message": "later"}', Retry_After=str(10**12))


def longer(self: Between, real: bytes) -> None:
    self.say(200, real + b"x" * 100)


def blocks_for_ever(self: Between, real: bytes) -> None:
    self.say_for_ever(itertools.repeat(real))


def claims_to_be_huge(self: Between, real: bytes) -> None:
    self.say(200, fmt.pack_record(fmt.BLOCKS, b"", 1 << 40))


def bomb(self: Between, real: bytes) -> None:
    """A block of a few bytes that says it becomes 4 GiB."""
    self.say(200, b"".join(records([StoredBlock(block_digest(b"x"), 2**32 - 1, 1, b"\x1f\x00\x01\x00" * 9)])))


def lz4_bomb(self: Between, real: bytes) -> None:
    """The right digest and length, and compressed bytes that become more than that."""
    header = fmt.unpack_record_header(real[: fmt.RECORD_LENGTH])
    first = next(iter(fmt.unpack_blocks(real[fmt.RECORD_LENGTH :][: header.table_length])))
    literal = b"\x1f\x00" + struct.pack("<H", 1) + b"\xff" * 1000 + b"\x00"
    self.say(200, b"".join(records([StoredBlock(first.digest, first.length, 1, literal)])))


def other_block(self: Between, real: bytes) -> None:
    self.say(200, b"".join(records([StoredBlock(block_digest(b"x"), 1, 0, b"x")])))


@pytest.mark.parametrize(
    ("path", "answer", "kind", "sentence"),
    [
        ("/entries", endless, Invalid, "sends more than it was asked for"),
        ("/entries", huge, Invalid, "sends more than it was asked for"),
        ("/entries", deep, Invalid, "does not answer like an appliance"),
        ("/entries", a_list, Invalid, "does not answer like an appliance"),
        ("/entries", nonsense, Invalid, "an entry of a feed is a text with a signature"),
        ("/entries", no_number, Invalid, "does not answer like an appliance"),
        ("/entries", signed_by_nobody, Forbidden, "the signature of the feed entry is not that of the site"),
        ("/entries", fewer, ApplianceError, "the peer has -5 entries of the feed, and here there are"),
        ("/entries", elsewhere, Unavailable, "the peer answers 302"),
        ("/entries", shouts, Forbidden, "The peer says: .*root"),
        ("/entries", long_header, Unavailable, "broke off"),
        ("/entries", later, TooManyRequests, "later"),
        ("/map", endless, Invalid, "sends more than it was asked for"),
        ("/map", huge, Invalid, "sends more than it was asked for"),
        ("/map", longer, Invalid, "sends more than it was asked for|not the one that the manifest names"),
        ("/map", a_list, Invalid, "not the one that the manifest names"),
        ("/blocks", blocks_for_ever, Corrupt, "another block than it was asked for"),
        ("/blocks", huge, Invalid, "sends more than it was asked for"),
        ("/blocks", longer, Corrupt, "record header is damaged"),
        ("/blocks", claims_to_be_huge, Corrupt, "not a record of blocks"),
        ("/blocks", bomb, Corrupt, "another block than it was asked for"),
        ("/blocks", lz4_bomb, Corrupt, "block"),
        ("/blocks", other_block, Corrupt, "another block than it was asked for"),
        ("/blocks", later, TooManyRequests, "later"),
    ],
)
def test_a_peer_that_answers_what_it_likes_is_refused(
    shared: Pair, hostile: type[Between], path: str, answer: Answer, kind: type[ApplianceError], sentence: str
) -> None:
    coming = shared.center.add(data())
    hostile.path_part, hostile.answer = path, answer
    refused(shared, kind, sentence)
    hostile.path_part = NOWHERE
    assert shared.sync() == [coming]
