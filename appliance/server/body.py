"""Request bodies: the socket they are read from, their framing (lengths, chunks), and the file that handlers read."""

import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Protocol

from appliance.errors import ClientVanished, Invalid, LimitExceeded
from appliance.server.limits import Limits
from appliance.server.tls import TlsSocket
from appliance.server.transfers import Pace
from appliance.values import KIB, MIB

_SPARE = 16 * KIB


class BodyReader:
    """Bytes in order: first those received too early, then the socket's. Used by one thread at a time.

    The socket is a duplicate that belongs to the connection, so that the main loop may close its own at any moment
    without the descriptor number coming back under the reader's feet.
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

    def rest(self) -> bytes:
        """What was received and not asked for, once nobody asks any more."""
        decrypted = self._sock.decrypted() if isinstance(self._sock, TlsSocket) else b""
        return self._ahead[self._at :] + decrypted

    def close(self) -> None:
        """Close the duplicate. May be called twice."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def fill(self, view: memoryview, *, wait: bool, beyond: bool) -> int:
        """Put bytes into `view`, as many as are there; 0 only if none are and `wait` is false.

        With `beyond` the connection may receive more than fits and keep it for later.
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
            self._ahead, self._at = self._ahead[self._at :] + bytes(spare[:size]), 0
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
    """How the bytes on the connection become a body."""

    finished: bool
    """The last byte of the body, framing included, was taken from the connection."""

    @property
    def remaining(self) -> int | None:
        """Bytes still to come; None if nobody can know."""
        ...

    def take(self, reader: BodyReader, view: memoryview, *, wait: bool) -> int:
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

    def take(self, reader: BodyReader, view: memoryview, *, wait: bool) -> int:
        if not self._left:
            return 0
        size = reader.fill(view[: self._left], wait=wait, beyond=False)
        self._left -= size
        self.finished = not self._left
        return size


_SIZE_LINE = re.compile(rb"(?P<size>[0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")


class BadFraming(Invalid):
    """The body breaks the rules of its transfer coding; where the next request starts is unknown."""


class _State(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    END = auto()


class Chunked:
    """A body in chunks. Extensions and trailers are checked, counted and thrown away."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._state = _State.SIZE
        self._chunk_left = 0
        self._trailer_left = limits.trailer_bytes
        self.finished = False

    @property
    def remaining(self) -> int | None:
        return 0 if self.finished else None

    def take(self, reader: BodyReader, view: memoryview, *, wait: bool) -> int:
        while self._state is not _State.DATA:
            if self._state is _State.END or not self._advance(reader, wait=wait):
                return 0
        size = reader.fill(view[: self._chunk_left], wait=wait, beyond=True)
        self._chunk_left -= size
        if not self._chunk_left:
            self._state = _State.DATA_END
        return size

    def _advance(self, reader: BodyReader, *, wait: bool) -> bool:
        """Read one line of framing; False if it isn't there yet."""
        limit = self._limits.chunk_line_bytes if self._state is not _State.TRAILER else self._trailer_left
        try:
            line = reader.line(limit, wait=wait)
        except ValueError as error:
            raise BadFraming(f"The chunked body is malformed: {error}.") from error
        if line is None:
            return False
        if self._state is _State.SIZE:
            self._begin_chunk(line)
        elif self._state is _State.DATA_END:
            if line:
                raise BadFraming("The chunked body is malformed: a chunk is longer than its size.")
            self._state = _State.SIZE
        else:
            self._take_trailer(line)
        return True

    def _begin_chunk(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise BadFraming("The chunked body is malformed: a chunk's size is not a hexadecimal number.")
        self._chunk_left = int(match["size"], 16)
        self._state = _State.DATA if self._chunk_left else _State.TRAILER

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            self._state = _State.END
            self.finished = True
            return
        self._trailer_left -= len(line) + 2
        if not _TRAILER.fullmatch(line):
            raise BadFraming("The chunked body is malformed: a trailer is not a header field.")


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
        self._reader = BodyReader(ahead, Pace(limits))
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
        self._reader.attach(sock)

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
            while done < len(view) and (more := self._framing.take(self._reader, view[done:], wait=not done)):
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
            size = self._framing.take(self._reader, piece, wait=False)
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
        """Asked when the response's header is made: will the next request's first byte be found?"""
        if self._framing.finished:
            return True
        left = self._framing.remaining
        if self._broken is not None or self._continue_due or left is None:
            return False
        return left <= self._limits.drain_bytes

    def drain(self) -> bool:
        """Throw a small rest away; False if it doesn't come soon. Only after `leaves_connection_usable`."""
        end = time.monotonic() + self._limits.linger_seconds
        self._reader.pace.stall_seconds = self._limits.linger_seconds
        try:
            while time.monotonic() < end and self.read(_READ):
                pass
        except (ClientVanished, BadFraming, LimitExceeded):
            return False
        return self._framing.finished

    @property
    def leftover(self) -> bytes:
        """What was received behind the end of the body: the beginning of the next request."""
        return self._reader.rest() if self._framing.finished else b""

    def close(self) -> None:
        """Give the socket back. May be called twice."""
        self._reader.close()
