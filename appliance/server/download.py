"""One answer's body on its way out: decoder threads make its pieces, a sender thread takes them.

In-memory pieces are made a bounded way ahead of the client; runs of files cost nothing to hold and are joined.
"""

import contextlib
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from appliance.errors import Corrupt
from appliance.values import KIB, MIB, Content, FileRange, Piece

_log = logging.getLogger(__name__)

_MOST_PIECES = 256
_LONGEST_RANGE = 64 * MIB
_MOST_VIEWS = 16
# So many bytes are worth the waking of a sender that ran out of them, if more are at hand.
_WORTH_WAKING = 256 * KIB

Batch = FileRange | list[memoryview]


class Download:
    """`length` bytes of `content`. `allowance` says how many decoded bytes may wait; `later` runs a job elsewhere."""

    def __init__(
        self,
        content: Content,
        length: int,
        allowance: Callable[[], int],
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        self.length = length
        self.sent = 0
        self.sock: socket.socket | None = None
        self.progress_at = time.monotonic()
        self.on_end: Callable[[BaseException | None], None] = lambda error: None
        self._content = content
        self._allowance = allowance
        self._later = later
        self._on_ready: Callable[[], None] = lambda: None
        # Guards everything below: decoder and sender meet here. Never held while a piece is made or sent.
        self._lock = threading.Lock()
        self._pieces: Iterator[Piece] | None = None
        self._ready: deque[Piece] = deque()
        self._head_sent = 0
        self._ready_bytes = 0
        self._making = False
        self._starved = False
        self._made_all = False
        self._failure: BaseException | None = None
        self._released = False

    # -- decoder threads -----------------------------------------------------------------------------------------

    def begin(self, on_ready: Callable[[], None]) -> None:
        """Start to make pieces; `on_ready` is called when the sender was out of them and there is news."""
        self._on_ready = on_ready
        with self._lock:
            self._order()

    def _order(self) -> None:
        """Have more made. The lock is held."""
        if not (self._making or self._made_all or self._failure or self._released):
            self._making = True
            self._later(self._make)

    def _make(self) -> None:
        while True:
            piece, error = self._next_piece()
            with self._lock:
                if error is not None:
                    self._failure = error
                elif piece is None:
                    self._made_all = True
                else:
                    self._keep(piece)
                going = self._making = error is None and piece is not None and self._has_room() and not self._released
                release = self._released and not going
                # Woken for each piece, the sender would take the processor from whoever makes the next.
                wait = going and self._content.at_hand and self._ready_bytes < _WORTH_WAKING
                wake = self._starved and not wait
                if wake:
                    self._starved = False
            if wake:
                self._on_ready()
            if release:
                self._close_content()
            if not going:
                return

    def _next_piece(self) -> tuple[Piece | None, BaseException | None]:
        try:
            if self._pieces is None:
                self._pieces = self._content.pieces()
            return next(self._pieces, None), None
        except Exception as error:
            return None, error

    def _keep(self, piece: Piece) -> None:
        if isinstance(piece, FileRange):
            last = self._ready[-1] if self._ready else None
            if isinstance(last, FileRange) and _adjoin(last, piece):
                self._ready[-1] = FileRange(last.fd, last.offset, last.length + piece.length)
                return
            if not piece.length:
                return
        else:
            piece = memoryview(piece).cast("B")
            if not piece:
                return
            self._ready_bytes += len(piece)
        self._ready.append(piece)

    def _has_room(self) -> bool:
        return self._ready_bytes < self._allowance() and len(self._ready) < _MOST_PIECES

    # -- the sender thread ---------------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        return self.sent == self.length

    def batch(self) -> Batch | None:
        """What to send next; None if it isn't made yet. Raises what went wrong in making it."""
        left = self.length - self.sent
        with self._lock:
            if not self._ready:
                if self._failure is not None:
                    raise self._failure
                if self._made_all:
                    raise Corrupt("The content ended before its length.")
                self._starved = True
                self._order()
                return None
            head = self._ready[0]
            if isinstance(head, FileRange):
                return FileRange(head.fd, head.offset + self._head_sent, min(head.length - self._head_sent, left))
            return self._views(left)

    def _views(self, left: int) -> list[memoryview]:
        views: list[memoryview] = []
        skip = self._head_sent
        for piece in self._ready:
            if isinstance(piece, FileRange) or not left or len(views) == _MOST_VIEWS:
                break
            views.append(memoryview(piece)[skip : skip + left])
            left -= len(views[-1])
            skip = 0
        return views

    def advance(self, size: int) -> None:
        """`size` bytes of the last batch have gone."""
        self.sent += size
        self.progress_at = time.monotonic()
        with self._lock:
            self._head_sent += size
            while self._ready and self._head_sent >= (length := _length(self._ready[0])):
                piece = self._ready.popleft()
                self._head_sent -= length
                if not isinstance(piece, FileRange):
                    self._ready_bytes -= length
            if self._ready_bytes * 2 <= self._allowance() and len(self._ready) * 2 <= _MOST_PIECES:
                self._order()

    # -- any thread ----------------------------------------------------------------------------------------------

    def release(self) -> None:
        """It is over: close the socket's duplicate and, once no decoder is inside, the content."""
        with self._lock:
            if self._released:
                return
            self._released = True
            self._ready.clear()
            making = self._making
        if self.sock is not None:
            self.sock.close()
        # Closing may touch files and locks of other packages: not on a thread that serves many clients.
        if not making and not self._later(self._close_content):
            self._close_content()

    def _close_content(self) -> None:
        with contextlib.suppress(Exception):
            if isinstance(self._pieces, Iterator) and hasattr(self._pieces, "close"):
                self._pieces.close()
        try:
            self._content.close()
        except Exception:
            _log.exception("content could not be closed")


def _adjoin(last: FileRange, piece: FileRange) -> bool:
    together = last.length + piece.length
    return last.fd == piece.fd and last.offset + last.length == piece.offset and together <= _LONGEST_RANGE


def _length(piece: Piece) -> int:
    return piece.length if isinstance(piece, FileRange) else len(piece)
