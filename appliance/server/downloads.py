"""Downloads on their way out: one thread at a time reads, checks, decodes and sends for each, as its client takes it.

The threads share an epoll set. A download whose client is full waits there, with at most the piece that is half sent,
and whichever thread is free goes on with it. So no thread waits for a client, and bytes are never handed from thread
to thread. Needs Linux: epoll, sendfile.
"""

import contextlib
import errno
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator

from appliance.errors import ClientVanished, Corrupt, StorageFault
from appliance.server.limits import Limits
from appliance.server.tls import TlsSocket
from appliance.values import MIB, Content, FileRange, Piece

_log = logging.getLogger(__name__)

# What one client may be sent before it is the next one's turn.
_TURN = 8 * MIB
_IDLE_SECONDS = 30.0
# What sendfile says when the file is at fault, not the connection.
_FILE_TROUBLE = frozenset({errno.EIO, errno.EBADF, errno.EINVAL, errno.EOVERFLOW, errno.ENODATA})
_WRITABLE = select.EPOLLOUT | select.EPOLLONESHOT

OnEnd = Callable[[BaseException | None], None]


class Download:
    """`length` bytes of `content` for one client. One thread uses it at a time."""

    def __init__(self, content: Content, length: int, sock: socket.socket, on_end: OnEnd) -> None:
        self.sent = 0
        self.sock = sock
        self.progress_at = time.monotonic()
        self.stalled = False
        self._content = content
        self._length = length
        self._on_end = on_end
        self._pieces: Iterator[Piece] | None = None
        # What is left of the piece that is being sent.
        self._rest: Piece = b""

    @property
    def complete(self) -> bool:
        return self.sent == self._length

    def push(self, most: int) -> None:
        """Send until all is out or `most` bytes are. Raises BlockingIOError when the client has no room for more."""
        end = min(self._length, self.sent + most)
        while self.sent < end:
            piece = self._rest or self._next()
            left = self._length - self.sent
            size = _send_file(self.sock, piece, left) if isinstance(piece, FileRange) else self.sock.send(piece[:left])
            self.sent += size
            self.progress_at = time.monotonic()
            self._rest = _behind(piece, size)

    def _next(self) -> Piece:
        """The next piece that isn't empty, kept in case that nothing of it can be sent now."""
        if self._pieces is None:
            self._pieces = self._content.pieces()
        for piece in self._pieces:
            if piece.length if isinstance(piece, FileRange) else len(piece):
                self._rest = piece if isinstance(piece, FileRange) else memoryview(piece).cast("B")
                return self._rest
        raise Corrupt("The content ended before its length.")

    def end(self, error: BaseException | None) -> None:
        """It is over: let go of the socket's duplicate and of the content."""
        self.sock.close()
        self._rest = b""
        try:
            if isinstance(self._pieces, Generator):
                self._pieces.close()
            self._content.close()
        except Exception:
            _log.exception("content could not be closed")
        self._on_end(error)


def _send_file(sock: socket.socket, run: FileRange, most: int) -> int:
    try:
        if isinstance(sock, TlsSocket):
            size = sock.send_file(run, most)
        else:
            size = os.sendfile(sock.fileno(), run.fd, run.offset, min(run.length, most))
    except OSError as error:
        if error.errno in _FILE_TROUBLE:
            raise StorageFault(f"A stored file can't be read: {error.strerror}.") from error
        raise
    if not size:
        raise Corrupt("A stored file is shorter than the run of bytes it should hold.")
    return size


def _behind(piece: Piece, size: int) -> Piece:
    """What is left of a piece of which `size` bytes are sent."""
    if isinstance(piece, FileRange):
        return FileRange(piece.fd, piece.offset + size, piece.length - size) if size < piece.length else b""
    return piece[size:]


class Downloads:
    """All downloads of a server, and the threads that serve them."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.download_threads
        self._stall = limits.stall_seconds
        self._epoll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._bell, select.EPOLLIN)
        # Guards everything below. Never held while anything is made or sent.
        self._changed = threading.Condition()
        # Those that no thread works for: their clients are full, or their turn is over.
        self._parked: dict[int, Download] = {}
        self._threads = 0
        self._waiting = 0
        self._stopping = False

    def start(self, content: Content, length: int, sock: socket.socket, on_end: OnEnd) -> Download:
        """Send it to `sock`, which is non-blocking. `on_end` is called once, on another thread. Raises OSError."""
        download = Download(content, length, sock.dup(), on_end)
        fd = download.sock.fileno()
        try:
            with self._changed:
                if self._stopping:
                    raise OSError(errno.ESHUTDOWN, "the server stops")
                self._see_to_a_waiting_thread()
                self._epoll.register(fd, _WRITABLE)
                self._parked[fd] = download
        except OSError:
            download.sock.close()
            raise
        return download

    def check(self, now: float) -> None:
        """Cut off the clients that have taken nothing for too long. From time to time, on any thread."""
        with self._changed:
            for download in self._parked.values():
                if now - download.progress_at > self._stall and not download.stalled:
                    download.stalled = True
                    # The end of the connection is an event, and a thread sees to it.
                    with contextlib.suppress(OSError):
                        download.sock.shutdown(socket.SHUT_RDWR)

    def close(self, seconds: float) -> None:
        """Cut every download and end the threads. Those that are still inside a content then are left behind."""
        end = time.monotonic() + seconds
        with self._changed:
            self._stopping = True
            os.eventfd_write(self._bell, 1)
            while self._threads and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            parked, self._parked = list(self._parked.values()), {}
            gone = not self._threads
        for download in parked:
            download.end(ClientVanished("The server stopped."))
        if gone:
            self._epoll.close()
            os.close(self._bell)

    # -- threads ---------------------------------------------------------------------------------------------------

    def _see_to_a_waiting_thread(self) -> None:
        """While there may be more threads, one waits for whatever comes: a slow disk holds up nobody. Lock held."""
        if self._waiting or self._threads >= self._most or self._stopping:
            return
        try:
            threading.Thread(target=self._work, name="download", daemon=True).start()
        except RuntimeError as error:
            if not self._threads:
                raise OSError(errno.EAGAIN, "can't start a thread") from error
            return
        self._threads += 1
        self._waiting += 1

    def _work(self) -> None:
        while (download := self._wait()) is not None:
            self._serve(download)

    def _wait(self) -> Download | None:
        """The next download that can go on, for this thread alone; None if the thread is to end."""
        while True:
            ready = self._epoll.poll(_IDLE_SECONDS, 1)
            with self._changed:
                download = self._parked.pop(ready[0][0], None) if ready and not self._stopping else None
                spare = not ready and (self._waiting > 1 or not self._parked)
                if download is None and not spare and not self._stopping:
                    continue
                self._waiting -= 1
                if download is None:
                    self._threads -= 1
                    self._changed.notify_all()
                    return None
                self._see_to_a_waiting_thread()
                return download

    def _serve(self, download: Download) -> None:
        error: Exception | None = None
        try:
            download.push(_TURN)
        except BlockingIOError:
            pass
        except OSError as trouble:
            error = ClientVanished(f"The connection broke in the middle of the answer: {trouble.strerror}.")
        except Exception as trouble:
            error = trouble
        if download.stalled:
            error = ClientVanished("The client stopped reading in the middle of the answer.")
        if error is None and not download.complete and self._park(download):
            return
        # The connection's own descriptor keeps the socket open, and with it what epoll knows of this one.
        self._epoll.unregister(download.sock.fileno())
        download.end(error if download.complete or error else ClientVanished("The server stopped."))
        with self._changed:
            self._waiting += 1

    def _park(self, download: Download) -> bool:
        """Have whichever thread is free go on with it when its client has room; False if the server stops."""
        with self._changed:
            if not self._stopping:
                self._waiting += 1
                self._parked[fd := download.sock.fileno()] = download
                self._epoll.modify(fd, _WRITABLE)
            return not self._stopping
