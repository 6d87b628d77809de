"""Clients that mean no good, each kind in a small form: what they hold, and that others don't notice."""

import contextlib
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from appliance.errors import LimitExceeded
from appliance.server.limits import origin
from appliance.values import Uploader
from tests.server.conftest import Client, Respond, Serve

_PATIENCE = 20.0
_GET = b"GET /%d HTTP/1.1\r\nHost: here\r\n\r\n"
_CHUNKED = b"POST /in HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n"


class Big:
    """Answers 4 KiB to whatever is asked, and counts."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self.answered = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.answered += 1
        return self._respond(start_response, environ["PATH_INFO"].encode() + b"x" * 4096)


class Sink:
    """Reads what it is sent and says how much that was; 413 if it may not."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self.begun = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        size = 0
        try:
            while part := environ["wsgi.input"].read(65536):
                if environ["appliance.streamed_body"] and not size:
                    self.begun.release()
                size += len(part)
        except LimitExceeded:
            return self._respond(start_response, b"", "413 Too Large")
        return self._respond(start_response, f"{size} {environ['appliance.streamed_body']}".encode())


@pytest.fixture
def big(respond: Respond) -> Big:
    return Big(respond)


@pytest.fixture
def sink(respond: Respond) -> Sink:
    return Sink(respond)


# -- readers that don't read -----------------------------------------------------------------------------------------


def test_clients_that_pipeline_and_never_read_hold_nobody_up(serve: Serve, big: Big) -> None:
    running = serve(big, worker_threads=1)
    for _ in range(8):
        running.client(receive_buffer=4096).send(*(_GET % number for number in range(2000)))
    for _ in range(20):
        assert running.client().request("GET", "/").response().status == 200


def test_what_is_pipelined_is_not_begun_while_earlier_answers_wait(serve: Serve, big: Big) -> None:
    running = serve(big)
    client = running.client(receive_buffer=4096).send(*(_GET % number for number in range(2000)))
    count = -1
    while count != big.answered:
        count = big.answered
        time.sleep(0.2)
    # Kernel buffers take a part; all of them would be 8 MB.
    assert big.answered < 2000
    for number in range(2000):
        assert client.response().body.startswith(b"/%dx" % number)


# -- bodies of strangers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identify", [None, lambda environ: None], ids=["nobody is known here", "this one is not"])
def test_stranger_that_drips_chunks_holds_no_slot_and_is_timed_out(
    serve: Serve, sink: Sink, identify: Callable[[Any], None] | None
) -> None:
    running = serve(sink, transfer_slots=1, worker_threads=1, identify=identify, receive_seconds=0.5)
    drip = running.client().send(_CHUNKED, b"\r\n1\r\n")
    assert running.client().request("POST", "/", b"abc").response().body == b"3 False"
    drip.send(b"a")
    assert drip.response().status == 408
    assert drip.at_end()


def test_small_chunked_body_of_a_stranger_arrives_whole_with_its_length(serve: Serve, sink: Sink) -> None:
    client = serve(sink, identify=None).client()
    for _ in range(2):
        client.send(_CHUNKED, b"\r\n3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")
        assert client.response().body == b"5 False"


def test_stranger_that_waits_for_continue_gets_it(serve: Serve, sink: Sink) -> None:
    client = serve(sink, identify=None).client()
    client.request("POST", "/", Content_Length="3", Expect="100-continue")
    assert client.response().status == 100
    assert client.send(b"abc").response().body == b"3 False"


@pytest.mark.parametrize("framing", [b"Content-Length: 500000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n7A120\r\n"])
def test_large_body_of_a_stranger_is_not_read(serve: Serve, sink: Sink, framing: bytes) -> None:
    client = serve(sink, identify=lambda environ: None).client()
    client.send(b"POST / HTTP/1.1\r\nHost: here\r\n", framing, b"x" * 200_000)
    response = client.response()
    assert (response.status, response.headers["connection"]) == (413, "close")


def test_broken_chunks_of_a_stranger_are_refused(serve: Serve, sink: Sink) -> None:
    client = serve(sink, identify=None).client().send(_CHUNKED, b"\r\nxyz\r\n")
    assert client.response().status == 400
    assert client.at_end()


def test_failure_to_identify_makes_a_stranger(serve: Serve, sink: Sink) -> None:
    running = serve(sink, identify=lambda environ: 1 // 0)
    assert running.client().request("PUT", "/", b"x" * 200_000).response().status == 413


# -- slots -----------------------------------------------------------------------------------------------------------


def _by_name(environ: dict[str, Any]) -> Uploader:
    return Uploader((environ["HTTP_X_NAME"],), environ["HTTP_X_FROM"])


def _upload(running: Any, name: str, address: str = "a") -> Any:
    return running.client().request("PUT", "/", Content_Length="200000", X_Name=name, X_From=address).send(b"1")


@pytest.mark.parametrize(
    ("limits", "mine", "other"),
    [
        ({"transfer_slots_per_caller": 2}, ("me", "a"), ("you", "a")),
        ({"transfer_slots_per_address": 2}, ("me", "a"), ("me", "b")),
    ],
    ids=["one caller", "one address"],
)
def test_nobody_takes_all_slots(serve: Serve, sink: Sink, limits: dict[str, int], mine: str, other: str) -> None:
    running = serve(sink, identify=_by_name, transfer_slots=3, **limits)
    uploads = [_upload(running, *mine) for _ in range(5)]
    for _ in range(2):
        assert sink.begun.acquire(timeout=_PATIENCE)
    assert _upload(running, *other).send(b"2" * 199_999).response().status == 200
    for upload in uploads:
        upload.send(b"2" * 199_999)
    assert [upload.response().status for upload in uploads] == [200] * 5


def test_queue_is_each_callers_own(serve: Serve, sink: Sink) -> None:
    running = serve(sink, identify=_by_name, transfer_slots=1, transfer_queue=1)
    first = _upload(running, "me")
    assert sink.begun.acquire(timeout=_PATIENCE)
    second = _upload(running, "me")
    assert running.client().request("GET", "/").response().status == 200
    assert _upload(running, "me").response().status == 503
    other = _upload(running, "you")
    for upload in (first, second, other):
        assert upload.send(b"2" * 199_999).response().status == 200


# -- slow senders ----------------------------------------------------------------------------------------------------


def _drip(client: Any, size: int, pause: float, seconds: float) -> bytes:
    """Send `size` bytes at a time; what the server has said by the end."""
    end = time.monotonic() + seconds
    client.sock.settimeout(pause)
    while time.monotonic() < end:
        try:
            client.send(b"x" * size)
            return bytes(client.sock.recv(100))
        except TimeoutError:
            continue
        except OSError:
            return b"cut"
    return b""


def test_upload_that_drips_is_cut(serve: Serve, sink: Sink) -> None:
    running = serve(sink, stall_seconds=0.5, minimum_rate=10_000)
    client = running.client().request("PUT", "/", Content_Length="200000").send(b"x")
    assert _drip(client, 1, 0.05, _PATIENCE) in (b"", b"cut")


def test_slow_but_steady_upload_goes_on(serve: Serve, sink: Sink) -> None:
    running = serve(sink, stall_seconds=0.3, minimum_rate=1000)
    client = running.client().request("PUT", "/", Content_Length="200000").send(b"x")
    assert _drip(client, 500, 0.05, 1.5) == b""
    client.sock.settimeout(_PATIENCE)


def test_upload_that_takes_for_ever_is_cut(serve: Serve, sink: Sink) -> None:
    running = serve(sink, upload_seconds=0.5)
    client = running.client().request("PUT", "/", Content_Length="2000000").send(b"x")
    assert _drip(client, 5000, 0.05, 5.0) in (b"", b"cut")
    assert running.client().request("GET", "/").response().status == 200


def test_head_may_take_a_second_more_for_what_has_come(serve: Serve, respond: Respond) -> None:
    running = serve(lambda environ, start: respond(start), receive_seconds=0.3, minimum_rate=1000)
    client = running.client().send(b"GET / HTTP/1.1\r\nHost: here\r\nX: ", b"x" * 2000)
    time.sleep(1.0)
    assert client.send(b"\r\n\r\n").response().status == 200


# -- too many connections --------------------------------------------------------------------------------------------


def _half_heads(running: Any, count: int, port: int = 0) -> list[Any]:
    found = []
    for _ in range(count):
        # One more may be closed in the middle of its TLS handshake.
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            found.append(running.client(port).send(b"GET / HTTP/1.1\r\nHost: he"))
    return found


@pytest.mark.parametrize("limit", ["connections", "connections_per_port", "connections_per_address"])
def test_half_heads_keep_nobody_out(serve: Serve, respond: Respond, limit: str) -> None:
    running = serve(lambda environ, start: respond(start), **{limit: 16})
    heads = _half_heads(running, 40)
    time.sleep(0.1)
    begin = time.monotonic()
    assert running.client().request("GET", "/").response().status == 200
    assert time.monotonic() - begin < 5
    assert heads


def test_flood_of_one_port_leaves_the_other_its_connections(serve: Serve, respond: Respond) -> None:
    running = serve(*[lambda environ, start: respond(start)] * 2, connections=20, connections_per_port=16)
    kept = running.client(1).request("GET", "/")
    assert kept.response().status == 200
    _half_heads(running, 40)
    time.sleep(0.1)
    assert running.client(0).request("GET", "/").response().status == 200
    assert kept.request("GET", "/").response().status == 200


@pytest.mark.parametrize("encrypted", ["plain"], indirect=True)
def test_connections_that_are_being_served_are_not_closed_for_others(serve: Serve, sink: Sink) -> None:
    running = serve(sink, connections_per_address=4)
    uploads = [running.client().request("PUT", "/", Content_Length="200000").send(b"1") for _ in range(4)]
    for _ in uploads:
        assert sink.begun.acquire(timeout=_PATIENCE)
    assert running.client().response().status == 503
    for upload in uploads:
        assert upload.send(b"2" * 199_999).response().status == 200


def test_proxy_may_have_more_connections_than_one_client(serve: Serve, respond: Respond) -> None:
    running = serve(lambda environ, start: respond(start), connections_per_address=4, is_proxy="127.0.0.1".__eq__)
    clients = [running.client().request("GET", "/") for _ in range(12)]
    assert [client.response().status for client in clients] == [200] * 12
    assert [client.request("GET", "/").response().status for client in clients] == [200] * 12


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_network_of_an_ipv6_client_counts_as_one_address(address: str, counts_as: str) -> None:
    assert origin(address) == counts_as


_OUT_OF_FILES = """
import os, resource, sys, threading
from appliance.server.server import Limits, Listener, Server

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]

server = Server([Listener(app, "127.0.0.1", 0)], Limits(connections=60))
server.start()
print(server.addresses[0][1], flush=True)
used = len(os.listdir("/proc/self/fd"))
resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, used + 20))
threading.Thread(target=lambda: (sys.stdin.read(), server.stop(0)), daemon=True).start()
server.run()
"""


def test_lack_of_descriptors_is_met_by_closing_the_idlest() -> None:
    words = [sys.executable, "-c", _OUT_OF_FILES]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        port = int(process.stdout.readline())
        heads = [Client(("127.0.0.1", port)) for _ in range(40)]
        for head in heads:
            head.send(b"GET / HTTP/1.1\r\nHost: he")
        time.sleep(0.1)
        client = Client(("127.0.0.1", port))
        assert client.request("GET", "/").response().status == 200
        for each in (*heads, client):
            each.close()
        process.stdin.close()
        assert process.wait(_PATIENCE) == 0


def test_few_descriptors_mean_few_connections() -> None:
    program = """
import resource
from appliance.server.server import Limits, Listener, Server
resource.setrlimit(resource.RLIMIT_NOFILE, (556, 556))
server = Server([Listener(None, "127.0.0.1", 0)], Limits())
server.start()
print(server._limits.connections, server._limits.connections_per_address)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "100 25\n"
    assert "enough for 100 connections, not 1000" in ended.stderr


# -- clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-86400.0, 86400.0], ids=["back", "on"])
def test_clock_that_jumps_closes_nothing_and_keeps_nothing_open(
    serve: Serve, sink: Sink, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    running = serve(sink, idle_seconds=1.0, receive_seconds=1.0, stall_seconds=30.0)
    clients = [running.client() for _ in range(4)]
    upload = running.client().request("PUT", "/", Content_Length="200000").send(b"1")
    assert sink.begun.acquire(timeout=_PATIENCE)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    for client in clients:
        assert client.request("GET", "/").response().status == 200
    half = running.client().send(b"GET / HTTP/1.1\r\nHost: he")
    assert half.response().status == 408
    for client in clients:
        assert client.at_end()
    assert upload.send(b"2" * 199_999).response().status == 200
