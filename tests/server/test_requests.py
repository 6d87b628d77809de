"""What is a request and what is refused: framing, smuggling, limits, keep-alive, pipelining."""

from typing import Any

import pytest

from tests.server.conftest import Respond, Running, Serve


@pytest.fixture
def running(serve: Serve, respond: Respond) -> Running:
    def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = b""
        while part := environ["wsgi.input"].read(65536):
            body += part
        return respond(start_response, environ["PATH_INFO"].encode("latin-1") + b"|" + body)

    return serve(echo, header_bytes=8192, small_body_bytes=100)


_HOST = b"Host: here\r\n"

REFUSED = [
    ("both lengths", b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
    ("both, other order", b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400),
    ("two lengths", b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n", 400),
    ("the same length twice", b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n", 400),
    ("list of lengths", b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length: 3, 3\r\n", 400),
    ("signed length", b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length: +3\r\n", 400),
    ("negative length", b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length: -3\r\n", 400),
    ("hexadecimal length", b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length: 0x3\r\n", 400),
    ("empty length", b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length:\r\n", 400),
    ("endless length", b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length: " + b"9" * 5000 + b"\r\n", 400),
    ("gzip coding", b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: gzip\r\n", 501),
    ("gzip then chunked", b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: gzip, chunked\r\n", 501),
    ("chunked then gzip", b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: chunked, gzip\r\n", 501),
    ("identity coding", b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: identity\r\n", 501),
    ("misspelt chunked", b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: xchunked\r\n", 501),
    ("quoted chunked", b"POST / HTTP/1.1\r\n" + _HOST + b'Transfer-Encoding: "chunked"\r\n', 501),
    ("vertical tab chunked", b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: \x0bchunked\r\n", 501),
    ("chunked twice", b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: chunked, chunked\r\n", 400),
    ("two codings", b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: chunked\r\n" * 2, 400),
    ("empty coding", b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding:\r\n", 400),
    ("chunked in HTTP/1.0", b"POST / HTTP/1.0\r\n" + _HOST + b"Transfer-Encoding: chunked\r\n", 400),
    ("folded header", b"GET / HTTP/1.1\r\n" + _HOST + b"X: a\r\n b\r\n", 400),
    ("folded coding", b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding:\r\n chunked\r\n", 400),
    ("fold before any header", b"GET / HTTP/1.1\r\n X: a\r\n" + _HOST, 400),
    ("space before colon", b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length : 3\r\n", 400),
    ("tab before colon", b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding\t: chunked\r\n", 400),
    ("no colon", b"GET / HTTP/1.1\r\n" + _HOST + b"X\r\n", 400),
    ("empty name", b"GET / HTTP/1.1\r\n" + _HOST + b": x\r\n", 400),
    ("NUL in value", b"GET / HTTP/1.1\r\n" + _HOST + b"X: a\0b\r\n", 400),
    ("bare LF in header", b"GET / HTTP/1.1\r\n" + _HOST + b"X: a\nContent-Length: 3\r\n", 400),
    ("bare CR in header", b"GET / HTTP/1.1\r\n" + _HOST + b"X: a\rContent-Length: 3\r\n", 400),
    ("no host", b"GET / HTTP/1.1\r\n", 400),
    ("two hosts", b"GET / HTTP/1.1\r\n" + _HOST * 2, 400),
    ("markup as host", b"GET / HTTP/1.1\r\nHost: <script>\r\n", 400),
    ("space in host", b"GET / HTTP/1.1\r\nHost: a b\r\n", 400),
    ("path in host", b"GET / HTTP/1.1\r\nHost: a/..\r\n", 400),
    ("user in host", b"GET / HTTP/1.1\r\nHost: user@here\r\n", 400),
    ("tab in host", b"GET / HTTP/1.1\r\nHost: a\tb\r\n", 400),
    ("control byte in host", b"GET / HTTP/1.1\r\nHost: a\x7fb\r\n", 400),
    ("list of hosts", b"GET / HTTP/1.1\r\nHost: a, b\r\n", 400),
    ("word as port", b"GET / HTTP/1.1\r\nHost: a:http\r\n", 400),
    ("long port", b"GET / HTTP/1.1\r\nHost: a:123456\r\n", 400),
    ("open bracket in host", b"GET / HTTP/1.1\r\nHost: [::1\r\n", 400),
    ("quote in host", b"GET / HTTP/1.1\r\nHost: a'b\r\n", 400),
    ("raw UTF-8 in host", "GET / HTTP/1.1\r\nHost: ü.example\r\n".encode(), 400),
    ("odd host in chunked request", b"POST / HTTP/1.1\r\nHost: a b\r\nTransfer-Encoding: chunked\r\n", 400),
    ("odd host in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a b\r\n", 400),
    ("no version", b"GET /\r\n" + _HOST, 400),
    ("HTTP/2.0", b"GET / HTTP/2.0\r\n" + _HOST, 505),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\n" + _HOST, 505),
    ("garbage version", b"GET / HTTP/one\r\n" + _HOST, 400),
    ("lower-case method", b"get / HTTP/1.1\r\n" + _HOST, 400),
    ("two spaces", b"GET  / HTTP/1.1\r\n" + _HOST, 400),
    ("space in target", b"GET /a b HTTP/1.1\r\n" + _HOST, 400),
    ("control byte in target", b"GET /\x01 HTTP/1.1\r\n" + _HOST, 400),
    ("broken absolute target", b"GET http://[x/ HTTP/1.1\r\n" + _HOST, 400),
    ("unknown expectation", b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length: 3\r\nExpect: magic\r\n", 417),
    ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400),
    ("long header", b"GET / HTTP/1.1\r\n" + _HOST + b"X: " + b"x" * 8192 + b"\r\n", 431),
    ("many headers", b"GET / HTTP/1.1\r\n" + _HOST + b"X: 12345678\r\n" * 700, 431),
    ("long target", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + _HOST, 431),
]


@pytest.mark.parametrize(("head", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_request_that_is_malformed_is_refused_and_cut(running: Running, head: bytes, status: int) -> None:
    client = running.client().send(head, b"\r\nabcGET /smuggled HTTP/1.1\r\nHost: here\r\n\r\n")
    response = client.response()
    assert response.status == status
    assert response.headers["connection"] == "close"
    assert b"Traceback" not in response.body
    assert client.at_end()


BROKEN_CHUNKS = [
    ("no size", b"\r\nabc\r\n0\r\n\r\n"),
    ("signed size", b"+3\r\nabc\r\n0\r\n\r\n"),
    ("prefixed size", b"0x3\r\nabc\r\n0\r\n\r\n"),
    ("underscored size", b"0_3\r\nabc\r\n0\r\n\r\n"),
    ("size in words", b"three\r\nabc\r\n0\r\n\r\n"),
    ("negative size", b"-3\r\nabc\r\n0\r\n\r\n"),
    ("overflowing size", b"1" + b"0" * 16 + b"\r\nabc\r\n0\r\n\r\n"),
    ("space before size", b" 3\r\nabc\r\n0\r\n\r\n"),
    ("space after size", b"3 \r\nabc\r\n0\r\n\r\n"),
    ("bare LF after size", b"3\nabc\r\n0\r\n\r\n"),
    ("bare CR in extension", b"3;a\rb\r\nabc\r\n0\r\n\r\n"),
    ("NUL in extension", b"3;a\0\r\nabc\r\n0\r\n\r\n"),
    ("endless extension", b"3;" + b"a" * 2000 + b"\r\nabc\r\n0\r\n\r\n"),
    ("data longer than its size", b"3\r\nabcd\r\n0\r\n\r\n"),
    ("bare LF after data", b"3\r\nabc\n0\r\n\r\n"),
    ("trailer without colon", b"3\r\nabc\r\n0\r\ntrailer\r\n\r\n"),
    ("folded trailer", b"3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n"),
    ("endless trailers", b"3\r\nabc\r\n0\r\n" + b"A: 3456789\r\n" * 2000 + b"\r\n"),
]


@pytest.mark.parametrize("body", [row[1] for row in BROKEN_CHUNKS], ids=[row[0] for row in BROKEN_CHUNKS])
def test_chunked_body_that_is_malformed_is_refused_and_cut(running: Running, body: bytes) -> None:
    client = running.client()
    client.send(b"POST /c HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n", body)
    client.send(b"GET /smuggled HTTP/1.1\r\nHost: here\r\n\r\n")
    response = client.response()
    assert response.status == 400
    assert client.at_end()


GOOD_CHUNKS = [
    ("plain", b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
    ("two", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
    ("upper-case size", b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    ("leading zeros", b"0003\r\nabc\r\n000\r\n\r\n", b"abc"),
    ("extension", b'3;name=value;other="x y"\r\nabc\r\n0;last\r\n\r\n', b"abc"),
    ("trailers", b"3\r\nabc\r\n0\r\nX-Digest: 1\r\nY: 2\r\n\r\n", b"abc"),
    ("empty", b"0\r\n\r\n", b""),
    ("CRLF in data", b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
]


@pytest.mark.parametrize(("body", "content"), [row[1:] for row in GOOD_CHUNKS], ids=[row[0] for row in GOOD_CHUNKS])
@pytest.mark.parametrize("byte_by_byte", [False, True], ids=["at once", "byte by byte"])
def test_chunked_body_is_decoded_and_the_next_request_answered(
    running: Running, body: bytes, content: bytes, byte_by_byte: bool
) -> None:
    client = running.client()
    head = b"POST /c HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    data = head + body + b"GET /next HTTP/1.1\r\nHost: here\r\n\r\n"
    for part in [bytes([byte]) for byte in data] if byte_by_byte else [data]:
        client.send(part)
    assert client.response().body == b"/c|" + content
    assert client.response().body == b"/next|"


@pytest.mark.parametrize("size", [1, 99, 100, 101, 5000, 300_000])
def test_pipelined_requests_are_answered_in_order_whatever_streams(running: Running, size: int) -> None:
    client = running.client()
    body = b"b" * size
    for path in ("/1", "/2", "/3"):
        client.request("GET", path).request("POST", path, body)
    for answered in (b"/1", b"/2", b"/3"):
        assert client.response().body == answered + b"|"
        assert client.response().body == answered + b"|" + body


@pytest.mark.parametrize("host", ["here", "h-1.example.org:9292", "127.0.0.1:1", "[::1]:9292", "my_box", ""])
def test_usual_host_is_taken(running: Running, host: str) -> None:
    assert running.client().send(f"GET /h HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).response().body == b"/h|"


def test_request_after_blank_lines_is_answered(running: Running) -> None:
    assert running.client().send(b"\r\n\r\n").request("GET", "/x").response().body == b"/x|"


def test_http_1_0_closes_unless_asked_to_stay(running: Running) -> None:
    client = running.client().send(b"POST /old HTTP/1.0\r\nContent-Length: 300\r\n\r\n", b"x" * 300)
    response = client.response()
    assert (response.body, response.headers["connection"]) == (b"/old|" + b"x" * 300, "close")
    assert client.at_end()
    client = running.client()
    for _ in range(2):
        client.send(b"POST /old HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 300\r\n\r\n", b"x" * 300)
        assert client.response().headers["connection"] == "keep-alive"


@pytest.mark.parametrize("value", ["close", "Close", "keep-alive, close", "foo,close"])
def test_connection_close_is_honoured(running: Running, value: str) -> None:
    client = running.client().request("GET", "/", Connection=value)
    assert client.response().headers["connection"] == "close"
    assert client.at_end()


def test_header_that_stalls_is_timed_out(serve: Serve, respond: Respond) -> None:
    running = serve(lambda environ, start: respond(start), receive_seconds=0.3)
    client = running.client().send(b"GET / HTTP/1.1\r\nHost: he")
    assert client.response().status == 408
    assert client.at_end()


def test_header_that_trickles_is_timed_out(serve: Serve, respond: Respond) -> None:
    running = serve(lambda environ, start: respond(start), receive_seconds=0.4)
    client = running.client().send(b"GET / HTTP/1.1\r\nHost: here\r\nX: ")
    client.sock.settimeout(0.05)
    response = b""
    for _ in range(400):
        try:
            client.send(b"x")
            response = client.sock.recv(100)
            break
        except TimeoutError:
            continue
    assert response.startswith(b"HTTP/1.1 408")


def test_small_body_that_stalls_is_timed_out(serve: Serve, respond: Respond) -> None:
    running = serve(lambda environ, start: respond(start), receive_seconds=0.3)
    client = running.client().request("POST", "/", Content_Length="10").send(b"12345")
    assert client.response().status == 408


def test_idle_connection_is_closed(serve: Serve, respond: Respond) -> None:
    running = serve(lambda environ, start: respond(start), idle_seconds=0.3)
    client = running.client().request("GET", "/")
    assert client.response().status == 200
    assert client.at_end()
