"""What may be between two sites: proxies, TLS, address translation, bad lines, and clocks that differ."""

import datetime
import itertools
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from appliance.certificates import Authority
from appliance.errors import Forbidden, Invalid, NotFound, TooManyRequests, Unavailable
from appliance.fleet.operations import FleetOperations
from appliance.fleet.syncing import FollowTerms
from appliance.fleet.web import Incoming
from appliance.server.tls import ServerCertificate
from tests.blobs.backends.fault_proxy import fault_proxy
from tests.data_directory import data
from tests.fleet.conftest import Serve
from tests.fleet.lines import Seen, http_proxy, line_to
from tests.fleet.sites import Pair, Site, pair, site
from tests.fleet.test_trees import Ranges, publish, web

PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def proxy() -> Iterator[Seen]:
    with http_proxy("edge:s3cr:t") as seen:
        yield seen


@pytest.fixture
def secure(center: Site, serve: Serve, authority: Authority) -> str:
    """The address of the centre, in TLS."""
    return serve(center, certificate=ServerCertificate(authority.server_certificate, authority.server_key))


def sha256(certificate: Path, *, of_key: bool = False) -> str:
    """What `openssl x509 -fingerprint -sha256` shows; or that of the public key."""
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    if not of_key:
        return found.fingerprint(hashes.SHA256()).hex(":")
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    packed = found.public_key().public_bytes(serialization.Encoding.DER, form)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(packed)
    return digest.finalize().hex()


# -- proxies


