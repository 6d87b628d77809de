"""What every backend must do. Each backend's test file runs all of it: `class TestX(Conformance)` with its fixture."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from appliance.blobs.backends.base import Backend, SegmentMissing
from appliance.blobs.backends.registry import Location, connect
from appliance.errors import StorageFault
from appliance.values import MIB

Reopen = Callable[[], Backend]
Connect = Callable[..., Backend]


@contextmanager
def connections(kind: str, usual_place: str, parent: Path, **usual: str) -> Iterator[Connect]:
    """What opens a remote place, prepared: the usual one unless another is named, with options in place of the usual.

    Each is closed in the end. `directory` tells apart the local files of what two processes would see.
    """
    with ExitStack() as opened:

        def open_(place: str = "", directory: str = "remote", prepared: bool = True, **options: str) -> Backend:
            given = {"timeout": "20"} | usual | options
            backend = connect(Location("deep", kind, place or usual_place, parent / directory, given))
            opened.callback(backend.close)
            if prepared:
                backend.prepare()
            return backend

        yield open_


def fresh_name() -> str:
    return os.urandom(16).hex()


def put(backend: Backend, data: bytes, name: str = "") -> str:
    """A new segment with that data; its name."""
    name = name or fresh_name()
    staged = backend.stage(name)
    staged.write([data])
    staged.publish()
    return name


def get(backend: Backend, name: str, offset: int = 0, length: int | None = None) -> bytes:
    handle = backend.open(name)
    try:
        buffer = bytearray(handle.size - offset if length is None else length)
        handle.read_into(memoryview(buffer), offset)
        return bytes(buffer)
    finally:
        handle.close()


class Conformance:
    """Needs two fixtures: `backend`, prepared and empty, and `reopen`, which gives what a new process would see."""

    def test_what_is_put_reads_back(self, backend: Backend) -> None:
        data = os.urandom(300_000)
        assert get(backend, put(backend, data)) == data

    def test_an_empty_segment_reads_back(self, backend: Backend) -> None:
        assert get(backend, put(backend, b"")) == b""

    def test_parts_are_joined_in_order(self, backend: Backend) -> None:
        name, parts = fresh_name(), [os.urandom(1000 + 37 * at) for at in range(1500)]
        staged = backend.stage(name)
        staged.write(parts[:1200])
        staged.write([])
        staged.write([bytearray(parts[1200]), memoryview(parts[1201]), *parts[1202:]])
        staged.publish()
        assert get(backend, name) == b"".join(parts)

    def test_a_staged_segment_tells_its_size(self, backend: Backend) -> None:
        staged = backend.stage(fresh_name())
        staged.write([b"abc", b"de"])
        assert staged.size == 5
        staged.discard()

    def test_a_large_segment_reads_back(self, backend: Backend) -> None:
        data = os.urandom(MIB) * 21 + b"end"
        name = put(backend, data)
        assert backend.size(name) == len(data)
        assert get(backend, name) == data

    @pytest.mark.parametrize("offset, length", [(0, 1), (1, 0), (65_535, 2), (5 * MIB - 1, 3), (4 * MIB, 2 * MIB)])
    def test_any_range_reads_back(self, backend: Backend, offset: int, length: int) -> None:
        data = os.urandom(6 * MIB + 11)
        name = put(backend, data)
        assert get(backend, name, offset, length) == data[offset : offset + length]

    def test_the_last_byte_reads_back(self, backend: Backend) -> None:
        assert get(backend, put(backend, b"x" * 99_999 + b"y"), 99_999, 1) == b"y"

    def test_a_range_beyond_the_end_is_a_fault(self, backend: Backend) -> None:
        name = put(backend, b"x" * 1000)
        with pytest.raises(StorageFault):
            get(backend, name, 990, 11)

    def test_a_fresh_read_is_the_same(self, backend: Backend) -> None:
        data = os.urandom(100_000)
        handle = backend.open(put(backend, data))
        buffer = bytearray(5000)
        handle.read_into(memoryview(buffer), 7)
        handle.read_into(memoryview(buffer), 500, fresh=True)
        handle.close()
        assert bytes(buffer) == data[500:5500]

    def test_a_file_has_what_it_is_said_to_have(self, backend: Backend) -> None:
        data = os.urandom(3 * MIB)
        handle = backend.open(put(backend, data))
        handle.read_into(memoryview(bytearray(MIB)), 1234)
        number = handle.file_with(1234, MIB)
        found = data[1234 : 1234 + MIB] if number is None else os.pread(number, MIB, 1234)
        handle.close()
        assert found == data[1234 : 1234 + MIB]

    def test_what_was_put_is_there_for_the_next_process(self, backend: Backend, reopen: Reopen) -> None:
        name = put(backend, b"durable")
        assert get(reopen(), name) == b"durable"

    def test_what_is_staged_is_not_there(self, backend: Backend) -> None:
        name = fresh_name()
        staged = backend.stage(name)
        staged.write([b"not yet"])
        assert backend.size(name) is None
        assert name not in list(backend.names())
        staged.discard()

    def test_what_is_discarded_never_was(self, backend: Backend) -> None:
        name = fresh_name()
        staged = backend.stage(name)
        staged.write([b"never"])
        staged.discard()
        staged.discard()
        assert list(backend.names()) == []

    def test_discarding_what_is_published_takes_nothing_away(self, backend: Backend) -> None:
        staged = backend.stage(name := fresh_name())
        staged.write([b"stays"])
        staged.publish()
        staged.discard()
        assert get(backend, name) == b"stays"

    def test_staged_data_of_an_earlier_process_goes(self, backend: Backend, reopen: Reopen) -> None:
        backend.stage(fresh_name()).write([b"abandoned"])
        again = reopen()
        again.clear_staging()
        assert again.clear_staging() == 0
        assert list(again.names()) == []

    def test_a_missing_segment_is_missing(self, backend: Backend) -> None:
        with pytest.raises(SegmentMissing):
            get(backend, fresh_name(), 0, 1)

    def test_a_missing_segment_has_no_size(self, backend: Backend) -> None:
        assert backend.size(fresh_name()) is None

    def test_a_missing_segment_has_no_age(self, backend: Backend) -> None:
        assert backend.age(fresh_name(), 10**15) == 0

    def test_a_new_segment_is_young(self, backend: Backend, clock: Callable[[], int]) -> None:
        name = put(backend, b"x")
        assert abs(backend.age(name, clock())) < 60 * 1_000_000

    def test_the_names_are_those_that_were_put(self, backend: Backend) -> None:
        names = {put(backend, b"x") for _ in range(7)}
        assert sorted(backend.names()) == sorted(names)

    def test_what_is_deleted_is_gone(self, backend: Backend) -> None:
        gone, stays = put(backend, b"gone"), put(backend, b"stays")
        backend.delete(gone)
        assert list(backend.names()) == [stays]
        assert backend.size(gone) is None
        with pytest.raises(SegmentMissing):
            get(backend, gone, 0, 4)

    def test_a_delete_can_be_repeated(self, backend: Backend) -> None:
        name = put(backend, b"x")
        backend.delete(name)
        backend.delete(name)
        backend.delete(fresh_name())
        assert list(backend.names()) == []

    def test_an_open_handle_survives_a_delete_or_says_that_it_is_gone(self, backend: Backend) -> None:
        data = os.urandom(50_000)
        handle = backend.open(name := put(backend, data))
        buffer = bytearray(len(data))
        handle.read_into(memoryview(buffer), 0)
        backend.delete(name)
        again = bytearray(len(data))
        try:
            handle.read_into(memoryview(again), 0)
        except SegmentMissing:
            again = buffer
        handle.close()
        assert bytes(again) == data

    def test_a_listing_goes_on_while_others_write(self, backend: Backend) -> None:
        there = {put(backend, b"x") for _ in range(5)}
        stop = threading.Event()

        def busy() -> None:
            for _ in range(40):
                if stop.is_set():
                    return
                backend.delete(put(backend, b"coming and going"))

        thread = threading.Thread(target=busy)
        thread.start()
        seen = [set(backend.names()) for _ in range(5)]
        stop.set()
        thread.join()
        assert all(there <= each for each in seen)

    def test_many_threads_put_and_read(self, backend: Backend) -> None:
        found: list[bool] = []

        def work(seed: int) -> None:
            data = bytes([seed]) * 200_000
            found.append(get(backend, put(backend, data)) == data)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [True] * 6

    def test_there_is_no_mark_at_first(self, backend: Backend) -> None:
        assert backend.read_mark() is None

    def test_the_mark_is_there_for_the_next_process(self, backend: Backend, reopen: Reopen) -> None:
        backend.write_mark(b"first")
        backend.write_mark(b"the mark")
        assert reopen().read_mark() == b"the mark"

    def test_the_mark_is_no_segment(self, backend: Backend) -> None:
        backend.write_mark(b"the mark")
        backend.note_deletions([os.urandom(16)])
        assert list(backend.names()) == []

    def test_deletions_are_there_for_the_next_process(self, backend: Backend, reopen: Reopen) -> None:
        first, second, third = (os.urandom(16) for _ in range(3))
        backend.note_deletions([first])
        backend.note_deletions([second, third])
        backend.note_deletions([second])
        backend.note_deletions([])
        assert reopen().deletions() == {first, second, third}

    def test_there_are_no_deletions_at_first(self, backend: Backend) -> None:
        assert backend.deletions() == set()

    def test_it_is_there(self, backend: Backend) -> None:
        assert backend.is_there()

    def test_preparing_again_changes_nothing(self, backend: Backend) -> None:
        name = put(backend, b"x")
        backend.prepare()
        assert get(backend, name) == b"x"

    def test_it_has_no_trouble(self, backend: Backend) -> None:
        put(backend, b"x")
        assert backend.trouble() is None
