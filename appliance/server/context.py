"""What all listeners and connections of one server share: the event loop, limits, pools."""

import contextlib
import logging
import math
import os
import select
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from waitress import wasyncore

from appliance.server.downloads import Downloads
from appliance.server.limits import Crowd, Limits
from appliance.server.pool import Pool, TurnPool
from appliance.server.transfers import Transfers

_READ = select.EPOLLIN
_WRITE = select.EPOLLOUT


class Loop(dict[int, Any]):
    """The map from descriptor to handler that waitress's classes enter and leave. For one thread, but for `wake`."""

    def __init__(self) -> None:
        super().__init__()
        self._epoll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        # Closed once nobody can wake the loop any more: a late wakeup must not write to whatever has the number then.
        weakref.finalize(self, os.close, self._bell)
        self._epoll.register(self._bell, _READ)
        # What each registered descriptor is watched for; 0 once that has happened. Written before epoll is told, so
        # that the event, which sets it back, can't be overtaken.
        self._watched: dict[int, int] = {}
        self._awake: dict[int, Any] = {}
        self._woken: deque[Any] = deque()

    def __setitem__(self, fd: int, handler: Any) -> None:
        super().__setitem__(fd, handler)
        self._awake[fd] = handler

    def __delitem__(self, fd: int) -> None:
        # wasyncore leaves the map before it closes the descriptor.
        super().__delitem__(fd)
        self._awake.pop(fd, None)
        if self._watched.pop(fd, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)

    def wake(self, handler: Any) -> None:
        """Ask this handler again in the next pass. From any thread, which then has to `wakeup`."""
        self._woken.append(handler)

    def wakeup(self) -> None:
        """Have the next pass begin at once. From any thread, and from signal handlers."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(self._bell, 1)

    def expect(self, fd: int) -> None:
        """Watch a descriptor for its next bytes. From any thread that keeps it from being closed meanwhile."""
        self._watch(fd, _READ)

    def wake_all(self) -> None:
        """Ask everyone again."""
        self._awake.update(self)

    def run_once(self, timeout: float) -> None:
        """One pass: ask those awake, wait, and let them handle what happened."""
        while self._woken:
            handler = self._woken.popleft()
            if self.get(fd := handler._fileno) is handler:
                self._awake[fd] = handler
        while self._awake:
            fd, handler = self._awake.popitem()
            wanted = (_READ if handler.readable() else 0) | (_WRITE if handler.writable() else 0)
            if wanted and wanted != self._watched.get(fd):
                self._watch(fd, wanted)
        for fd, flags in self._epoll.poll(timeout):
            if fd == self._bell:
                os.eventfd_read(self._bell)
                continue
            handler = self.get(fd)
            if handler is not None:
                self._watched[fd] = 0
                self._awake[fd] = handler
                wasyncore.readwrite(handler, flags)

    def close(self) -> None:
        """Close every handler, then the loop itself."""
        wasyncore.close_all(self, ignore_all=True)
        self._epoll.close()

    def clear(self) -> None:
        """Forget everyone; called when all are closed."""
        for fd in list(self):
            del self[fd]

    def _watch(self, fd: int, wanted: int) -> None:
        known = fd in self._watched
        self._watched[fd] = wanted
        if known:
            self._epoll.modify(fd, wanted | select.EPOLLONESHOT)
        else:
            self._epoll.register(fd, wanted | select.EPOLLONESHOT)


_log = logging.getLogger(__name__)


class ServerContext:
    """The thread pools, the downloads, and a way to have something done by the main loop's thread."""

    def __init__(self, limits: Limits, loop: Loop) -> None:
        self.limits = limits
        self.loop = loop
        self.crowd = Crowd(limits)
        self.workers = TurnPool("worker", limits.worker_threads, limits.patience_seconds)
        self.transfers = Transfers(limits)
        self.downloads = Downloads(limits)
        self.handshakes = Pool("handshake", limits.handshake_threads)
        self.stopping = False
        """No new request is begun, and every response ends its connection."""
        self._alarms: list[tuple[float, Any]] = []
        self._posted: deque[Callable[[], None]] = deque()

    def post(self, call: Callable[[], None]) -> None:
        """Have the main loop call this soon. From any thread."""
        self._posted.append(call)
        self.loop.wakeup()

    def wake_at(self, when: float, handler: Any) -> None:
        """Have the main loop ask `handler` again then. On its thread."""
        self._alarms.append((when, handler))

    @property
    def next_alarm(self) -> float:
        """When the first of those is due; infinite without any."""
        return min((when for when, _ in self._alarms), default=math.inf)

    def run_alarms(self, now: float) -> None:
        """Ask those again whose time has come."""
        for when, handler in self._alarms:
            if now >= when:
                self.loop.wake(handler)
        self._alarms = [alarm for alarm in self._alarms if now < alarm[0]]

    def run_posted(self) -> None:
        """Called by the main loop after each pass."""
        while self._posted:
            try:
                self._posted.popleft()()
            except Exception:
                _log.exception("a call in the main loop failed")

    def close(self, seconds: float) -> int:
        """End all threads; how many that serve requests would not end. Connections have been cut before."""
        running = self.workers.close(seconds) + self.transfers.close(seconds)
        self.downloads.close(seconds)
        # Each is short, and holds a duplicate of its socket.
        self.handshakes.close(seconds, drop=False)
        self.run_posted()
        return running
