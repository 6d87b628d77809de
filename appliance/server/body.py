"""`wsgi.input` of a request that streams: a `Source` that reads the socket when it is asked."""

import socket
import time
from collections.abc import Callable, Iterator

from appliance.errors import ClientVanished, LimitExceeded
from appliance.server.chunks import BadFraming
from appliance.server.limits import Limits
from appliance.server.pace import Pace
from appliance.server.wire import Framing, Wire
from appliance.values import KIB, MIB

_READ = 256 * KIB
_READ_ALL = 16 * MIB
_PIECE = 16 * KIB
_TOO_LARGE = "Request is too large."


class Body:
    """The bytes of one request, for the thread that serves it. `readinto` is the way without a copy.

    Every way of reading raises `ClientVanished` for a client that closes early or stalls, and `Invalid` for broken
    chunks; once raised, it is raised again.
    """

    def __init__(self, framing: Framing, ahead: bytes, limits: Limits, *, wants_continue: bool) -> None:
        self._framing = framing
        self._wire = Wire(ahead, Pace(limits))
        self._limits = limits
        # A client that has begun to send doesn't wait for a word.
        self._continue_due = wants_continue and not ahead
        self._say_continue: Callable[[], None] = lambda: None
        self._broken: ClientVanished | BadFraming | LimitExceeded | None = None
        self._collected = bytearray()
        self._scratch = bytearray()
        self.bytes_read = 0

    def attach(self, sock: socket.socket, say_continue: Callable[[], None]) -> None:
        """Connect to the client: called by the serving thread before the application runs."""
        self._say_continue = say_continue
        self._wire.attach(sock)

    # -- for the application -------------------------------------------------------------------------------------

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill `buffer` with what is there, waiting for the first byte; 0 at the end of the body."""
        view = memoryview(buffer).cast("B")
        if not view or self._framing.finished:
            return 0
        if self._broken is not None:
            raise self._broken
        done = 0
        try:
            if self._continue_due:
                self._continue_due = False
                self._say_continue()
            while done < len(view) and (more := self._framing.take(self._wire, view[done:], wait=not done)):
                done += more
        except (ClientVanished, BadFraming) as error:
            self._broken = error
            if not done:
                raise
        self.bytes_read += done
        return done

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes, at most `size`, possibly fewer; empty at the end. Without a size: all, if that is little."""
        if size is None or size < 0:
            return self._read_all()
        if len(self._scratch) < min(size, _READ):
            self._scratch = bytearray(min(size, _READ))
        view = memoryview(self._scratch)[: min(size, _READ)]
        return bytes(view[: self.readinto(view)])

    def readline(self, size: int | None = -1, /) -> bytes:
        """One line, at most `size` bytes of it. For WSGI's sake: slow."""
        limit = size if size is not None and size >= 0 else _READ_ALL
        line = bytearray()
        one = bytearray(1)
        while len(line) < limit and self.readinto(one):
            line += one
            if one == b"\n":
                break
        return bytes(line)

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        """All lines."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _read_all(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := self.read(_READ):
            size += len(part)
            if size > _READ_ALL:
                raise LimitExceeded("The request body is too large to be read in one piece.")
            parts.append(part)
        return b"".join(parts)

    # -- for the channel -----------------------------------------------------------------------------------------

    def collect(self) -> bytes | None:
        """Without waiting: the whole body once it is there, None before. For a small one, on the main loop's thread.

        Raises what `readinto` raises, and `LimitExceeded` for a body that is not small.
        """
        most = self._limits.small_body_bytes
        if (self._framing.remaining or 0) > most - len(self._collected):
            raise LimitExceeded(_TOO_LARGE)
        if self._continue_due:
            self._continue_due = False
            self._say_continue()
        while not self._framing.finished:
            piece = memoryview(bytearray(_PIECE))
            size = self._framing.take(self._wire, piece, wait=False)
            self._collected += piece[:size]
            if len(self._collected) > most:
                raise LimitExceeded(_TOO_LARGE)
            if not size and not self._framing.finished:
                return None
        return bytes(self._collected)

    @property
    def collected(self) -> int:
        """Bytes that `collect` has so far."""
        return len(self._collected)

    def refuse(self) -> None:
        """Let nobody read it: whoever sends it is not known, and it is not small."""
        self._continue_due = False
        self._broken = LimitExceeded(_TOO_LARGE)

    @property
    def leaves_connection_usable(self) -> bool:
        """Asked when the answer's header is made: will the next request's first byte be found?"""
        if self._framing.finished:
            return True
        left = self._framing.remaining
        if self._broken is not None or self._continue_due or left is None:
            return False
        return left <= self._limits.drain_bytes

    def drain(self) -> bool:
        """Throw a small rest away; False if it doesn't come soon. Only after `leaves_connection_usable`."""
        end = time.monotonic() + self._limits.linger_seconds
        self._wire.pace.stall_seconds = self._limits.linger_seconds
        try:
            while time.monotonic() < end and self.read(_READ):
                pass
        except (ClientVanished, BadFraming, LimitExceeded):
            return False
        return self._framing.finished

    @property
    def leftover(self) -> bytes:
        """What was received behind the end of the body: the beginning of the next request."""
        return self._wire.ahead if self._framing.finished else b""

    def close(self) -> None:
        """Give the socket back. May be called twice."""
        self._wire.close()
