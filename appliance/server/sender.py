"""Threads that send downloads to their clients, as fast as each client takes them. Needs Linux: epoll, sendfile."""

import contextlib
import errno
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from appliance.errors import ClientVanished, Corrupt, StorageFault
from appliance.server.download import Download
from appliance.server.limits import Limits
from appliance.server.pool import Pool
from appliance.values import KIB, MIB, Content, FileRange

# What one client may be sent before it is the next one's turn.
_TURN = 8 * MIB
_LEAST_AHEAD = 64 * KIB
# What sendfile says when the file is at fault, not the connection.
_FILE_TROUBLE = frozenset({errno.EIO, errno.EBADF, errno.EINVAL, errno.EOVERFLOW, errno.ENODATA})


class Sender:
    """One thread and its epoll set. Everything but `add` and `stop` runs on that thread."""

    def __init__(self, stall_seconds: float) -> None:
        self._stall = stall_seconds
        self._epoll = select.epoll()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake_fd, select.EPOLLIN)
        self._inbox: deque[Download] = deque()
        self._running: dict[int, Download] = {}
        self._watched: dict[int, int] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    @property
    def load(self) -> int:
        """How many downloads it has, roughly."""
        return len(self._running) + len(self._inbox)

    def add(self, download: Download) -> None:
        """Begin with a download, or go on with one that was out of pieces. From any thread."""
        self._inbox.append(download)
        self._wake()

    def stop(self) -> None:
        """Cut what still runs and end the thread."""
        self._stopping = True
        self._wake()
        self._thread.join()

    def close(self) -> None:
        """Close the descriptors, once no other thread can call `add` any more."""
        self._epoll.close()
        os.close(self._wake_fd)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(self._wake_fd, 1)

    def _run(self) -> None:
        check_at = 0.0
        pause = min(1.0, self._stall / 4)
        while not self._stopping:
            for fd, _ in self._epoll.poll(pause):
                if fd == self._wake_fd:
                    self._receive()
                elif fd in self._running:
                    self._serve(fd, self._running[fd])
            if time.monotonic() >= check_at:
                check_at = time.monotonic() + pause
                self._cut_stalled()
        for download in [*self._running.values(), *self._inbox]:
            self._end(download, ClientVanished("The server stopped."))

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake_fd)
        while self._inbox:
            download = self._inbox.popleft()
            sock = download.sock
            # A wake-up may come for a download that has ended meanwhile; then its socket is closed.
            if sock is None or (fd := sock.fileno()) < 0:
                continue
            if fd not in self._running:
                self._running[fd] = download
                self._watched[fd] = 0
                self._epoll.register(fd, 0)
            self._serve(fd, download)

    def _serve(self, fd: int, download: Download) -> None:
        try:
            wanted = _push(download)
        except BlockingIOError:
            wanted = select.EPOLLOUT
        except OSError as error:
            self._end(download, _gone(error))
            return
        except Exception as error:
            self._end(download, error)
            return
        if download.complete:
            self._end(download, None)
            return
        if wanted != self._watched[fd]:
            self._watched[fd] = wanted
            self._epoll.modify(fd, wanted)
        elif not wanted and _hung_up(download.sock):
            # Errors are reported even to those who watch for nothing.
            self._end(download, ClientVanished("The client closed the connection in the middle of the answer."))

    def _cut_stalled(self) -> None:
        now = time.monotonic()
        for fd, download in list(self._running.items()):
            if self._watched[fd] and now - download.progress_at > self._stall:
                self._end(download, ClientVanished("The client stopped reading in the middle of the answer."))

    def _end(self, download: Download, error: BaseException | None) -> None:
        if download.sock is not None and (fd := download.sock.fileno()) in self._running:
            self._epoll.unregister(fd)
            del self._running[fd], self._watched[fd]
        download.release()
        download.on_end(error)


def _push(download: Download) -> int:
    """Send until the client is full, the pieces are out or the turn is over; what to wait for then."""
    sock = download.sock
    assert sock is not None
    sent = 0
    while sent < _TURN and not download.complete:
        batch = download.batch()
        if batch is None:
            return 0
        if isinstance(batch, FileRange):
            size = _sendfile(sock, batch)
        else:
            size = sock.sendmsg(batch)
        download.advance(size)
        sent += size
    return select.EPOLLOUT


def _sendfile(sock: socket.socket, run: FileRange) -> int:
    try:
        size = os.sendfile(sock.fileno(), run.fd, run.offset, min(run.length, _TURN))
    except OSError as error:
        if error.errno in _FILE_TROUBLE:
            raise StorageFault(f"A stored file can't be read: {error.strerror}.") from error
        raise
    if not size:
        raise Corrupt("A stored file is shorter than the run of bytes it should hold.")
    return size


def _gone(error: OSError) -> ClientVanished:
    return ClientVanished(f"The connection broke in the middle of the answer: {error.strerror}.")


def _hung_up(sock: socket.socket | None) -> bool:
    if sock is None:
        return True
    poll = select.poll()
    poll.register(sock, 0)
    return bool(poll.poll(0))


class Downloads:
    """All downloads of a server: its senders, its decoders, and who may hold how much."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._decoders = Pool("decoder", limits.decoder_threads)
        self._senders = [Sender(limits.stall_seconds) for _ in range(limits.sender_threads)]

    def prepare(self, content: Content, length: int) -> Download:
        """A download that has not begun; whoever asked must `start` or `release` it."""
        return Download(content, length, self._allowance, self._decoders.submit)

    def start(self, download: Download, sock: socket.socket, on_end: Callable[[BaseException | None], None]) -> None:
        """Send it to `sock`, which is non-blocking. `on_end` is called once, on another thread."""
        download.sock = sock.dup()
        download.on_end = on_end
        download.progress_at = time.monotonic()
        sender = min(self._senders, key=lambda each: each.load)
        download.begin(lambda: sender.add(download))
        sender.add(download)

    def _allowance(self) -> int:
        active = sum(sender.load for sender in self._senders)
        share = self._limits.read_ahead_total_bytes // max(1, active)
        return max(_LEAST_AHEAD, min(self._limits.read_ahead_bytes, share))

    def close(self, seconds: float) -> None:
        """Cut every download and end the threads."""
        for sender in self._senders:
            sender.stop()
        if not self._decoders.close(seconds, drop=False):
            for sender in self._senders:
                sender.close()
