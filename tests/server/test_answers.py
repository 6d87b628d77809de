"""The head of a response, what follows it, and what a client sees of an application's failure."""

import io
import logging
from typing import Any

import pytest

from appliance.server.channel import Channel
from tests.server.conftest import Respond, Serve
from tests.waiting import eventually


def test_answer_without_body_keeps_the_connection(serve: Serve) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(environ["PATH_INFO"][1:] + " X", [("Content-Length", "0")])
        return []

    client = serve(app).client()
    for status in (204, 304, 200, 204):
        response = client.request("GET", f"/{status}").response()
        assert response.status == status
        assert "connection" not in response.headers
        assert ("content-length" in response.headers) == (status == 200)


def test_head_and_first_part_of_the_body_leave_together(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    send = Channel.send

    def spy(channel: Channel, data: bytes, do_close: bool = True) -> int:
        sent.append(bytes(data))
        return int(send(channel, data, do_close))

    monkeypatch.setattr(Channel, "send", spy)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "6")])
        return [b"one", b"two"] if environ["PATH_INFO"] == "/two" else [b"onetwo"]

    client = serve(app).client()
    assert client.request("GET", "/").response().body == b"onetwo"
    assert [part.endswith(b"\r\n\r\nonetwo") for part in sent] == [True]
    assert client.request("GET", "/two").response().body == b"onetwo"
    assert client.request("HEAD", "/").response(bodyless=True).headers["content-length"] == "6"


def test_answer_of_unknown_length_is_chunked_and_keeps_the_connection(serve: Serve) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"one"
        yield b"two"

    client = serve(app).client()
    for _ in range(2):
        response = client.request("GET", "/").response()
        assert (response.body, response.headers["transfer-encoding"]) == (b"onetwo", "chunked")
    assert client.request("HEAD", "/").response(bodyless=True).status == 200
    assert client.request("GET", "/").response().body == b"onetwo"


def test_answer_of_unknown_length_ends_with_the_connection_in_http_1_0(serve: Serve) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"one"
        yield b"two"

    client = serve(app).client().send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    response = client.response()
    assert (response.body, response.headers["connection"]) == (b"onetwo", "close")
    assert client.at_end()


def test_head_sends_no_body_whatever_the_application_returns(serve: Serve, respond: Respond) -> None:
    client = serve(lambda environ, start: respond(start, b"body")).client()
    response = client.request("HEAD", "/").response(bodyless=True)
    assert response.headers["content-length"] == "4"
    assert client.request("GET", "/").response().body == b"body"


def test_plain_file_is_sent(serve: Serve) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "300000")])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"f" * 300_000))

    client = serve(app).client()
    assert client.request("HEAD", "/").response(bodyless=True).headers["content-length"] == "300000"
    assert client.request("GET", "/").response().body == b"f" * 300_000


def test_failure_of_the_application_is_a_plain_500_and_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise RuntimeError("the secret reason")

    client = serve(app).client()
    response = client.request("GET", "/").response()
    assert response.status == 500
    assert b"secret" not in response.body
    assert b"Traceback" not in response.body
    eventually(lambda: "the secret reason" in caplog.text)


def test_failure_in_the_middle_of_an_answer_cuts_it(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "10")])
        yield b"half"
        raise RuntimeError("too late for a status")

    client = serve(app).client().request("GET", "/")
    response = client.response()
    assert (response.status, response.body) == (200, b"half")
    eventually(lambda: "too late for a status" in caplog.text)


def test_access_log_has_the_path_but_no_query_and_no_header(
    serve: Serve, respond: Respond, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "appliance.server.access")
    client = serve(lambda environ, start: respond(start, b"four")).client()
    client.request("GET", "/v2/im%0Aages?token=hunter2", X_Auth_Token="hunter3").response()
    # A request is logged before the next one on its connection begins.
    client.request("GET", "/").response()
    line, *_ = [record.getMessage() for record in caplog.records if record.name == "appliance.server.access"]
    assert line.startswith("127.0.0.1 GET /v2/im%0Aages 200 4 ")
    assert "hunter" not in line


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X_Forwarded_Proto", "Forwarded"])
def test_headers_of_a_proxy_reach_the_application_and_change_nothing(
    serve: Serve, respond: Respond, name: str, encrypted: bool
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen = (environ["HTTP_" + name.upper()], environ["REMOTE_ADDR"], environ["wsgi.url_scheme"])
        return respond(start_response, repr(seen).encode())

    response = serve(app).client().request("GET", "/", **{name: "anything"}).response()
    assert response.body == b"('anything', '127.0.0.1', '%b')" % (b"https" if encrypted else b"http")


def test_endless_answer_that_its_client_does_not_take_is_cut_and_holds_no_worker(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        while True:
            yield b"x" * 1_000_000

    running = serve(app, worker_threads=1)
    for _ in range(2):
        client = running.client(receive_buffer=4096).request("GET", "/")
        assert client.head().status == 200
    client.reset()
    assert "doesn't fit into memory" in caplog.text
