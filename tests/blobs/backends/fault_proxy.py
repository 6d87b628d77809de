"""A small HTTP proxy in front of an object store, which does to some requests what networks and stores do."""

import http.client
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.answering import answering

FAULTS = (
    "reset",
    "reset after",
    "stall",
    "stall within",
    "500",
    "503",
    "truncated",
    "flipped",
    "404",
    "skewed",
    "twice",
)

REFUSALS = {
    "404": (404, "NoSuchKey"),
    "500": (500, "InternalError"),
    "503": (503, "SlowDown"),
    "skewed": (403, "RequestTimeTooSkewed"),
}


@dataclass
class Plan:
    """What is to happen: to requests of a method whose path has this in it, so many of them (-1: all)."""

    fault: str = ""
    method: str = ""
    path: str = ""
    times: int = 0
    done: int = 0
    answers_before_stall: bool = False
    """Whether the store has done what was asked when the answer does not come."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, fault: str, method: str = "", path: str = "", times: int = 1) -> None:
        with self.lock:
            self.fault, self.method, self.path, self.times, self.done = fault, method, path, times, 0

    def heal(self) -> None:
        self.set("", times=0)

    def take(self, method: str, path: str) -> str:
        """The fault for this request, if any."""
        with self.lock:
            self.requests.append((method, path))
            if not self.times or self.method not in ("", method) or self.path not in path:
                return ""
            self.times -= 1
            self.done += 1
            return self.fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    plan: Plan
    host: str
    port: int

    def _relay(self) -> None:
        fault = self.plan.take(self.command, self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if fault == "reset":
            return self._reset()
        if fault == "stall":
            if self.plan.answers_before_stall:
                self._ask(body)
            return self._stall()
        if fault in REFUSALS:
            return self._refuse(*REFUSALS[fault])
        if fault == "twice":
            self._ask(body)
        status, headers, data = self._ask(body)
        if fault == "reset after":
            return self._reset()
        if fault == "flipped" and data:
            data = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        length = dict((name.lower(), value) for name, value in headers).get("content-length", str(len(data)))
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(data)))
        self.end_headers()
        if fault in ("truncated", "stall within") and data:
            self.wfile.write(data[: len(data) // 2])
            return self._stall() if fault == "stall within" else self._hang_up()
        self.wfile.write(data)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        # `rfile` holds the socket, too: only a shutdown or the last close is seen at the other end.
        if not self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8).startswith(b"\x01"):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _stall(self) -> None:
        self.close_connection = True
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.plan.fault:
            time.sleep(0.05)

    def _refuse(self, status: int, code: str) -> None:
        data = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>on purpose</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _relay

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def fault_proxy(endpoint: str, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, Plan]]:
    """The proxy's address, and the plan that it goes by."""
    plan = Plan()
    target = urlsplit(endpoint)
    attributes = {"plan": plan, "host": target.hostname, "port": target.port}
    with answering(type("Handler", (_Handler,), attributes), tls) as address:
        try:
            yield address, plan
        finally:
            plan.heal()
