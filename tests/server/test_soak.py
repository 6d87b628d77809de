"""Many clients of every kind at once, well-behaved and not: nothing is mixed up, lost or left open."""

import contextlib
import hashlib
import os
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.values import FileRange, Piece
from tests.server.conftest import Serve

_CLIENTS = 12
_ROUNDS = 50
_SIZE = 400_000


class Store:
    """Takes bodies at `/digest`, gives content at `/file` and `/memory`, and counts what is open."""

    def __init__(self, fd: int, data: bytes) -> None:
        self._fd = fd
        self._data = data
        self._lock = threading.Lock()
        self.open = 0

    def count(self, change: int) -> None:
        with self._lock:
            self.open += change

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path in ("/file", "/memory"):
            start_response("200 OK", [("Content-Length", str(_SIZE))])
            return environ["wsgi.file_wrapper"](_Content(self, self._fd, self._data, path == "/file"))
        text = b"ok"
        if path == "/digest":
            text = self._digest(environ["wsgi.input"])
        start_response("200 OK", [("Content-Length", str(len(text)))])
        return [text]

    def _digest(self, body: Any) -> bytes:
        digest = hashlib.md5()
        self.count(1)
        try:
            while part := body.read(30_000):
                digest.update(part)
        finally:
            self.count(-1)
        return digest.hexdigest().encode()


class _Content:
    length = _SIZE

    def __init__(self, store: Store, fd: int, data: bytes, as_file: bool) -> None:
        self._store: Store | None = store
        self._fd = fd
        self._data = data
        self._as_file = as_file
        store.count(1)

    def read(self, size: int = -1, /) -> bytes:
        raise NotImplementedError

    def pieces(self) -> Iterator[Piece]:
        for at in range(0, _SIZE, 64_000):
            size = min(64_000, _SIZE - at)
            yield FileRange(self._fd, at, size) if self._as_file else self._data[at : at + size]

    def close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.count(-1)


class _Client(threading.Thread):
    """One client: a random sequence of pipelined requests, now and then broken off in the middle."""

    def __init__(self, running: Any, seed: int, data: bytes) -> None:
        super().__init__()
        self._running = running
        self._random = random.Random(seed)
        self._data = data
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for _ in range(_ROUNDS):
                self._visit()
        except BaseException as error:
            self.failure = error

    def _visit(self) -> None:
        client = self._running.client()
        expected = []
        for _ in range(self._random.randrange(1, 5)):
            route = self._random.choice(["/ok", "/digest", "/digest", "/chunked", "/file", "/memory"])
            expected.append(self._ask(client, route))
        leaves = self._random.random() < 0.3
        for body in expected[: self._random.randrange(len(expected))] if leaves else expected:
            response = client.response()
            assert response.status == 200
            assert response.body == body
        if leaves:
            self._leave(client)
        client.close()

    def _ask(self, client: Any, route: str) -> bytes:
        if route in ("/file", "/memory"):
            client.request("GET", route)
            return self._data
        if route == "/ok":
            client.request("GET", route)
            return b"ok"
        size = self._random.choice([0, 10, 70_000, 300_000])
        body = self._data[:size]
        if route == "/digest":
            client.request("PUT", route, body)
        else:
            step = self._random.choice([100, 5000, 65_536])
            client.send(b"PUT /digest HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunks = (body[at : at + step] for at in range(0, size, step))
            client.send(*(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks), b"0\r\n\r\n")
        return hashlib.md5(body).hexdigest().encode()

    def _leave(self, client: Any) -> None:
        with contextlib.suppress(OSError):
            client.request("PUT", "/digest", Content_Length="500000").send(b"x" * self._random.randrange(100_000))
        if self._random.random() < 0.5:
            client.reset()


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads change far more often than usual, which shows races that would need days otherwise."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty_threads")
def test_random_clients_get_their_own_answers_and_leave_nothing_open(serve: Serve, tmp_path: Path) -> None:
    data = os.urandom(_SIZE)
    (tmp_path / "data").write_bytes(data)
    fd = os.open(tmp_path / "data", os.O_RDONLY)
    store = Store(fd, data)
    running = serve(store, worker_threads=2, transfer_slots=4, transfer_queue=100, download_threads=2)
    files = len(os.listdir("/proc/self/fd"))
    clients = [_Client(running, seed, data) for seed in range(_CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert [client.failure for client in clients if client.failure] == []
    running.server.stop(20)
    assert running.join()
    assert store.open == 0
    assert len(os.listdir("/proc/self/fd")) <= files
    os.close(fd)
