"""Bodies that stream: they reach the handler as they arrive, and every way a client can spoil that."""

import hashlib
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import ClientVanished, LimitExceeded
from tests.server.conftest import Client, Respond, Serve

_PATIENCE = 20.0
_BIG = 300_000


class Uploads:
    """An application that reads bodies and keeps what came of each."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self.first_piece = threading.Event()
        self.ended = threading.Event()
        self.error: BaseException | None = None
        self.environ: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/refused":
            return self._respond(start_response, b"no", "401 Unauthorized")
        self.environ = environ
        digest = hashlib.sha256()
        size = 0
        buffer = bytearray(50_000)
        try:
            while count := environ["wsgi.input"].readinto(buffer):
                digest.update(memoryview(buffer)[:count])
                size += count
                self.first_piece.set()
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.ended.set()
        return self._respond(start_response, f"{size} {digest.hexdigest()}".encode())


@pytest.fixture
def uploads(respond: Respond) -> Uploads:
    return Uploads(respond)


def _summary(body: bytes) -> bytes:
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()


def _chunked(body: bytes, size: int) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


_CHUNKED_HEAD = b"PUT / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_handler_reads_before_the_client_has_sent_all(serve: Serve, uploads: Uploads) -> None:
    client = serve(uploads).client().request("PUT", "/", Content_Length=str(_BIG)).send(b"a")
    assert uploads.first_piece.wait(_PATIENCE)
    client.send(b"a" * (_BIG - 1))
    assert client.response().body == _summary(b"a" * _BIG)
    assert uploads.environ["CONTENT_LENGTH"] == str(_BIG)
    assert uploads.environ["appliance.streamed_body"] is True


def test_chunked_body_reaches_the_handler_decoded_and_without_length(serve: Serve, uploads: Uploads) -> None:
    client = serve(uploads).client().send(_CHUNKED_HEAD, b"1\r\na\r\n")
    assert uploads.first_piece.wait(_PATIENCE)
    client.send(b"2\r\nbc\r\n0\r\n\r\n")
    assert client.response().body == _summary(b"abc")
    assert "CONTENT_LENGTH" not in uploads.environ
    assert "HTTP_TRANSFER_ENCODING" not in uploads.environ
    assert uploads.environ["wsgi.input_terminated"] is True


@pytest.mark.parametrize("chunk", [1, 7, 4096, 16_384, 65_536, 1_000_000])
def test_chunked_body_of_any_chunk_size_is_decoded(serve: Serve, uploads: Uploads, chunk: int) -> None:
    body = hashlib.shake_128(b"body").digest(20_000 if chunk < 10 else 700_000)
    client = serve(uploads).client()
    client.send(_CHUNKED_HEAD, _chunked(body, chunk)).send(_CHUNKED_HEAD, _chunked(body[::-1], chunk))
    assert client.response().body == _summary(body)
    assert client.response().body == _summary(body[::-1])


def test_small_body_is_received_first(serve: Serve, respond: Respond) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        streamed = environ["appliance.streamed_body"]
        return respond(start_response, repr((streamed, environ["wsgi.input"].read())).encode())

    assert serve(app).client().request("POST", "/", b"{}").response().body == b"(False, b'{}')"


def test_continue_is_sent_when_the_body_is_read(serve: Serve, uploads: Uploads) -> None:
    client = serve(uploads).client().request("PUT", "/", Content_Length="5", Expect="100-continue")
    assert client.response().status == 100
    client.send(b"12345")
    assert client.response().body == _summary(b"12345")
    assert client.request("PUT", "/", b"x").response().body == _summary(b"x")


def test_continue_is_not_sent_to_a_client_that_began_already(serve: Serve, uploads: Uploads) -> None:
    client = serve(uploads).client()
    client.send(b"PUT / HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n12345")
    assert client.response().status == 200


@pytest.mark.parametrize("framing", [{"Content_Length": "99999999"}, {"Transfer_Encoding": "chunked"}])
def test_refusal_comes_before_the_body_if_the_client_waits_for_it(
    serve: Serve, uploads: Uploads, framing: dict[str, str]
) -> None:
    client = serve(uploads).client().request("PUT", "/refused", Expect="100-continue", **framing)
    response = client.response()
    assert (response.status, response.body, response.headers["connection"]) == (401, b"no", "close")
    assert client.at_end()


def test_refusal_reaches_a_client_that_keeps_sending(serve: Serve, uploads: Uploads) -> None:
    running = serve(uploads, linger_seconds=10.0, linger_bytes=1 << 30)
    client = running.client().request("PUT", "/refused", Content_Length=str(50_000_000))
    # Far more than socket buffers hold: without lingering this send would meet a reset.
    for _ in range(40):
        client.send(b"x" * 1_000_000)
    response = client.response()
    assert (response.status, response.headers["connection"]) == (401, "close")
    assert client.at_end()


def test_refusal_with_a_small_rest_keeps_the_connection(serve: Serve, uploads: Uploads) -> None:
    client = serve(uploads, small_body_bytes=100).client()
    client.request("PUT", "/refused", b"x" * 5000)
    assert client.response().status == 401
    assert client.request("PUT", "/", b"y").response().body == _summary(b"y")


def test_refusal_of_a_client_that_never_sends_its_small_rest_ends_the_connection(
    serve: Serve, uploads: Uploads
) -> None:
    client = serve(uploads, small_body_bytes=100, linger_seconds=0.3, stall_seconds=0.3).client()
    assert client.request("PUT", "/refused", Content_Length="5000").response().status == 401
    assert client.at_end()


def test_client_that_lingers_too_much_is_cut(serve: Serve, uploads: Uploads) -> None:
    running = serve(uploads, linger_bytes=1_000_000, linger_seconds=20.0)
    client = running.client().request("PUT", "/refused", Content_Length=str(1 << 40))
    with pytest.raises((ConnectionError, ssl.SSLError)):
        for _ in range(1000):
            client.send(b"x" * 1_000_000)


VANISHED = [
    ("short body", lambda client: client.close(), b"1" * 70_000, {"Content_Length": "200000"}),
    ("reset", lambda client: client.reset(), b"1" * 70_000, {"Content_Length": "200000"}),
    ("stall", lambda client: None, b"1" * 70_000, {"Content_Length": "200000"}),
    ("short chunk", lambda client: client.close(), b"fff\r\nabc", {"Transfer_Encoding": "chunked"}),
    ("no last chunk", lambda client: client.close(), b"3\r\nabc\r\n", {"Transfer_Encoding": "chunked"}),
    ("no end of trailers", lambda client: client.close(), b"3\r\nabc\r\n0\r\n", {"Transfer_Encoding": "chunked"}),
    ("stall in chunk", lambda client: None, b"3\r\na", {"Transfer_Encoding": "chunked"}),
    ("stall in size", lambda client: None, b"1\r\na\r\n3", {"Transfer_Encoding": "chunked"}),
]


@pytest.mark.parametrize(("leave", "body", "framing"), [row[1:] for row in VANISHED], ids=[row[0] for row in VANISHED])
def test_client_that_vanishes_makes_the_read_fail(
    serve: Serve, uploads: Uploads, leave: Callable[[Client], None], body: bytes, framing: dict[str, str]
) -> None:
    client = serve(uploads, stall_seconds=0.4).client().request("PUT", "/", **framing).send(body)
    assert uploads.first_piece.wait(_PATIENCE)
    leave(client)
    assert uploads.ended.wait(_PATIENCE)
    assert isinstance(uploads.error, ClientVanished)
    with pytest.raises(ClientVanished):
        uploads.environ["wsgi.input"].read(1)


def test_application_may_answer_a_client_that_stalls(serve: Serve, respond: Respond) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            while environ["wsgi.input"].read(1000):
                pass
        except ClientVanished:
            return respond(start_response, b"too slow", "408 Request Timeout")
        return respond(start_response)

    client = serve(app, stall_seconds=0.3).client().request("PUT", "/", Content_Length="200000").send(b"1")
    assert client.response().status == 408
    assert client.at_end()


def test_body_reads_like_a_file(serve: Serve, respond: Respond) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"]
        seen = [body.readline(), body.readline(3), body.read(0), body.read(2), *body]
        return respond(start_response, repr((seen, body.read(), body.read(5), body.readline())).encode())

    client = serve(app, small_body_bytes=1).client()
    expected = repr(([b"one\n", b"two", b"", b"\nt", b"hree\n", b"four"], b"", b"", b"")).encode()
    assert client.request("PUT", "/", b"one\ntwo\nthree\nfour").response().body == expected


def test_body_is_not_read_whole_if_it_is_huge(serve: Serve, respond: Respond) -> None:
    caught: list[BaseException] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except LimitExceeded as error:
            caught.append(error)
        return respond(start_response, b"no", "413 Too Large")

    client = serve(app).client().request("PUT", "/", b"x" * 17_000_000)
    assert client.response().status == 413
    assert caught


def test_answer_may_be_made_while_the_body_is_read(serve: Serve) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        while part := environ["wsgi.input"].read(65536):
            yield part

    client = serve(app).client().request("PUT", "/", Content_Length="200000").send(b"a" * 100_000)
    assert client.head().headers["transfer-encoding"] == "chunked"
    client.send(b"b" * 100_000)
    while client.read(1) != b"b":
        pass


def test_fifty_uploads_run_at_once(serve: Serve, respond: Respond) -> None:
    together = threading.Barrier(50)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"]
        size = len(body.read(1))
        together.wait(_PATIENCE)
        while part := body.read(65536):
            size += len(part)
        return respond(start_response, str(size).encode())

    running = serve(app, transfer_slots_per_address=50)
    clients = [running.client().request("PUT", "/", Content_Length="200000").send(b"1") for _ in range(50)]
    for client in clients:
        client.send(b"2" * 199_999)
    assert [client.response().body for client in clients] == [b"200000"] * 50


def test_nothing_is_spooled_to_a_file(
    serve: Serve, uploads: Uploads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    running = serve(uploads, small_body_bytes=1_000_000)
    assert running.client().request("PUT", "/", b"x" * 900_000).response().status == 200
    assert running.client().request("PUT", "/", b"x" * 2_000_000).response().status == 200
