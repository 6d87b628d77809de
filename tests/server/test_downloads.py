"""Content on its way out: runs of files, pieces in memory, failures, slow and vanished clients."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import Corrupt
from appliance.values import FileRange, Piece
from tests.server.conftest import Serve
from tests.waiting import eventually

_PATIENCE = 20.0
_SIZE = 3_000_000


class Pieces:
    """A `Content` made of given pieces."""

    def __init__(self, length: int, pieces: Callable[[], Iterator[Piece]]) -> None:
        self.length = length
        self._pieces = pieces
        self.closed = threading.Event()
        self.closes = 0
        self.made = 0
        self.making = threading.Event()

    def read(self, size: int = -1, /) -> bytes:
        raise AssertionError("content is sent by pieces")

    def pieces(self) -> Iterator[Piece]:
        for piece in self._pieces():
            self.made += 1
            self.making.set()
            yield piece

    def close(self) -> None:
        self.closes += 1
        self.closed.set()


@pytest.fixture
def data() -> bytes:
    return os.urandom(_SIZE)


@pytest.fixture
def file(tmp_path: Path, data: bytes) -> Iterator[int]:
    path = tmp_path / "data"
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


def _serving(content: Any, length: int | None = None, status: str = "200 OK") -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/ok":
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        headers = [("Content-Length", str(length))] if length is not None else []
        start_response(status, headers)
        return environ["wsgi.file_wrapper"](content)

    return app


def _ranges(fd: int, step: int) -> Iterator[Piece]:
    for at in range(0, _SIZE, step):
        yield FileRange(fd, at, min(step, _SIZE - at))


def _mixed(fd: int, data: bytes) -> Iterator[Piece]:
    for number, at in enumerate(range(0, _SIZE, 70_000)):
        size = min(70_000, _SIZE - at)
        part = data[at : at + size]
        yield (FileRange(fd, at, size), part, memoryview(part), b"" + part)[number % 4]
        if number % 5 == 0:
            yield b""
            yield FileRange(fd, at, 0)


MAKERS = [
    ("one range", lambda fd, data: iter([FileRange(fd, 0, _SIZE)])),
    ("adjoining ranges", lambda fd, data: _ranges(fd, 65_536)),
    ("memory", lambda fd, data: (data[at : at + 100_000] for at in range(0, _SIZE, 100_000))),
    ("tiny pieces", lambda fd, data: (data[at : at + 1000] for at in range(0, _SIZE, 1000))),
    ("mixed", _mixed),
]


@pytest.mark.parametrize("make", [row[1] for row in MAKERS], ids=[row[0] for row in MAKERS])
@pytest.mark.parametrize("receive_buffer", [None, 8192], ids=["fast client", "slow client"])
def test_content_arrives_whole_and_the_connection_stays(
    serve: Serve, file: int, data: bytes, make: Callable[..., Any], receive_buffer: int | None
) -> None:
    content = Pieces(_SIZE, lambda: make(file, data))
    client = serve(_serving(content, _SIZE)).client(receive_buffer=receive_buffer)
    client.request("GET", "/").request("GET", "/ok")
    assert client.response().body == data
    assert content.closed.wait(_PATIENCE)
    assert client.response().body == b"ok"
    assert content.closes == 1


def test_content_without_declared_length_gets_its_own(serve: Serve, data: bytes) -> None:
    content = Pieces(_SIZE, lambda: iter([data[:1_000_000], data[1_000_000:]]))
    response = serve(_serving(content)).client().request("GET", "/").response()
    assert (response.headers["content-length"], response.body) == (str(_SIZE), data)


def test_content_longer_than_declared_is_cut_to_it(serve: Serve, data: bytes) -> None:
    content = Pieces(_SIZE, lambda: iter([data]))
    client = serve(_serving(content, 1000)).client().request("GET", "/").request("GET", "/ok")
    assert client.response().body == data[:1000]
    assert client.response().body == b"ok"


def test_old_client_gets_content_and_a_close(serve: Serve, data: bytes) -> None:
    content = Pieces(_SIZE, lambda: iter([data]))
    client = serve(_serving(content, _SIZE)).client().send(b"GET / HTTP/1.0\r\n\r\n")
    assert client.response().body == data
    assert client.at_end()


def _fails() -> Iterator[Piece]:
    yield b"x" * 100_000
    raise Corrupt("a block fails its check")


def _ends_early() -> Iterator[Piece]:
    yield b"x" * 100_000


@pytest.mark.parametrize("make", [_fails, _ends_early])
def test_content_that_fails_is_cut_short_and_logged(
    serve: Serve, caplog: pytest.LogCaptureFixture, make: Callable[..., Any]
) -> None:
    content = Pieces(_SIZE, make)
    client = serve(_serving(content, _SIZE)).client().request("GET", "/")
    response = client.response()
    assert response.headers["content-length"] == str(_SIZE)
    assert response.body == b"x" * 100_000
    assert content.closed.wait(_PATIENCE)
    eventually(lambda: "was cut" in caplog.text)
    assert "Corrupt" in caplog.text


def test_file_that_is_shorter_than_its_range_is_cut(
    serve: Serve, file: int, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    content = Pieces(_SIZE + 1000, lambda: iter([FileRange(file, 0, _SIZE + 1000)]))
    response = serve(_serving(content, _SIZE + 1000)).client().request("GET", "/").response()
    assert response.body == data
    eventually(lambda: "shorter" in caplog.text)


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "204 X"), ("GET", "304 X")])
def test_content_is_closed_unsent_where_no_body_may_be(serve: Serve, method: str, status: str) -> None:
    content = Pieces(_SIZE, lambda: iter([b"x" * _SIZE]))
    client = serve(_serving(content, _SIZE, status)).client()
    client.request(method, "/")
    assert client.response(bodyless=True).status == int(status[:3])
    assert content.closed.wait(_PATIENCE)
    assert client.request("GET", "/ok").response().body == b"ok"
    assert content.made == 0


def test_empty_content_is_sent(serve: Serve) -> None:
    content = Pieces(0, lambda: iter(()))
    client = serve(_serving(content, 0)).client()
    assert client.request("GET", "/").response().body == b""
    assert content.closed.wait(_PATIENCE)
    assert client.request("GET", "/ok").response().body == b"ok"


def test_client_that_vanishes_closes_the_content(serve: Serve) -> None:
    content = Pieces(1 << 40, lambda: iter(lambda: b"x" * 100_000, b""))
    client = serve(_serving(content, 1 << 40)).client().request("GET", "/")
    assert client.read(1000)
    client.reset()
    assert content.closed.wait(_PATIENCE)


def test_client_that_stops_reading_is_cut(serve: Serve) -> None:
    content = Pieces(1 << 40, lambda: iter(lambda: b"x" * 100_000, b""))
    client = serve(_serving(content, 1 << 40), stall_seconds=0.4).client(receive_buffer=4096).request("GET", "/")
    assert client.head().status == 200
    assert content.closed.wait(_PATIENCE)


def test_pieces_are_made_only_a_little_ahead_of_the_client(serve: Serve) -> None:
    content = Pieces(1 << 40, lambda: iter(lambda: b"x" * 100_000, b""))
    running = serve(_serving(content, 1 << 40))
    client = running.client(receive_buffer=4096).request("GET", "/")
    assert client.head().status == 200
    # The kernel's own buffers take a few MiB; an unbounded maker would be far beyond at once.
    for _ in range(20):
        assert running.client().request("GET", "/ok").response().body == b"ok"
    assert content.made < 100


def test_slow_maker_stalls_nobody_else(serve: Serve, data: bytes) -> None:
    go_on = threading.Event()

    def slowly() -> Iterator[Piece]:
        yield data[:1000]
        assert go_on.wait(_PATIENCE)
        yield data[1000:]

    content = Pieces(_SIZE, slowly)
    running = serve(_serving(content, _SIZE), worker_threads=1, download_threads=1, stall_seconds=0.2)
    client = running.client().request("GET", "/")
    assert client.head().status == 200
    assert client.read(1000) == data[:1000]
    for _ in range(20):
        assert running.client().request("GET", "/ok").response().body == b"ok"
    go_on.set()
    assert client.read(_SIZE - 1000) == data[1000:]


def test_client_that_vanishes_while_a_piece_is_made_closes_the_content_after(serve: Serve, data: bytes) -> None:
    go_on = threading.Event()

    def slowly() -> Iterator[Piece]:
        yield data[:1000]
        assert go_on.wait(_PATIENCE)
        yield data[1000:]

    content = Pieces(_SIZE, slowly)
    client = serve(_serving(content, _SIZE)).client().request("GET", "/")
    assert client.head().status == 200
    assert client.read(1000) == data[:1000]
    client.reset()
    assert not content.closed.wait(0.2)
    go_on.set()
    assert content.closed.wait(_PATIENCE)


def test_slow_maker_holds_up_no_other_download(serve: Serve, data: bytes) -> None:
    go_on = threading.Event()

    def slowly() -> Iterator[Piece]:
        assert go_on.wait(_PATIENCE)
        yield data

    slow = Pieces(_SIZE, slowly)
    quick = Pieces(_SIZE, lambda: iter([data]))

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        return _serving(slow if environ["PATH_INFO"] == "/slow" else quick, _SIZE)(environ, start_response)

    running = serve(app, download_threads=2)
    waits = running.client().request("GET", "/slow")
    assert waits.head().status == 200
    assert running.client().request("GET", "/quick").response().body == data
    go_on.set()
    assert waits.read(_SIZE) == data


def test_more_downloads_than_threads_all_arrive(serve: Serve, file: int, data: bytes) -> None:
    running = serve(lambda environ, start: _serving(Pieces(_SIZE, lambda: _mixed(file, data)), _SIZE)(environ, start))
    clients = [running.client(receive_buffer=65_536).request("GET", "/") for _ in range(20)]
    assert all(client.response().body == data for client in clients)


def test_stop_cuts_a_download_whose_client_takes_nothing(serve: Serve, data: bytes) -> None:
    content = Pieces(1 << 40, lambda: iter(lambda: data, b""))
    running = serve(_serving(content, 1 << 40))
    client = running.client(receive_buffer=4096).request("GET", "/")
    assert client.head().status == 200
    running.server.stop(0.2)
    assert running.join()
    assert content.closed.wait(_PATIENCE)
