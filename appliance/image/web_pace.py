"""A socket that waits only as long as it pays: until a stall, a deadline, a pace that is too slow, or our own end.

A timeout for each read counts again from every byte, so a server that drips holds its reader for ever. Here the time
spent waiting for the server is what counts; time in which we are busy ourselves is not held against it.
"""

import errno
import io
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.errors import Unavailable
from appliance.settings import Settings
from appliance.values import KIB

_LOOK_AROUND = 0.2
"""Seconds after which whoever waits sees that the service is stopping."""


class TooSlow(Unavailable):
    """The other side was given up, not the service's own work."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server."""

    stall: float
    """Seconds without a byte; and those until an answer has begun."""
    total: float | None = None
    """Seconds for all of it; None is no limit."""
    rate: int = 0
    """Bytes a second that have to come while we wait, on the average of `stall` seconds."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the service ends."""

    @classmethod
    def for_import(cls, settings: Settings, stopping: threading.Event) -> "Patience":
        total = settings.import_deadline or None
        return cls(settings.import_timeout, total, settings.import_minimum_rate, stopping)

    def begin(self) -> "Pace":
        return Pace(self)


class Pace:
    """The waiting of one fetch, over all its connections."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._ends = None if patience.total is None else time.monotonic() + patience.total
        self._answer_by: float | None = None
        self._waited = 0.0
        self._came = 0

    def expect_answer(self) -> float:
        """A new request begins; seconds that its answer may take to begin."""
        self._answer_by = time.monotonic() + self._patience.stall
        return self._patience.stall

    def answered(self) -> None:
        """The answer has begun; from now on its pace counts."""
        self._answer_by = None
        self._waited, self._came = 0.0, 0

    def check(self) -> None:
        """Raise `Unavailable` if the service ends, `TooSlow` if the time is up."""
        if self._patience.stopping.is_set():
            raise Unavailable("The service is stopping.")
        now = time.monotonic()
        if self._ends is not None and now >= self._ends:
            raise TooSlow(f"It took more than the {self._patience.total:g} seconds that a fetch may take.")
        if self._answer_by is not None and now >= self._answer_by:
            raise TooSlow(f"There was no answer within {self._patience.stall:g} seconds.")

    def given_up(self) -> bool:
        return self._patience.stopping.is_set()

    def came(self, count: int) -> None:
        """So many bytes have come."""
        self._came += count
        if self._answer_by is None and self._waited >= self._patience.stall:
            if self._came < self._patience.rate * self._waited:
                raise TooSlow(f"It came with less than {self._patience.rate} bytes a second.")
            self._waited, self._came = 0.0, 0

    def wait(self, sock: socket.socket, events: int) -> None:
        """Until the socket is ready."""
        poll = select.poll()
        poll.register(sock, events)
        began = time.monotonic()
        while not poll.poll(_LOOK_AROUND * 1000):
            self.check()
            if time.monotonic() - began >= self._patience.stall:
                raise TooSlow(f"Nothing came for {self._patience.stall:g} seconds.")
        self._waited += time.monotonic() - began


class PacedSocket:
    """What `http.client` needs of a socket, waiting as a `Pace` says."""

    def __init__(self, address: tuple[str, int], pace: Pace) -> None:
        self._pace = pace
        self._users = 1
        self._sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._sock.setblocking(False)
            self._connect(address)
        except BaseException:
            self._sock.close()
            raise

    def _connect(self, address: tuple[str, int]) -> None:
        trouble = self._sock.connect_ex(address)
        if trouble == errno.EINPROGRESS:
            self._pace.wait(self._sock, select.POLLOUT)
            trouble = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if trouble:
            raise OSError(trouble, os.strerror(trouble))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start_tls(self, host: str) -> None:
        context = ssl.create_default_context()
        wrapped = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        self._sock = wrapped
        self._patiently(wrapped.do_handshake, select.POLLIN)

    def _patiently(self, step: Callable[[], int | None], events: int) -> int:
        """Do something that may have to wait first."""
        while True:
            try:
                return step() or 0
            except ssl.SSLWantWriteError:
                self._pace.wait(self._sock, select.POLLOUT)
            except ssl.SSLWantReadError:
                self._pace.wait(self._sock, select.POLLIN)
            except BlockingIOError:
                self._pace.wait(self._sock, events)

    def sendall(self, data: bytes) -> None:
        sent = 0

        def step() -> int:
            return self._sock.send(data[sent:])

        while sent < len(data):
            sent += self._patiently(step, select.POLLOUT)

    def receive(self, room: memoryview) -> int:
        """Bytes into `room`; 0 at the end."""
        self._pace.check()
        count = self._patiently(lambda: self._sock.recv_into(room), select.POLLIN)
        self._pace.came(count)
        return count

    def makefile(self, mode: str = "rb", *_: object) -> io.BufferedReader:
        self._users += 1
        return io.BufferedReader(_Reader(self), 64 * KIB)

    def close(self) -> None:
        """As with any socket, its file stays open until it is closed itself."""
        self._users -= 1
        if self._users <= 0:
            self._sock.close()


class _Reader(io.RawIOBase):
    def __init__(self, sock: PacedSocket) -> None:
        self._socket = sock

    def readable(self) -> bool:
        return True

    def readinto(self, room: memoryview) -> int:  # type: ignore[override]
        return self._socket.receive(room)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._socket.close()
