"""Threads for imports, shared fairly: projects take turns, and none holds all threads while there are several."""

import contextvars
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable

from appliance.errors import Unavailable

log = logging.getLogger(__name__)

Work = Callable[[], None]


class ImportQueue:
    """Work that waits for one of a few threads. They are started with the first piece of it."""

    def __init__(self, threads: int) -> None:
        self._count = max(1, threads)
        self._most_of_one = max(1, self._count - 1)
        # By owner, in the order in which it is their turn.
        self._waiting: dict[str, deque[Work]] = {}
        self._running: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self.stopping = threading.Event()
        """Set when the process ends: what runs breaks off at its next step, and is recovered at the next start."""

    def check(self) -> None:
        """Raise `Unavailable` if the process ends."""
        if self.stopping.is_set():
            raise Unavailable("The service is stopping.")

    def submit(self, owner: str | None, work: Work) -> None:
        """Have it done when it is its owner's turn. Nothing happens once the queue is closed."""
        owner = owner or ""
        with self._changed:
            if self._closed:
                return
            # Its lines in the log, and its calls of other servers, are those of the request.
            context = contextvars.copy_context()
            self._waiting.setdefault(owner, deque()).append(lambda: context.run(work))
            if len(self._threads) < self._count:
                thread = threading.Thread(target=self._serve, name=f"import-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Begin nothing more, and wait for what runs to break off."""
        self.stopping.set()
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while (found := self._next()) is None:
                    if self._closed:
                        return
                    self._changed.wait()
            owner, work = found
            try:
                work()
            except Exception:
                log.exception("work in the background broke off")
            finally:
                with self._changed:
                    self._running[owner] -= 1
                    self._changed.notify_all()

    def _next(self) -> tuple[str, Work] | None:
        """The next piece of the first owner who may have another thread, and who is last from now on."""
        for owner, waiting in self._waiting.items():
            if self._running[owner] < self._most_of_one:
                work = waiting.popleft()
                del self._waiting[owner]
                if waiting:
                    self._waiting[owner] = waiting
                self._running[owner] += 1
                return owner, work
        return None
