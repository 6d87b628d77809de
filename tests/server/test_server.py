"""Starting, addresses, and stopping with work in flight."""

import dataclasses
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import ClientVanished, Fatal
from appliance.server.listener import Listener, bind
from appliance.server.server import Limits, Server
from tests.server.conftest import Respond, Serve

_PATIENCE = 20.0


class Gate:
    """An application that responses `/wait` only when told to, and downloads without end at `/endless`."""

    length = 1 << 40

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.closed = threading.Event()
        self.upload_error: BaseException | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path == "/wait":
            self.entered.set()
            assert self.go_on.wait(_PATIENCE)
        if path == "/upload":
            self._receive(environ)
        if path == "/endless":
            start_response("200 OK", [("Content-Length", str(self.length))])
            return environ["wsgi.file_wrapper"](self)
        return self._respond(start_response)

    def _receive(self, environ: dict[str, Any]) -> None:
        try:
            while environ["wsgi.input"].read(65536):
                self.entered.set()
        except ClientVanished as error:
            self.upload_error = error
            self.closed.set()
            raise

    def read(self, size: int = -1, /) -> bytes:
        return b""

    def pieces(self) -> Any:
        while True:
            yield b"x" * 65_536

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def gate(respond: Respond) -> Gate:
    return Gate(respond)


def test_each_application_is_served_at_its_own_address(serve: Serve, respond: Respond) -> None:
    running = serve(*(lambda environ, start, name=name: respond(start, name) for name in (b"one", b"two")))
    assert [running.client(port).request("GET", "/").response().body for port in (0, 1, 0)] == [b"one", b"two", b"one"]
    assert len(set(running.server.addresses)) == 2


def test_busy_port_is_fatal_in_one_sentence_and_frees_the_others(respond: Respond) -> None:
    with bind("127.0.0.1", 0) as busy:
        busy.listen()
        port = busy.getsockname()[1]
        server = Server([Listener(respond, "127.0.0.1", 0), Listener(respond, "127.0.0.1", port)])
        with pytest.raises(Fatal, match=f"127.0.0.1:{port}: another program") as caught:
            server.start()
    assert "\n" not in str(caught.value)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.addresses[0])


def test_two_servers_cannot_share_a_port(serve: Serve, respond: Respond) -> None:
    running = serve(respond)
    with pytest.raises(Fatal, match="another program"):
        Server([Listener(respond, *running.address)]).start()


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 70_000), ("203.0.113.1", 0)])
def test_impossible_address_is_fatal(respond: Respond, host: str, port: int) -> None:
    with pytest.raises(Fatal, match=f"Can't listen on {host}:{port}: "):
        Server([Listener(respond, host, port)]).start()


def test_an_address_of_another_machine_is_called_so(respond: Respond) -> None:
    with pytest.raises(Fatal, match=r"Can't listen on 203\.0\.113\.1:0: this machine has no such address\."):
        Server([Listener(respond, "203.0.113.1", 0)]).start()


def test_ipv6_address_is_served(serve: Serve, respond: Respond) -> None:
    server = Server([Listener(lambda environ, start: respond(start), "::1", 0)])
    try:
        server.start()
    except Fatal:
        pytest.skip("this machine has no IPv6")
    thread = threading.Thread(target=server.run)
    thread.start()
    with socket.create_connection(server.addresses[0]) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert sock.recv(12) == b"HTTP/1.0 200"
    server.stop()
    thread.join(_PATIENCE)
    assert not thread.is_alive()


def test_run_before_start_is_an_error(respond: Respond) -> None:
    with pytest.raises(RuntimeError):
        Server([Listener(respond, "127.0.0.1", 0)]).run()


def test_stop_lets_a_running_request_end_and_closes_idle_connections(serve: Serve, gate: Gate) -> None:
    running = serve(gate)
    idle = running.client().request("GET", "/")
    assert idle.response().status == 200
    busy = running.client().request("GET", "/wait")
    assert gate.entered.wait(_PATIENCE)
    running.server.stop(_PATIENCE)
    assert idle.at_end()
    with pytest.raises(ConnectionRefusedError):
        running.client()
    gate.go_on.set()
    response = busy.response()
    assert (response.status, response.headers["connection"]) == (200, "close")
    assert busy.at_end()
    busy.close()
    assert running.join()


def test_stop_lets_a_running_upload_end(serve: Serve, gate: Gate) -> None:
    running = serve(gate)
    client = running.client().request("PUT", "/upload", Content_Length="200000").send(b"1")
    assert gate.entered.wait(_PATIENCE)
    running.server.stop(_PATIENCE)
    client.send(b"2" * 199_999)
    assert client.response().status == 200
    client.close()
    assert running.join()


def test_stop_cuts_an_upload_when_the_grace_is_over(serve: Serve, gate: Gate) -> None:
    running = serve(gate)
    client = running.client().request("PUT", "/upload", Content_Length="200000").send(b"1")
    assert gate.entered.wait(_PATIENCE)
    running.server.stop(0.1)
    assert running.join()
    assert isinstance(gate.upload_error, ClientVanished)
    assert client.at_end()


def test_stop_cuts_a_download_when_the_grace_is_over(serve: Serve, gate: Gate) -> None:
    running = serve(gate)
    client = running.client(receive_buffer=4096).request("GET", "/endless")
    assert client.head().status == 200
    running.server.stop(0.1)
    assert running.join()
    assert gate.closed.is_set()


def test_second_stop_shortens_the_grace(serve: Serve, gate: Gate) -> None:
    running = serve(gate)
    running.client(receive_buffer=4096).request("GET", "/endless").head()
    running.server.stop(3600)
    running.server.stop(0)
    assert running.join()


def test_stop_before_run_ends_it_at_once(respond: Respond) -> None:
    server = Server([Listener(respond, "127.0.0.1", 0)])
    server.start()
    server.stop()
    server.run()


_PROGRAM = """
import signal, sys
from appliance.server.server import Listener, Server

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]

server = Server([Listener(app, "127.0.0.1", 0)])
signal.signal(signal.SIGTERM, lambda *_: server.stop())
server.start()
print(server.addresses[0][1], flush=True)
server.run()
"""


def test_signal_stops_the_process() -> None:
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout, socket.create_connection(("127.0.0.1", int(process.stdout.readline()))) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE) == 0


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Limits)])
def test_limit_is_documented(field: str) -> None:
    assert f"`{field}" in (Path(__file__).parents[2] / "docs" / "server.md").read_text()


def test_defaults_are_sane() -> None:
    limits = Limits()
    assert limits.transfer_slots >= 50
    assert limits.small_body_bytes < 1 << 20
