"""Who waits for whom: slow transfers hold no thread that others need, and bounds are answered, not felt."""

import threading
from typing import Any

import pytest

from tests.server.conftest import Respond, Serve

_PATIENCE = 20.0


class Store:
    """`/slow` reads a body and says when it began; everything else answers at once."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self.begun = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            body = environ["wsgi.input"]
            body.read(1)
            self.begun.release()
            while body.read(65536):
                pass
        return self._respond(start_response)

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self.begun.acquire(timeout=_PATIENCE)


@pytest.fixture
def store(respond: Respond) -> Store:
    return Store(respond)


def _upload(client: Any) -> Any:
    return client.request("PUT", "/slow", Content_Length="200000").send(b"1")


def test_metadata_is_answered_while_all_transfer_slots_are_taken(serve: Serve, store: Store) -> None:
    running = serve(store, transfer_slots=4, worker_threads=1)
    uploads = [_upload(running.client()) for _ in range(6)]
    store.wait(4)
    for _ in range(20):
        assert running.client().request("GET", "/").response().status == 200
    for upload in uploads:
        upload.send(b"2" * 199_999)
    assert [upload.response().status for upload in uploads] == [200] * 6


def test_transfers_beyond_the_queue_are_answered_503(serve: Serve, store: Store) -> None:
    running = serve(store, transfer_slots=1, transfer_queue=1, retry_after_seconds=7)
    first = _upload(running.client())
    store.wait(1)
    second = _upload(running.client())
    # Proof that the second was seen, and waits: a request behind it on the same main loop is answered.
    assert running.client().request("GET", "/").response().status == 200
    third = _upload(running.client())
    response = third.response()
    assert (response.status, response.headers["retry-after"]) == (503, "7")
    assert third.at_end()
    for each in (first, second):
        each.send(b"2" * 199_999)
        assert each.response().status == 200


def test_clients_beyond_the_connection_limit_wait_for_one_to_close(serve: Serve, store: Store) -> None:
    running = serve(store, connections=8)
    clients = [running.client().request("GET", "/") for _ in range(20)]
    for client in clients:
        assert client.response().status == 200
        client.close()


def test_two_hundred_slow_readers_leave_the_workers_free(serve: Serve, respond: Respond) -> None:
    class Endless:
        length = 1 << 40

        def read(self, size: int = -1, /) -> bytes:
            raise AssertionError("content is sent by pieces")

        def pieces(self) -> Any:
            while True:
                yield b"x" * 65_536

        def close(self) -> None:
            pass

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/ok":
            return respond(start_response)
        start_response("200 OK", [("Content-Length", str(Endless.length))])
        return environ["wsgi.file_wrapper"](Endless())

    running = serve(app, worker_threads=1, download_threads=1)
    readers = [running.client(receive_buffer=4096).request("GET", "/") for _ in range(200)]
    for reader in readers:
        assert reader.head().status == 200
    for _ in range(20):
        assert running.client().request("GET", "/ok").response().status == 200


def test_idlest_connection_makes_room_when_the_limit_is_reached(serve: Serve, store: Store) -> None:
    running = serve(store, connections=8, idle_seconds=3600.0)
    idle = [running.client() for _ in range(20)]
    assert running.client().request("GET", "/").response().status == 200
    assert idle[0].at_end()
