"""Passwords are checked a few at a time: in turns between addresses, within bounds, and only for who still waits."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from appliance.errors import ClientVanished, TooManyRequests
from appliance.identity.auth.hash_queue import HashQueue
from appliance.values import Client, current_client

_PATIENCE = 20.0


class Line:
    """A queue with one thread that is busy until `go` is set, and requests that stand in line for it."""

    def __init__(self, waiting: int) -> None:
        self.queue = HashQueue(1, waiting)
        self.go = threading.Event()
        self.done: list[str] = []
        self._requests = ThreadPoolExecutor(64)
        self._busy = self._requests.submit(self.queue.run, lambda: self.go.wait(_PATIENCE))
        self._until(lambda: self.queue.entered == 1 and self.queue.waiting == 0)

    def ask(self, name: str, address: str, has_left: Callable[[], bool] = lambda: False) -> "Future[str]":
        """A request that waits. It has its place, or its refusal, when this returns."""
        entered = self.queue.entered

        def run() -> str:
            current_client.set(Client(address, has_left))

            def work() -> str:
                self.done.append(name)
                return name

            return self.queue.run(work)

        future = self._requests.submit(run)
        self._until(lambda: self.queue.entered > entered or future.done())
        return future

    def _until(self, condition: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(int(_PATIENCE * 1000)):
            if condition():
                return
            pause.wait(0.001)
        raise AssertionError("it never came to pass")

    def close(self) -> None:
        self.go.set()
        self._requests.shutdown()


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line(waiting=8)
    yield made
    made.close()


def results(*futures: "Future[str]") -> list[str]:
    """What became of the requests: their name, or the name of the error."""
    return [type(error).__name__ if (error := each.exception(_PATIENCE)) else each.result() for each in futures]


def test_addresses_take_turns(line: Line) -> None:
    asked = [line.ask(f"a{n}", "192.0.2.1") for n in range(4)]
    asked += [line.ask(f"b{n}", "192.0.2.2") for n in range(2)]
    asked += [line.ask("c0", "192.0.2.3")]
    line.go.set()
    results(*asked)
    assert line.done == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]


def test_a_network_of_ipv6_is_one_address(line: Line) -> None:
    asked = [line.ask(f"a{n}", f"2001:db8::{n + 1}") for n in range(3)]
    asked += [line.ask("b0", "2001:db8:0:1::1")]
    line.go.set()
    results(*asked)
    assert line.done == ["a0", "b0", "a1", "a2"]


def test_more_than_the_queue_holds_is_refused_with_a_time_to_come_back(line: Line) -> None:
    asked = [line.ask(f"a{n}", "192.0.2.1") for n in range(8)]
    refused = line.ask("a8", "192.0.2.1").exception(_PATIENCE)
    assert isinstance(refused, TooManyRequests) and refused.retry_after >= 1
    line.go.set()
    assert results(*asked) == [f"a{n}" for n in range(8)]


def test_a_full_queue_has_room_for_another_address(line: Line) -> None:
    asked = [line.ask(f"a{n}", "192.0.2.1") for n in range(8)]
    other = line.ask("b0", "192.0.2.2")
    assert results(asked[-1]) == ["TooManyRequests"]
    line.go.set()
    assert results(other, *asked[:-1]) == ["b0", *(f"a{n}" for n in range(7))]
    assert line.done[:2] == ["a0", "b0"]


def test_a_queue_full_of_different_addresses_refuses_one_more(line: Line) -> None:
    asked = [line.ask(f"a{n}", f"192.0.2.{n}") for n in range(8)]
    assert results(line.ask("b0", "198.51.100.1")) == ["TooManyRequests"]
    line.go.set()
    assert results(*asked) == [f"a{n}" for n in range(8)]


def test_who_has_left_is_not_computed(line: Line) -> None:
    gone = threading.Event()
    asked = [line.ask("a0", "192.0.2.1", gone.is_set), line.ask("a1", "192.0.2.1")]
    gone.set()
    line.go.set()
    assert results(*asked) == ["ClientVanished", "a1"]
    assert line.done == ["a1"]


def test_who_has_left_makes_room(line: Line) -> None:
    gone = threading.Event()
    asked = [line.ask(f"a{n}", f"192.0.2.{n}", gone.is_set) for n in range(8)]
    gone.set()
    other = line.ask("b0", "198.51.100.1")
    assert results(*asked) == ["ClientVanished"] * 8
    line.go.set()
    assert results(other) == ["b0"]


def test_what_goes_wrong_reaches_whoever_asked() -> None:
    def fail() -> None:
        raise ClientVanished("as it happens")

    queue = HashQueue(1, 1)
    with pytest.raises(ClientVanished, match="as it happens"):
        queue.run(fail)
    assert queue.run(lambda: 1) == 1


def test_as_many_are_computed_at_once_as_there_are_threads() -> None:
    queue, together = HashQueue(3, 8), threading.Barrier(4)
    with ThreadPoolExecutor(3) as requests:
        asked = [requests.submit(queue.run, lambda: together.wait(_PATIENCE)) for _ in range(3)]
        together.wait(_PATIENCE)
        assert all(each.exception(_PATIENCE) is None for each in asked)
