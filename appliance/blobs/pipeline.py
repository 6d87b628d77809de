"""A few buffers on their way through an upload: one thread stores each, and then several hash it at the same time.

A buffer is filled again when the last of them is through with it. What bounds the memory of an upload is
`SLABS * SLAB`; of many uploads at once, `SURE` buffers for each and `SPARE` for all together. `IDLE` are kept.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence

from appliance.blobs.block_writer import SCRATCH
from appliance.values import MIB

SLAB = MIB
SLABS = 8
SURE = 2
SPARE = 32
IDLE = 16

Work = Callable[[memoryview], None]
"""What a hashing thread does with the bytes that come next."""


class Slab:
    """One buffer: scratch space, then up to `SLAB` bytes of data. It goes `home` when nobody uses it any more."""

    def __init__(self) -> None:
        self.data = bytearray(SCRATCH + SLAB)
        self.view = memoryview(self.data)
        self.filled = 0
        self.users = 0
        self.home: queue.SimpleQueue[Slab] = queue.SimpleQueue()


class Buffers:
    """The buffers of all uploads of a store. A few are kept for the next: new memory costs a fault for each page."""

    def __init__(self, spare: int = SPARE) -> None:
        """Beyond those that each upload is sure of, all together have `spare`."""
        self._spare = spare
        self._idle: list[Slab] = []
        self._lock = threading.Lock()

    def take(self, home: "queue.SimpleQueue[Slab]", *, is_sure: bool = True) -> Slab | None:
        """A buffer; None if none is to be spared for somebody who has those that are sure."""
        with self._lock:
            if not is_sure:
                if not self._spare:
                    return None
                self._spare -= 1
            slab = self._idle.pop() if self._idle else Slab()
        slab.filled = slab.users = 0
        slab.home = home
        return slab

    def give_back(self, slabs: list[Slab], spare: int) -> None:
        """An upload has ended: buffers that nobody uses any more, and how many spare ones it had."""
        with self._lock:
            self._spare += spare
            self._idle += slabs[: max(0, IDLE - len(self._idle))]


_Part = tuple[Slab, int, int]


class Pipeline:
    """Runs the stages. The threads begin with the first full buffer, so that a small upload needs none.

    `store` decides what is hashed: it calls `hash` for that. `end` follows the last buffer, on the same thread.
    """

    def __init__(
        self, store: Callable[[Slab], None], end: Callable[[], None], hashes: Sequence[Work], buffers: Buffers
    ) -> None:
        self._store = store
        self._end = end
        self._hashes = hashes
        self._buffers = buffers
        self._storing: queue.SimpleQueue[Slab | None] = queue.SimpleQueue()
        self._hashing: list[queue.SimpleQueue[_Part | None]] = [queue.SimpleQueue() for _ in hashes]
        self._threads: list[threading.Thread] = []
        self._free: queue.SimpleQueue[Slab] = queue.SimpleQueue()
        self._taken = 0
        self._behind = 0
        self._ended = False
        self._lock = threading.Lock()
        self._failure: BaseException | None = None

    # -- for whoever brings the bytes ------------------------------------------------------------------------------

    def take(self) -> Slab:
        """An empty buffer; waits for the slowest stage if all are in use. Raises what a stage raised."""
        self._raise()
        if self._free.empty() and self._taken < SLABS:
            more = self._buffers.take(self._free, is_sure=self._taken < SURE)
            if more is not None:
                self._taken += 1
                return more
        slab = self._free.get()
        slab.filled = 0
        self._raise()
        return slab

    def put(self, slab: Slab) -> None:
        """Hand a full buffer on."""
        self._raise()
        if not self._threads:
            self._start()
        slab.users = 1
        self._storing.put(slab)

    def finish(self, last: Slab | None) -> None:
        """Let the threads end, the last buffer included. May be called again."""
        if last is not None and last.filled and self._threads:
            self.put(last)
        elif not self._threads and not self._ended and self._failure is None:
            if last is not None and last.filled:
                self._store(last)
            self._end()
            self._ended = True
        self._stop()
        self._raise()

    def cancel(self) -> None:
        """End the threads without working on what still waits. May be called again."""
        if self._failure is None:
            self._failure = RuntimeError("the upload was given up")
        self._stop()

    # -- for the stage that stores ---------------------------------------------------------------------------------

    def hash(self, slab: Slab, start: int, end: int) -> None:
        """Have `slab.data[start:end]` hashed, after everything before it. Raises what a stage raised."""
        self._raise()
        if not self._threads:
            for work in self._hashes:
                work(slab.view[start:end])
            return
        with self._lock:
            slab.users += len(self._hashes)
            self._behind += len(self._hashes)
        for waiting in self._hashing:
            waiting.put((slab, start, end))

    @property
    def hashing_is_slowest(self) -> bool:
        """Whether buffers pile up in front of the hashes while the upload could go on."""
        return self._behind > len(self._hashes) or (self._taken <= SURE and self._behind > 0)

    # -- threads ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._threads.append(threading.Thread(target=self._run_store, name="ingest-store", daemon=True))
        for work, waiting in zip(self._hashes, self._hashing, strict=True):
            self._threads.append(
                threading.Thread(target=self._run_hash, args=(work, waiting), name="ingest-hash", daemon=True)
            )
        for thread in self._threads:
            thread.start()

    def _stop(self) -> None:
        if self._threads:
            store, *hashes = self._threads
            self._storing.put(None)
            store.join()
            for waiting in self._hashing:
                waiting.put(None)
            for thread in hashes:
                thread.join()
            self._threads = []
        spare = max(0, self._taken - SURE)
        self._taken = 0
        # Not the one that somebody may be filling at this moment: it must never be another upload's.
        at_home: list[Slab] = []
        with contextlib.suppress(queue.Empty):
            while True:
                at_home.append(self._free.get_nowait())
        if at_home and self._failure is not None:
            # Another thread may be about to wait for one, to be told of the failure then.
            self._free.put(at_home.pop())
        self._buffers.give_back(at_home, spare)

    # After a failure the threads go on handing buffers back, so that nobody waits for one forever.

    def _run_store(self) -> None:
        while (slab := self._storing.get()) is not None:
            if self._failure is None:
                try:
                    self._store(slab)
                except BaseException as error:
                    self._failure = error
            self._let_go(slab)
        if self._failure is None:
            try:
                self._end()
                self._ended = True
            except BaseException as error:
                self._failure = error

    def _run_hash(self, work: Work, waiting: "queue.SimpleQueue[_Part | None]") -> None:
        while (part := waiting.get()) is not None:
            slab, start, end = part
            if self._failure is None:
                try:
                    work(slab.view[start:end])
                except BaseException as error:
                    self._failure = error
            with self._lock:
                self._behind -= 1
            self._let_go(slab)

    def _let_go(self, slab: Slab) -> None:
        with self._lock:
            slab.users -= 1
            last = slab.users == 0
        if last:
            slab.home.put(slab)

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure
