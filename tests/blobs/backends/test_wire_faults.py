"""Every call of a backend, with every fault on the wire: the right answer or none, never a wrong one, and it passes."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.blobs.backends.base import Backend, SegmentMissing
from appliance.blobs.backends.registry import Location, connect
from appliance.errors import StorageFault, Unavailable
from tests.blobs.backends.conformance import get, put
from tests.blobs.backends.fault_proxy import FAULTS, Plan, fault_proxy
from tests.blobs.backends.seaweed import KEY, SECRET, Seaweed

pytestmark = pytest.mark.backends
DATA = os.urandom(200_000)
THERE, UPLOAD = "aa" * 16, b"u" * 16


class Watched:
    """A backend with one segment, a mark and a deletion, behind the proxy."""

    def __init__(self, plan: Plan, open_: Callable[[], Backend]) -> None:
        self.plan = plan
        self.backend = open_()
        put(self.backend, DATA, THERE)
        self.backend.write_mark(b"mark")
        self.backend.note_deletions([UPLOAD])
        self.backend.delete(put(self.backend, b"x"))


@pytest.fixture
def watched(tmp_path: Path, server: Seaweed, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr("appliance.blobs.backends.remote._REST", 0.0)
    place = f"{bucket}/{os.urandom(6).hex()}"
    with fault_proxy(server.endpoint) as (address, plan):
        options = {"endpoint": address, "access_key": KEY, "secret_key": SECRET, "timeout": "2", "retries": "1"}
        made = Watched(plan, lambda: connect_to(Location("deep", "s3", place, tmp_path, options | {"cache_size": "0"})))
        yield made
        plan.heal()
        made.backend.close()


def connect_to(location: Location) -> Backend:
    backend = connect(location)
    backend.prepare()
    return backend


def put_and_read(backend: Backend) -> bytes:
    return get(backend, put(backend, DATA))


def read(backend: Backend) -> bytes:
    """Past the cache: what it has got from a bad wire is thrown away by whoever finds a block damaged."""
    handle, buffer = backend.open(THERE), bytearray(len(DATA))
    try:
        handle.read_into(memoryview(buffer), 0, fresh=True)
    finally:
        handle.close()
    return bytes(buffer)


def delete(backend: Backend) -> int | None:
    name = os.urandom(16).hex()
    try:
        put(backend, b"to go", name)
    finally:
        backend.delete(name)
    return backend.size(name)


def note(backend: Backend) -> bool:
    backend.note_deletions([UPLOAD])
    return UPLOAD in backend.deletions()


CALLS: dict[str, tuple[Callable[[Backend], object], object]] = {
    "put": (put_and_read, DATA),
    "read": (read, DATA),
    "size": (lambda backend: backend.size(THERE), len(DATA)),
    "list": (lambda backend: THERE in set(backend.names()), True),
    "delete": (delete, None),
    "note a deletion": (note, True),
    "mark": (lambda backend: backend.read_mark(), b"mark"),
}
"""Each call, and the only right answer."""
AS_IT_COMES = {("flipped", call) for call in ("read", "list", "note a deletion")}
"""Whoever asked checks each block. A listing with a byte flipped, which TLS prevents, names what is not there."""
BELIEVED = AS_IT_COMES | {("404", call) for call in ("read", "size", "mark")} | {("flipped", "mark")}
"""What is said again and again is taken as said."""


@pytest.mark.parametrize("times", [1, -1], ids=["once", "for good"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_gives_the_right_answer_or_none(watched: Watched, call: str, fault: str, times: int) -> None:
    ask, right = CALLS[call]
    none = (Unavailable, StorageFault) if times == 1 else (Unavailable, StorageFault, SegmentMissing)
    watched.plan.set(fault, times=times)
    try:
        answer = ask(watched.backend)
    except none:
        answer = right
    if (fault, call) not in (AS_IT_COMES if times == 1 else BELIEVED):
        assert answer == right
    watched.plan.heal()
    assert ask(watched.backend) == right


def test_a_moment_of_404_makes_no_new_store_of_an_old_one(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "store").unlink()
    watched.plan.set("404", "GET", "store")
    assert watched.backend.read_mark() == b"mark"


def test_a_clock_that_differs_is_told_in_a_sentence(watched: Watched) -> None:
    watched.plan.set("skewed", times=-1)
    with pytest.raises(Unavailable, match="the clock of this machine differs from the store's: set it"):
        list(watched.backend.names())
