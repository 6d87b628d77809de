"""A few buffers that several stages work on at the same time, each stage in its own thread.

The stages see every buffer in order; a buffer is filled again when the last stage is through with it. What bounds the
memory of an upload is `SLABS * SLAB`; of many uploads at once, `SURE` buffers for each and `SPARE` for all together.
"""

import queue
import threading
from collections.abc import Callable, Sequence

from appliance.blobs.block_writer import SCRATCH
from appliance.values import MIB

SLAB = 2 * MIB
SLABS = 5
SURE = 2
SPARE = 24

Work = Callable[[bytearray, int, int], None]
"""A stage: (buffer, start, end)."""


class Slab:
    """One buffer: scratch space, then up to `SLAB` bytes of data."""

    def __init__(self) -> None:
        self.data = bytearray(SCRATCH + SLAB)
        self.view = memoryview(self.data)
        self.filled = 0
        self.users = 0


class Buffers:
    """How many buffers the uploads of a store may have together, beyond those that each is sure of."""

    def __init__(self, spare: int = SPARE) -> None:
        self._spare = threading.Semaphore(spare)

    def take(self) -> bool:
        return self._spare.acquire(blocking=False)

    def give_back(self, count: int) -> None:
        if count:
            self._spare.release(count)


class Pipeline:
    """Runs the stages. The threads begin with the first full buffer, so that a small upload needs none."""

    def __init__(self, stages: Sequence[Work], buffers: Buffers) -> None:
        self._stages = stages
        self._buffers = buffers
        self._queues: list[queue.SimpleQueue[Slab | None]] = []
        self._threads: list[threading.Thread] = []
        self._free: queue.SimpleQueue[Slab] = queue.SimpleQueue()
        self._made = 0
        self._lock = threading.Lock()
        self._failure: BaseException | None = None

    def take(self) -> Slab:
        """An empty buffer; waits for the slowest stage if all are in use. Raises what a stage raised."""
        self._raise()
        if self._free.empty() and (self._made < SURE or (self._made < SLABS and self._buffers.take())):
            self._made += 1
            return Slab()
        slab = self._free.get()
        slab.filled = 0
        self._raise()
        return slab

    def put(self, slab: Slab) -> None:
        """Hand a full buffer to all stages."""
        self._raise()
        if not self._threads:
            self._start()
        slab.users = len(self._stages)
        for waiting in self._queues:
            waiting.put(slab)

    def finish(self, last: Slab | None) -> None:
        """Let the stages end, the last buffer included."""
        if last is not None and last.filled:
            if self._threads:
                self.put(last)
            else:
                for work in self._stages:
                    work(last.data, SCRATCH, SCRATCH + last.filled)
        self.stop()
        self._raise()

    def stop(self) -> None:
        """End the threads. May be called again."""
        for waiting in self._queues:
            waiting.put(None)
        for thread in self._threads:
            thread.join()
        self._queues, self._threads = [], []
        self._buffers.give_back(max(0, self._made - SURE))
        self._made = 0

    def cancel(self) -> None:
        """End the threads without working on what still waits."""
        if self._failure is None:
            self._failure = RuntimeError("the upload was given up")
        self.stop()

    def _start(self) -> None:
        for number, work in enumerate(self._stages):
            waiting: queue.SimpleQueue[Slab | None] = queue.SimpleQueue()
            thread = threading.Thread(target=self._run, args=(work, waiting), name=f"ingest-{number}", daemon=True)
            self._queues.append(waiting)
            self._threads.append(thread)
            thread.start()

    def _run(self, work: Work, waiting: "queue.SimpleQueue[Slab | None]") -> None:
        # After a failure the stages go on handing buffers back, so that nobody waits for one forever.
        while (slab := waiting.get()) is not None:
            if self._failure is None:
                try:
                    work(slab.data, SCRATCH, SCRATCH + slab.filled)
                except BaseException as error:
                    self._failure = error
            with self._lock:
                slab.users -= 1
                last = slab.users == 0
            if last:
                self._free.put(slab)

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure
