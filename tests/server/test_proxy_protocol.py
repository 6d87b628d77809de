"""The PROXY protocol: what trusted proxies say before everything else, and that nobody else is believed."""

import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.certificates import Authority
from appliance.server.limits import Limits
from appliance.server.listener import Listener
from appliance.server.proxy_protocol import BadProxyHeader, Origin, ProxyHeader
from appliance.server.server import Server
from appliance.server.tls import ServerCertificate
from tests.server.conftest import Client, Running

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
V1 = b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 9292\r\n"


def v2(kind: int = 0x11, command: int = 0x21, more: bytes = b"") -> bytes:
    """A header of version 2, from 192.0.2.7 or 2001:db8::7, port 4711."""
    v4 = socket.inet_aton("192.0.2.7") + socket.inet_aton("10.0.0.1")
    v6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(16)
    body = (v6 if kind == 0x21 else v4) + (4711).to_bytes(2, "big") + bytes(2) + more
    return SIGNATURE + bytes([command, kind]) + len(body).to_bytes(2, "big") + body


def _field(flags: int) -> bytes:
    """The field that tells of TLS, behind another one."""
    return b"\x05\x00\x03abc" + b"\x20\x00\x05" + bytes([flags]) + bytes(4)


WORDS = [
    ("version 1", V1, Origin("192.0.2.7", 4711)),
    ("version 1, IPv6", b"PROXY TCP6 2001:db8::7 ::1 4711 9292\r\n", Origin("2001:db8::7", 4711)),
    ("version 1, unknown", b"PROXY UNKNOWN\r\n", Origin()),
    ("version 1, unknown with more", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Origin()),
    ("version 2", v2(), Origin("192.0.2.7", 4711)),
    ("version 2, IPv6", v2(0x21), Origin("2001:db8::7", 4711)),
    ("version 2, the proxy itself", v2(command=0x20), Origin()),
    ("version 2, of a Unix socket", SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216), Origin()),
    ("version 2, TLS", v2(more=_field(1)), Origin("192.0.2.7", 4711, encrypted=True)),
    ("version 2, no TLS", v2(more=_field(0)), Origin("192.0.2.7", 4711)),
]


@pytest.mark.parametrize("at_once", [1, 7, 1000])
@pytest.mark.parametrize(("name", "header", "origin"), WORDS, ids=[name for name, *_ in WORDS])
def test_a_header_is_read_to_its_end_and_no_further(name: str, header: bytes, origin: Origin, at_once: int) -> None:
    reader, at, data = ProxyHeader(Limits(), required=True), 0, header + GET
    while reader.origin is None:
        at += reader.take(data[at : at + at_once])
    assert (reader.origin, data[at:]) == (origin, GET), name


BAD = [
    ("no header", GET),
    ("a post", b"POST / HTTP/1.1\r\n\r\n"),
    ("too long", b"PROXY " + b"x" * 200),
    ("no address", b"PROXY TCP4 here there 1 2\r\n"),
    ("the other family", b"PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n"),
    ("no ports", b"PROXY TCP4 192.0.2.7 10.0.0.1\r\n"),
    ("a port too high", b"PROXY TCP4 192.0.2.7 10.0.0.1 65536 2\r\n"),
    ("version 3", SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12)),
    ("another command", SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12)),
    ("too short for its addresses", SIGNATURE + b"\x21\x11\x00\x04" + bytes(4)),
    ("immense", SIGNATURE + b"\x21\x11\xff\xff"),
]


@pytest.mark.parametrize(("name", "data"), BAD, ids=[name for name, _ in BAD])
def test_anything_else_is_refused_where_a_header_is_required(name: str, data: bytes) -> None:
    with pytest.raises(BadProxyHeader):
        ProxyHeader(Limits(), required=True).take(data)


# -- on the wire


