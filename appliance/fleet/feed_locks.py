"""Which feeds are being received, each by one at a time; and which are to be, because somebody has asked for it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from appliance.db.nodes import NodeRows
from appliance.errors import ApplianceError, Conflict


class BeingReceived(Conflict):
    """Somebody is at a feed."""


class FeedLocks(Protocol):
    """What whoever receives feeds agrees on with the others that do."""

    def is_ours(self) -> bool:
        """Whether it is for this process to follow feeds."""
        ...

    def with_feed(self, name: str) -> AbstractContextManager[None]:
        """Have a feed to oneself; whoever has asked for it is served. Raises `BeingReceived` if another is at it."""
        ...

    def ask(self, name: str) -> None:
        """Have whoever follows feeds receive one now."""
        ...

    def asked(self) -> frozenset[str]:
        """Those that are asked for, and that nobody has been at since."""
        ...

    def busy(self) -> frozenset[str]:
        """Those that somebody is at, or has asked for."""
        ...


class OwnFeedLocks:
    """Of a process that is alone."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._asked: set[str] = set()
        self._lock = threading.Lock()

    def is_ours(self) -> bool:
        return True

    @contextmanager
    def with_feed(self, name: str) -> Iterator[None]:
        with self._lock:
            if name in self._held:
                raise BeingReceived(f"The feed {name} is being received already.")
            self._held.add(name)
            self._asked.discard(name)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(name)

    def ask(self, name: str) -> None:
        with self._lock:
            self._asked.add(name)

    def asked(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._asked)

    def busy(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._asked | self._held)


class SharedFeedLocks(OwnFeedLocks):
    """The same among several nodes: a feed that a node is at is its own until it is done, or gone."""

    _KIND = "feed "

    def __init__(self, rows: NodeRows, holder: Callable[[], str], is_ours: Callable[[], bool]) -> None:
        """`holder` is this node and the generation of its lease, as rows name it."""
        super().__init__()
        self._rows = rows
        self._holder = holder
        self._is_ours = is_ours
        self._to_release: set[tuple[str, str]] = set()

    def is_ours(self) -> bool:
        return self._is_ours()

    @contextmanager
    def with_feed(self, name: str) -> Iterator[None]:
        with super().with_feed(name):
            job, holder = self._KIND + name, self._holder()
            if not self._rows.hold(job, holder):
                raise BeingReceived(f"The feed {name} is being received already, at another node.")
            try:
                yield
            finally:
                self._to_release.add((job, holder))
                self._release()

    def _release(self) -> None:
        """Give back what is done with; what can't be at present is at the next look."""
        for job, holder in sorted(self._to_release):
            try:
                self._rows.release(job, holder)
            except ApplianceError:
                return
            self._to_release.discard((job, holder))

    def ask(self, name: str) -> None:
        self._rows.ask(self._KIND + name)

    def asked(self) -> frozenset[str]:
        self._release()
        return self._names(self._rows.asked())

    def busy(self) -> frozenset[str]:
        return self._names(self._rows.held()) | self._names(self._rows.asked())

    def _names(self, jobs: frozenset[str]) -> frozenset[str]:
        return frozenset(job.removeprefix(self._KIND) for job in jobs if job.startswith(self._KIND))
