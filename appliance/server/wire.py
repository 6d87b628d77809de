"""The reading half of a connection while an upload runs: bytes from the socket to whoever asked, copied once."""

import select
import socket
from typing import Protocol

from appliance.errors import ClientVanished
from appliance.server.pace import Pace
from appliance.values import KIB

_SPARE = 16 * KIB


class Wire:
    """Bytes in order: first those received too early, then the socket's. Used by one thread at a time.

    The socket is a duplicate that belongs to the wire, so that the main loop may close its own at any moment without
    the descriptor number coming back under the reader's feet.
    """

    def __init__(self, ahead: bytes, pace: Pace) -> None:
        # Received and not asked for: everything in _ahead from _at on. Moving _at is cheaper than cutting _ahead.
        self._ahead = ahead
        self._at = 0
        self.pace = pace
        self._sock: socket.socket | None = None
        self._poll = select.poll()

    def attach(self, sock: socket.socket) -> None:
        """From now on read from a duplicate of `sock`, which is non-blocking. May be called twice."""
        if self._sock is not None:
            return
        self._sock = sock.dup()
        self._poll.register(self._sock, select.POLLIN)

    @property
    def ahead(self) -> bytes:
        """What was received and not asked for yet."""
        return self._ahead[self._at :]

    def close(self) -> None:
        """Close the duplicate. May be called twice."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def fill(self, view: memoryview, *, wait: bool, beyond: bool) -> int:
        """Put bytes into `view`, as many as are there; 0 only if none are and `wait` is false.

        With `beyond` the wire may receive more than fits and keep it as `ahead`.
        """
        if self._at < len(self._ahead):
            size = min(len(view), len(self._ahead) - self._at)
            view[:size] = self._ahead[self._at : self._at + size]
            self._at += size
            return size
        if not beyond:
            return self._receive([view], wait=wait)
        spare = bytearray(_SPARE)
        size = self._receive([view, memoryview(spare)], wait=wait)
        if size > len(view):
            self._ahead, self._at = bytes(spare[: size - len(view)]), 0
        return min(size, len(view))

    def line(self, limit: int, *, wait: bool) -> bytes | None:
        """The next line without its CRLF; None if it isn't there yet and `wait` is false. ValueError if malformed."""
        while (end := self._ahead.find(b"\n", self._at)) < 0 and len(self._ahead) - self._at <= limit:
            spare = bytearray(_SPARE)
            size = self._receive([memoryview(spare)], wait=wait)
            if not size:
                return None
            self._ahead, self._at = self.ahead + bytes(spare[:size]), 0
        if end < 0 or end - self._at > limit:
            raise ValueError("a line is too long")
        line, self._at = self._ahead[self._at : end], end + 1
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise ValueError("a line doesn't end in CRLF")
        return line[:-1]

    def _receive(self, views: list[memoryview], *, wait: bool) -> int:
        while True:
            if self._sock is None:
                raise ClientVanished("The request is over; its body can't be read any more.")
            try:
                size = self._sock.recvmsg_into(views)[0]
            except BlockingIOError:
                if not wait:
                    return 0
                self.pace.wait(self._poll)
                continue
            except OSError as error:
                raise ClientVanished("The connection broke in the middle of the body.") from error
            if not size:
                raise ClientVanished("The client closed the connection in the middle of the body.")
            self.pace.received(size)
            return size


class Framing(Protocol):
    """How the bytes on the wire become a body."""

    finished: bool
    """The last byte of the body, framing included, was taken from the wire."""

    @property
    def remaining(self) -> int | None:
        """Bytes still to come; None if nobody can know."""
        ...

    def take(self, wire: Wire, view: memoryview, *, wait: bool) -> int:
        """Put bytes of the body into `view`. 0 at the end, or if there are none yet and `wait` is false."""
        ...


class Fixed:
    """A body of declared length. Never takes a byte behind its end."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.finished = not length

    @property
    def remaining(self) -> int | None:
        return self._left

    def take(self, wire: Wire, view: memoryview, *, wait: bool) -> int:
        if not self._left:
            return 0
        size = wire.fill(view[: self._left], wait=wait, beyond=False)
        self._left -= size
        self.finished = not self._left
        return size
