"""The chunked transfer coding, read strictly: what two parsers could read differently is refused."""

import re
from enum import Enum, auto

from appliance.errors import Invalid
from appliance.server.limits import Limits
from appliance.server.wire import Wire

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

    def take(self, wire: Wire, view: memoryview, *, wait: bool) -> int:
        while self._state is not _State.DATA:
            if self._state is _State.END or not self._advance(wire, wait=wait):
                return 0
        size = wire.fill(view[: self._chunk_left], wait=wait, beyond=True)
        self._chunk_left -= size
        if not self._chunk_left:
            self._state = _State.DATA_END
        return size

    def _advance(self, wire: Wire, *, wait: bool) -> bool:
        """Read one line of framing; False if it isn't there yet."""
        limit = self._limits.chunk_line_bytes if self._state is not _State.TRAILER else self._trailer_left
        try:
            line = wire.line(limit, wait=wait)
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