def _who(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def running(request: pytest.FixtureRequest) -> Callable[..., Running]:
    def start(proxy_protocol: str, *, trusted: bool = True, **given: Any) -> Running:
        server = Running(
            (_who,), Limits(linger_seconds=0.4), proxy_protocol=proxy_protocol, is_proxy=lambda _: trusted, **given
        )
        request.addfinalizer(server.close)
        return server

    return start


@pytest.mark.parametrize("mode", ["accept", "require"])
@pytest.mark.parametrize(("header", "seen"), [(V1, b"192.0.2.7 http"), (v2(more=_field(1)), b"192.0.2.7 https")])
def test_the_client_is_who_a_trusted_proxy_says(
    running: Callable[..., Running], mode: str, header: bytes, seen: bytes
) -> None:
    client = running(mode).client().send(header, GET)
    assert client.response().body == seen
    assert client.send(GET).response().body == seen


@pytest.mark.parametrize("beginning", [b"", b"P"])
def test_a_trusted_proxy_without_a_header_is_served_if_it_is_only_accepted(
    running: Callable[..., Running], beginning: bytes
) -> None:
    client = running("accept").client()
    if beginning:
        assert client.send(b"P").send(b"UT / HTTP/1.1\r\nHost: here\r\n\r\n").response().body == b"127.0.0.1 http"
    else:
        assert client.send(GET).response().body == b"127.0.0.1 http"


def test_a_trusted_proxy_without_a_header_is_refused_if_it_is_required(
    running: Callable[..., Running], tmp_path: Path
) -> None:
    path = tmp_path / "s.sock"
    running("off", more=[Listener(_who, str(path), 0, proxy_protocol="require", is_proxy=lambda _: True)])
    client = _OverPath(path)
    assert client.send(GET).at_end()
    client.close()


def test_this_machine_itself_needs_none(running: Callable[..., Running]) -> None:
    assert running("require").client().send(GET).response().body == b"127.0.0.1 http"


@pytest.mark.parametrize("header", [V1, v2()])
@pytest.mark.parametrize(("mode", "trusted"), [("accept", False), ("require", False), ("off", True)])
def test_nobody_else_may_send_one(running: Callable[..., Running], header: bytes, mode: str, trusted: bool) -> None:
    response = running(mode, trusted=trusted).client().send(header, GET).response()
    assert response.status == 400


def test_a_stranger_is_served_where_proxies_need_a_header(running: Callable[..., Running]) -> None:
    assert running("require", trusted=False).client().send(GET).response().body == b"127.0.0.1 http"


def test_a_header_comes_before_the_handshake(
    running: Callable[..., Running], authority: Authority, trusting: ssl.SSLContext
) -> None:
    certificate = ServerCertificate(authority.server_certificate, authority.server_key)
    server = running("require", certificate=certificate)
    with socket.create_connection(server.address) as sock:
        sock.sendall(V1)
        with trusting.wrap_socket(sock, server_hostname="localhost") as tls:
            tls.sendall(GET)
            assert tls.recv(65536).endswith(b"192.0.2.7 https")


def test_a_client_behind_a_proxy_has_the_limit_of_one_address(running: Callable[..., Running]) -> None:
    server = Running((_who,), Limits(connections_per_address=3), proxy_protocol="require", is_proxy=lambda _: True)
    try:
        first, *others = [server.client().send(V1, b"GET") for _ in range(3)]
        # A newcomer is not idle.
        time.sleep(0.1)
        last = server.client().send(V1, GET)
        assert first.at_end()
        assert last.response().status == 200
        assert others[0].send(b" / HTTP/1.1\r\nHost: here\r\n\r\n").response().status == 200
        assert server.client().send(V1.replace(b".7 ", b".8 "), GET).response().status == 200
    finally:
        server.close()


# -- Unix sockets


class _OverPath(Client):
    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(path))
        self._file = self.sock.makefile("rb")


def test_a_unix_socket_serves_its_owner_and_group_and_is_no_address(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    server = Server([Listener(_who, str(path), 0)], Limits())
    server.start()
    try:
        assert path.stat().st_mode & 0o777 == 0o660
        assert server.addresses == [(str(path), 0)]
    finally:
        server.close()


def test_a_unix_socket_is_served_like_a_port(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    running = Running((), Limits(), more=[Listener(_who, str(path), 0)])
    client = _OverPath(path)
    try:
        assert client.request("GET", "/").response().body == b"unix http"
        assert client.request("GET", "/").response().body == b"unix http"
    finally:
        client.close()
        running.close()
