"""What is between two sites: an HTTP proxy that may ask for a password, and a line that cuts, slows and translates."""

import base64
import http.client
import itertools
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.answering import answering

_CHUNK = 16384


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes in both directions until one of the two has ended."""
    while True:
        ready, _, _ = select.select([one, other], [], [], 30)
        for source in ready:
            data = source.recv(_CHUNK)
            if not data:
                return
            (other if source is one else one).sendall(data)
        if not ready:
            return


@dataclass
class Seen:
    """What came through a proxy."""

    url: str = ""
    credentials: str = ""
    """`name:password` that it asks for, if it does."""
    requests: list[tuple[str, str]] = field(default_factory=list)


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: Seen

    def _may(self) -> bool:
        self.seen.requests.append((self.command, self.path))
        wanted = "Basic " + base64.b64encode(self.seen.credentials.encode()).decode()
        if not self.seen.credentials or self.headers.get("Proxy-Authorization") == wanted:
            return True
        self.close_connection = True
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="line"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def do_CONNECT(self) -> None:
        if not self._may():
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=30) as there:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                _pump(self.connection, there)
        self.close_connection = True

    def _relay(self) -> None:
        if not self._may():
            return
        parts = urlsplit(self.path)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection.request(self.command, parts._replace(scheme="", netloc="").geturl(), body or None, headers)
        answer = connection.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        connection.close()

    do_GET = do_POST = _relay

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def http_proxy(credentials: str = "") -> Iterator[Seen]:
    """A proxy for `http_proxy` and `https_proxy`."""
    seen = Seen(credentials=credentials)
    with answering(type("Proxy", (_Proxy,), {"seen": seen})) as address:
        seen.url = address.removeprefix("http://")
        yield seen


@dataclass
class Line:
    """A line to one address, and what it does; may be changed while it is used."""

    url: str = ""
    cut_after: int = 0
    """Bytes that come down in one connection before it breaks; 0 for all."""
    rate: int = 0
    """Bytes a second that come down; 0 for as many as there are."""
    sources: Iterator[str] = field(default_factory=lambda: itertools.repeat("127.0.0.1"))
    """The address from which each connection goes out."""
    connections: int = 0
    down: int = 0
    up: int = 0


class _Line:
    """Accepts connections, and carries each to the other side."""

    def __init__(self, line: Line, target: tuple[str, int]) -> None:
        self._line = line
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        line.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            self._line.connections += 1
            threading.Thread(target=self._carry, args=(here,), daemon=True).start()

    def _carry(self, here: socket.socket) -> None:
        source = (next(self._line.sources), 0)
        with here, suppress(OSError), socket.create_connection(self._target, 30, source) as there:
            threading.Thread(target=self._carry_up, args=(here, there), daemon=True).start()
            came = 0
            while data := there.recv(min(_CHUNK, self._line.cut_after - came) if self._line.cut_after else _CHUNK):
                here.sendall(data)
                came += len(data)
                self._line.down += len(data)
                if self._line.rate:
                    time.sleep(len(data) / self._line.rate)
                if 0 < self._line.cut_after <= came:
                    break
            for end in (here, there):
                end.shutdown(socket.SHUT_RDWR)

    def _carry_up(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while data := here.recv(_CHUNK):
                there.sendall(data)
                self._line.up += len(data)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@contextmanager
def line_to(url: str, **given: Any) -> Iterator[Line]:
    """A line to a site."""
    parts = urlsplit(url)
    made = Line(**given)
    running = _Line(made, (str(parts.hostname), int(parts.port or 80)))
    try:
        yield made
    finally:
        running.close()