def test_a_feed_is_followed_through_a_proxy(
    center: Site, edge: Site, serve: Serve, proxy: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://edge:s3cr%3At@{proxy.url}")
    url = serve(center)
    following = Pair(center, edge, url)
    image_id = center.add(data())
    assert following.sync() == [image_id]
    assert {method for method, _ in proxy.requests} == {"GET", "POST"}
    assert all(target.startswith(f"{url}/appliance/v1/fleet/peer/") for _, target in proxy.requests)


def test_a_feed_is_followed_through_a_tunnel(
    center: Site, edge: Site, secure: str, authority: Authority, proxy: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://edge:s3cr%3At@{proxy.url}/")
    following = Pair(center, edge, secure, pin=sha256(authority.server_certificate))
    image_id = center.add(data())
    assert following.sync() == [image_id]
    assert set(proxy.requests) == {("CONNECT", secure.removeprefix("https://"))}


def test_files_of_a_feed_are_followed_through_a_proxy(
    center: Site, edge: Site, tmp_path: Path, proxy: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = center.add(data())
    center.publish()
    (tmp_path / "tree").mkdir()
    publish(center, tmp_path / "tree")
    monkeypatch.setenv("http_proxy", f"edge:s3cr%3At@{proxy.url}")
    with web(tmp_path / "tree", Ranges) as url:
        pair(edge, "center", center)
        edge.fleet.syncer.follow("center", "golden", FollowTerms(tree=url))
        assert edge.fleet.syncer.run("golden").created == [image_id]
    assert proxy.requests


@pytest.mark.parametrize("named", ["127.0.0.1", "*", "localhost, 127.0.0.1:{port}"])
def test_hosts_without_a_proxy_are_asked_themselves(
    center: Site, edge: Site, serve: Serve, proxy: Seen, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    url = serve(center)
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("NO_PROXY", named.format(port=url.rpartition(":")[2]))
    following = Pair(center, edge, url)
    center.add(data())
    assert len(following.sync()) == 1 and not proxy.requests


@pytest.mark.parametrize("given", ["", "edge:wrong@"])
@pytest.mark.parametrize("tls", [False, True])
def test_a_proxy_that_lets_nobody_through_is_told_so(
    edge: Site, center: Site, proxy: Seen, monkeypatch: pytest.MonkeyPatch, given: str, tls: bool
) -> None:
    monkeypatch.setenv("https_proxy" if tls else "http_proxy", f"http://{given}{proxy.url}")
    url = f"http{'s' if tls else ''}://images.example.com"
    with pytest.raises(Unavailable) as error:
        edge.fleet.peers.pair("center", center.fleet.key.fingerprint, url=url)
    assert str(error.value) == (
        f"{url} can't be reached: the proxy {proxy.url} wants to know who asks, and does not take what it was told: "
        "name both in the address of the proxy, http://name:password@host:port."
    )
    assert "wrong" not in str(error.value)


@pytest.mark.parametrize(
    ("proxy_url", "kind", "sentence"),
    [
        ("https://proxy.example.com", Invalid, r"http_proxy names https://proxy.example.com: a proxy is named like"),
        ("socks5://127.0.0.1:1", Invalid, r"http_proxy names socks5://127.0.0.1: a proxy is named like"),
        ("http://127.0.0.1:1", Unavailable, r"can't be reached through the proxy 127.0.0.1:1: Connection refused"),
    ],
)
def test_a_proxy_that_can_not_be_used_is_told(
    edge: Site, center: Site, monkeypatch: pytest.MonkeyPatch, proxy_url: str, kind: Any, sentence: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy_url)
    with pytest.raises(kind, match=sentence):
        edge.fleet.peers.pair("center", center.fleet.key.fingerprint, url="http://images.example.com")


# -- certificates


@pytest.mark.parametrize("known_by", ["certificate", "key", "authority"])
def test_a_site_is_known_by_its_certificate(
    center: Site, edge: Site, secure: str, authority: Authority, known_by: str
) -> None:
    pins = {
        "certificate": sha256(authority.server_certificate).upper(),
        "key": sha256(authority.server_certificate, of_key=True),
        "authority": authority.certificate.read_text(),
    }
    following = Pair(center, edge, secure, pin=pins[known_by])
    image_id = center.add(data())
    assert following.sync() == [image_id]


def test_a_certificate_that_nobody_signed_is_refused(center: Site, edge: Site, secure: str) -> None:
    with pytest.raises(Unavailable, match="is not trusted: .* Pin it if it is right"):
        edge.fleet.peers.pair("center", center.fleet.key.fingerprint, url=secure)


def test_another_certificate_is_refused(center: Site, edge: Site, secure: str, authority: Authority) -> None:
    with pytest.raises(Forbidden) as error:
        edge.fleet.peers.pair("center", center.fleet.key.fingerprint, url=secure, pin="ab" * 32)
    found = sha256(authority.server_certificate).replace(":", "")
    assert str(error.value) == (
        f"The certificate of {secure} is not the one that was accepted: its SHA-256 is {found}, that of its key "
        f"{sha256(authority.server_certificate, of_key=True)}. If the site has a new one, `peer set` takes the new pin."
    )
    assert edge.fleet.peers.every() == []


def test_another_authority_is_refused(center: Site, edge: Site, secure: str, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    other.make_missing(["127.0.0.1"], datetime.datetime.now(datetime.UTC))
    with pytest.raises(Unavailable, match="is not trusted"):
        edge.fleet.peers.pair("center", center.fleet.key.fingerprint, url=secure, pin=other.certificate.read_text())


@pytest.mark.parametrize("pin", ["x", "ab" * 31, "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"])
def test_what_is_no_pin_is_refused(center: Site, edge: Site, pin: str) -> None:
    with pytest.raises(Invalid, match="64 hexadecimal digits|in PEM form"):
        edge.fleet.peers.pair("center", center.fleet.key.fingerprint, url="https://127.0.0.1:1", pin=pin)


@pytest.mark.parametrize("known_by", ["certificate", "key", "authority"])
def test_a_certificate_is_changed(
    center: Site, edge: Site, serve: Serve, tmp_path: Path, authority: Authority, known_by: str
) -> None:
    """A new certificate of the same authority, with a key of its own: only the authority is still known then."""
    own = Authority(tmp_path / "tls")
    shutil.copytree(authority.certificate.parent, tmp_path / "tls")
    shown = ServerCertificate(own.server_certificate, own.server_key)
    url = serve(center, certificate=shown)
    pins = {
        "certificate": sha256(own.server_certificate),
        "key": sha256(own.server_certificate, of_key=True),
        "authority": own.certificate.read_text(),
    }
    following = Pair(center, edge, url, pin=pins[known_by])
    first = center.add(data())
    assert following.sync() == [first]
    own.server_certificate.unlink()
    own.make_missing(["127.0.0.1", "localhost"], datetime.datetime.now(datetime.UTC))
    shown.reload()
    second = center.add(data())
    if known_by != "authority":
        with pytest.raises(Forbidden, match="not the one that was accepted"):
            following.sync()
        assert edge.ids() == {first}
        edge.fleet.peers.change("center", {"pin": sha256(own.server_certificate)})
    assert following.sync() == [second]


def test_what_is_said_anew_of_a_peer(following: Pair, authority: Authority) -> None:
    operations = FleetOperations(following.edge.fleet)

    def change(**values: str) -> dict[str, Any]:
        shown = operations.do("PATCH", "/peers/center", values)
        assert shown is not None
        return dict(shown["peer"])

    ca = authority.certificate.read_text()
    changed = change(url="https://new.example.com/", pin="AB:" * 31 + "AB")
    assert (changed["url"], changed["pin"], changed["ca"]) == ("https://new.example.com", "ab" * 32, None)
    assert (change(ca=f"Subject: somebody\n{ca}")["ca"], change()["pin"]) == (ca, None)
    assert change(pin="")["ca"] is None
    for values, sentence in (
        ({"ca": ca, "pin": "ab" * 32}, "by a pin or by an authority, not by both"),
        ({"ca": "no"}, "certificates in PEM form"),
        ({"name": "other"}, "name of the peer center can't be changed"),
    ):
        with pytest.raises(Invalid, match=sentence):
            change(**values)
    with pytest.raises(NotFound, match="There is no peer other"):
        operations.do("PATCH", "/peers/other", {})


# -- addresses and lines


def test_a_follower_needs_no_address(center: Site, edge: Site, serve: Serve) -> None:
    """Each of its connections comes from another address, as behind large translators; nobody ever calls it."""
    sources = (f"127.0.0.{number}" for number in itertools.count(2))
    with line_to(serve(center), sources=sources) as line:
        following = Pair(center, edge, line.url)
        image_id = center.add(data())
        assert following.sync() == [image_id] and line.connections > 3
    assert center.fleet.peers.find("edge").url == ""


def test_a_line_that_breaks_within_every_block_brings_an_image(center: Site, edge: Site, serve: Serve) -> None:
    payload = os.urandom(1_500_000)
    image_id = center.add(payload)
    with line_to(serve(center)) as line:
        following = Pair(center, edge, line.url)
        line.cut_after = 30_000
        assert following.sync() == [image_id]
        assert line.connections > 50
        # Beside the bytes themselves there are the heads of as many answers.
        assert line.down < len(payload) + 500 * line.connections
    assert edge.read(image_id) == payload and following.came() < len(payload) + 10_000


def test_a_line_that_brings_nothing_more_ends_in_a_sentence(center: Site, edge: Site, serve: Serve) -> None:
    center.add(os.urandom(500_000))
    with fault_proxy(serve(center)) as (through, plan):
        following = Pair(center, edge, through)
        plan.set("reset", path="/entries", times=-1)
        with pytest.raises(Unavailable, match="can't be reached: Remote end closed connection"):
            following.sync()
        plan.heal()
        assert len(following.sync()) == 1


def test_an_answer_goes_on_only_as_the_same_answer(center: Site, edge: Site, serve: Serve) -> None:
    """The log has grown between the two halves of a page: it is asked for anew, from its beginning."""
    for _ in range(20):
        center.add(os.urandom(100))
    with line_to(serve(center)) as line:
        following = Pair(center, edge, line.url)
        line.cut_after = 5000
        opened = center.fleet.publisher.refresh

        def growing(name: str) -> Any:
            center.add(os.urandom(100))
            return opened(name)

        center.fleet.publisher.refresh = growing  # type: ignore[method-assign]
        with pytest.raises(Unavailable, match="has another answer now"):
            following.sync()
        center.fleet.publisher.refresh = opened  # type: ignore[method-assign]
        assert len(following.sync()) > 20


class Trickle:
    """An answer of which a byte comes a second."""

    length = 1000

    def __init__(self) -> None:
        self.seconds = 0.0

    def read1(self, size: int) -> bytes:
        self.seconds += 1.0
        return b"x"


def test_an_answer_that_trickles_is_given_up() -> None:
    trickle = Trickle()
    incoming = Incoming(trickle, lambda count: None, lambda: trickle.seconds)  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="too slow"):
        for _ in range(100):
            incoming.read(10)
    assert 60 < trickle.seconds < 70


# -- limits of the origin


def test_an_origin_hands_on_at_its_rate(following: Pair) -> None:
    payload = os.urandom(600_000)
    image_id = following.center.add(payload)
    following.center.set_feed(serve_rate=400_000)
    began = time.monotonic()
    assert following.sync() == [image_id] and following.edge.read(image_id) == payload
    # A second's worth goes at once, and the rest as fast as the rate says.
    assert time.monotonic() - began > 0.4


def test_an_origin_that_is_asked_too_soon_says_when(following: Pair) -> None:
    image_id = following.center.add(os.urandom(300_000))
    following.center.set_feed(serve_rate=10_000)
    following.center.fleet.serving.count("golden", 10_000, 100_000)
    following.center.fleet.publisher.refresh("golden")
    with pytest.raises(TooManyRequests, match="handed on at 10000 bytes a second") as error:
        following.center.fleet.serving.blocks("edge", "golden", image_id, b"\x01")
    assert 8 <= error.value.retry_after <= 10


def test_an_answer_has_what_goes_out_in_ten_seconds(following: Pair) -> None:
    image_id = following.center.add(os.urandom(2_000_000))
    feed = following.center.fleet.publisher.refresh("golden")
    following.center.set_feed(serve_rate=50_000)
    serving = following.center.fleet.serving
    block_map = following.center.fleet.context.map_of(following.center.get(image_id))
    bits = block_map.bitmap({digest for _, digest, _ in block_map.each_block()})
    assert feed.sequence == 1
    assert 250_000 < sum(serving.blocks("edge", "golden", image_id, bits).shipment.stored) <= 500_000


def test_an_origin_hands_on_in_its_hours(following: Pair) -> None:
    """The log and its number come at any time, so that a follower knows how far it is behind."""
    image_id = following.center.add(data())
    now = datetime.datetime.now()
    later = (now + datetime.timedelta(hours=2)).strftime("%H:00"), (now + datetime.timedelta(hours=3)).strftime("%H:00")
    following.center.set_feed(serve_hours="-".join(later))
    with pytest.raises(TooManyRequests, match=f"handed on between {'-'.join(later)} by the clock here"):
        following.sync()
    behind = following.edge.fleet.syncer.behind()[0]
    assert behind.images == 1 and "handed on between" in behind.feed.trouble and not following.edge.ids()
    following.center.set_feed(serve_hours="")
    assert following.sync() == [image_id]


# -- clocks


@pytest.mark.parametrize("ahead", [-3600, 3600])
def test_clocks_of_two_sites_differ_by_an_hour(center: Site, serve: Serve, tmp_path: Path, ahead: int) -> None:
    with ExitStack() as opened:
        edge = opened.enter_context(site(tmp_path / "other", ahead))
        following = Pair(center, edge, serve(center), FollowTerms(every=60))
        image_id = center.add(data())
        assert following.sync() == [image_id]
        center.change(image_id, name="renamed")
        center.add(data())
        assert len(following.sync()) == 1 and edge.get(image_id).name == "renamed"
        # The receipt and the bundle that it is for carry times, too.
        receipt = edge.take(center.bundle(), None).receipt
        center.delete(image_id)
        edge.take(center.bundle(since=receipt))
        assert image_id not in edge.ids() and not edge.findings()


def test_a_clock_that_was_set_back_keeps_no_feed_waiting(following: Pair) -> None:
    following.edge.set_feed(every=60, asked_at=following.edge.clock() + 3600 * 1_000_000)
    syncer = following.edge.fleet.syncer
    assert syncer._is_due(following.edge.fleet.context.feed("golden"))
