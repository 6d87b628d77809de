"""Real servers on real sockets, and a client that sends exactly the bytes that a test wants."""

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from appliance.certificates import Authority
from appliance.server.listener import Listener, WSGIApp
from appliance.server.server import Limits, Server
from appliance.server.tls import ServerCertificate

_PATIENCE = 20.0


@dataclass
class AnyResponse:
    """What came back for one request."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One raw connection."""

    def __init__(
        self, address: tuple[str, int], receive_buffer: int | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(_PATIENCE)
        try:
            self.sock.connect(address)
            if tls is not None:
                self.sock = tls.wrap_socket(self.sock, server_hostname=address[0])
        except OSError:
            self.sock.close()
            raise
        self._file = self.sock.makefile("rb")

    def send(self, *parts: bytes) -> "Client":
        self.sock.sendall(b"".join(parts))
        return self

    def request(self, method: str, path: str, body: bytes = b"", /, **headers: str) -> "Client":
        head = [f"{method} {path} HTTP/1.1", "Host: here"]
        if body and "Content_Length" not in headers:
            headers["Content_Length"] = str(len(body))
        head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return self.send("\r\n".join(head).encode() + b"\r\n\r\n", body)

    def head(self) -> AnyResponse:
        """The head of the next answer, its body unread."""
        line = self._file.readline()
        assert line.startswith(b"HTTP/1."), line
        headers: dict[str, str] = {}
        while (field := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = field.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return AnyResponse(int(line.split()[1]), headers, b"")

    def response(self, bodyless: bool = False) -> AnyResponse:
        response = self.head()
        if bodyless or response.status in (100, 204, 304):
            return response
        if response.headers.get("transfer-encoding") == "chunked":
            while size := int(self._file.readline(), 16):
                response.body += self._file.read(size)
                assert self._file.readline() == b"\r\n"
            assert self._file.readline() == b"\r\n"
        elif "content-length" in response.headers:
            response.body = self._file.read(int(response.headers["content-length"]))
        else:
            response.body = self._file.read()
        return response

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def at_end(self) -> bool:
        """The server has closed, and without a reset."""
        return self._file.read(1) == b""

    def close(self) -> None:
        self._file.close()
        self.sock.close()

    def reset(self) -> None:
        """Vanish: RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()


class Running:
    """A server and the thread that it runs in."""

    def __init__(
        self,
        apps: tuple[WSGIApp, ...],
        limits: Limits,
        tls: ssl.SSLContext | None = None,
        more: Sequence[Listener] = (),
        **listener: Any,
    ) -> None:
        self._tls = tls
        self.server = Server([*(Listener(app, "127.0.0.1", 0, **listener) for app in apps), *more], limits)
        self.server.start()
        self._clients: list[Client] = []
        self._thread = threading.Thread(target=self.server.run, name="main loop")
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        return self.server.addresses[0]

    def client(self, port: int = 0, receive_buffer: int | None = None) -> Client:
        self._clients.append(Client(self.server.addresses[port], receive_buffer, self._tls))
        return self._clients[-1]

    def join(self) -> bool:
        """True once the server has ended."""
        self._thread.join(_PATIENCE)
        return not self._thread.is_alive()

    def close(self) -> None:
        self.server.stop(0)
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.close()
        assert self.join()


Serve = Callable[..., Running]
Respond = Callable[..., list[bytes]]
"""The short form of a WSGI response: `respond(start_response, body, status)`."""


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that has made a certificate for this machine."""
    made = Authority(tmp_path_factory.mktemp("tls"))
    made.make_missing(["localhost", "127.0.0.1"], datetime.datetime.now(datetime.UTC))
    return made


@pytest.fixture(scope="session")
def trusting(authority: Authority) -> ssl.SSLContext:
    """How a client connects that trusts that authority."""
    return ssl.create_default_context(cafile=authority.certificate)


@pytest.fixture(params=["plain", pytest.param("tls", marks=pytest.mark.slow)])
def encrypted(request: pytest.FixtureRequest) -> bool:
    """Whether `serve` does it over TLS. What is true of plain connections has to be true of encrypted ones."""
    return bool(request.param == "tls")


@pytest.fixture
def serve(encrypted: bool, authority: Authority, trusting: ssl.SSLContext) -> Iterator[Serve]:
    """`serve(app, …, limit=…)` starts a server for the length of the test."""
    running: list[Running] = []

    def start(*apps: WSGIApp, **given: Any) -> Running:
        listener: dict[str, Any] = {name: given.pop(name) for name in ("identify", "is_proxy") if name in given}
        if encrypted:
            listener["certificate"] = ServerCertificate(authority.server_certificate, authority.server_key)
        limits = Limits(**{"linger_seconds": 1.0, **given})
        running.append(Running(apps, limits, trusting if encrypted else None, **listener))
        return running[-1]

    yield start
    for each in running:
        each.close()


@pytest.fixture
def respond() -> Respond:
    """`respond(start_response, body, status)`: the short form of a WSGI answer."""

    def respond(start_response: Any, body: bytes = b"ok", status: str = "200 OK") -> list[bytes]:
        start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return respond
