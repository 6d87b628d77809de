"""One connection as the main loop sees it: it reads requests, flushes responses, and enforces the time limits.

Whose thread may do what is told in `channel.py`, which adds the other threads' half.
"""

import contextlib
import contextvars
import logging
import select
import socket
import time
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from waitress.channel import ClientDisconnected
from waitress.utilities import BadRequest, Error

from appliance.errors import ClientVanished, LimitExceeded
from appliance.server.body import BadFraming
from appliance.server.context import ServerContext
from appliance.server.downloads import Download
from appliance.server.limits import origin
from appliance.server.opening import Opening
from appliance.server.parser import Request, RequestTimeout
from appliance.server.response import AppResponse, ErrorResponse, Outgoing
from appliance.server.tls import PART
from appliance.values import MIB

_log = logging.getLogger(__name__)

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# No response of ours comes near it; only an application that goes on and on without a length does.
_MOST_OUTPUT = 64 * MIB

AnyResponse = AppResponse | ErrorResponse


class Connection(Opening):
    """Waitress's channel with its reading and its writing replaced."""

    parser_class = Request

    # waitress's own state; requests_lock guards the first three.
    requests: list[Request]
    request: Request | None
    close_when_flushed: bool
    will_close: bool
    total_outbufs_len: int
    sendbuf_len: int

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:
        self.shared: ServerContext = server.shared
        self.limits = self.shared.limits
        self.origin = origin(str(addr[0]))
        # When the client last sent or took something. waitress's last_activity is by a clock that can be set.
        self.active_at = time.monotonic()
        self._begun = 0.0
        self._context = contextvars.copy_context()
        # Received behind a request that has been answered, and not parsed before the client has taken that response.
        self._rest = b""
        # A request whose body would stream, if its sender were known: the main loop receives it.
        self._collecting: Request | None = None
        # The worker that answered last still looks at the socket, and the main loop must not.
        self._staying = False
        self._poll = select.poll()
        # What the application returned, for the worker alone, until the request is otherwise over.
        self._handed: Outgoing | None = None
        # Set by the worker, taken by whoever flushes the last byte before it; both hold outbuf_lock.
        self._outgoing: Outgoing | None = None
        self._download: Download | None = None
        self._response: AnyResponse | None = None
        # For the worker alone, while it writes what is to leave together.
        self._joined: list[bytes] | None = None
        self._linger_until = 0.0
        self._linger_left = self.limits.linger_bytes
        super().__init__(server, sock, addr, adj, map=map)
        self._open(sock, str(addr[0]))
        # What has once been tried to be sent over TLS has to be tried again with no fewer bytes.
        self.sendbuf_len = max(self.sendbuf_len, PART)
        self.shared.crowd.enter(self)

    def del_channel(self, map: Any = None) -> None:
        super().del_channel(map)
        self.shared.crowd.leave(self)

    # -- the main loop: reading ----------------------------------------------------------------------------------

    def readable(self) -> bool:
        if self._is_opening:
            return self._opening_wants()[0]
        if self._linger_until or self._collecting is not None:
            return True
        return not (
            self.requests
            or self._staying
            or self._rest
            or self.total_outbufs_len
            or self.will_close
            or self.close_when_flushed
        )

    def handle_read(self) -> None:
        # The event may be older than a worker's decision: when a body ends, the worker itself starts the request that
        # came behind it, whose body is none of ours. Under the lock, `requests` says who reads.
        with self.requests_lock:
            if self._is_opening:
                self._go_on_opening()
            elif self._linger_until:
                self._discard()
            elif self._collecting is not None:
                self._collect(self._collecting)
            elif not (self.requests or self._staying) and (data := self._receive()):
                self.active_at = time.monotonic()
                self._begin(data)

    def _receive(self) -> bytes:
        try:
            return bytes(self.recv(self.adj.recv_bytes))
        except BlockingIOError:
            # Of what is encrypted, some may have come and yet not enough.
            return b""
        except OSError as error:
            _log.info("a connection broke: %s", error)
            self.handle_close()
            return b""

    def _discard(self) -> None:
        self._linger_left -= self.adj.recv_bytes
        if self._receive() and self._linger_left <= 0:
            self.handle_close()

    def _begin(self, data: bytes) -> None:
        """Have the request served that `data` completes, if it does. requests_lock is held; on any thread."""
        if self._parse(data):
            self.server.add_task(self)

    def _parse(self, data: bytes) -> bool:
        """Make one request of `data` and keep the rest for later; True if it is complete. requests_lock is held."""
        if self.will_close or self.close_when_flushed:
            return False
        while data:
            if self.request is None:
                self.request = self.parser_class(self.adj)
            request = self.request
            data = data[request.received(data) :]
            if not request.completed:
                continue
            self.request = None
            if request.empty:
                continue
            if request.error is None and request.streams:
                # All that follows may be body: it comes back as `leftover` if it isn't.
                request.open_body(data)
            else:
                request.leftover = data
            self.requests.append(request)
            return True
        return False

    def refuse(self, error: Error) -> None:
        """Answer the request that is still being received with an error. On the main loop's thread."""
        with self.requests_lock:
            request, self.request = self._collecting or self.request, None
            if request is None:
                return
            self._collecting = None
            if request.body is not None:
                request.body.close()
                request.body = None
            request.error = error
            self.requests[:] = [request]
            self.server.add_task(self)
            self.shared.loop.wake(self)

    # -- bodies of those whom nobody knows -----------------------------------------------------------------------

    def collect(self) -> None:
        """Receive the body of the first request here, and have it served then. On the main loop's thread."""
        with self.requests_lock:
            if not (self.connected and self.requests):
                return
            request = self._collecting = self.requests[0]
            assert request.body is not None
            request.body.attach(self.socket, self._say_continue)
            self._collect(request)
            self.shared.loop.wake(self)

    def _collect(self, request: Request) -> None:
        body = request.body
        assert body is not None
        try:
            content = body.collect()
        except LimitExceeded:
            # Let the application say so, or that it doesn't know the caller.
            body.refuse()
        except BadFraming as error:
            request.error = BadRequest(str(error))
        except ClientVanished:
            self.handle_close()
            return
        else:
            if content is None:
                return
            request.become_small(content)
        self._collecting = None
        self.shared.workers.submit(self.service)

    # -- the main loop: writing ----------------------------------------------------------------------------------

    def writable(self) -> bool:
        if self._is_opening:
            return self._opening_wants()[1]
        if self._linger_until:
            return bool(self.will_close)
        if self._staying:
            return False
        return bool(self.total_outbufs_len or self._rest or self.will_close or self.close_when_flushed)

    def handle_write(self) -> None:
        if self._is_opening:
            self._go_on_opening()
            return
        if self.total_outbufs_len:
            self._flush_exception(self._flush_some_if_lockable)
        if not self.total_outbufs_len and self.connected:
            self._start_download()
            if self.close_when_flushed:
                self.close_when_flushed = False
                self._linger()
        if self.will_close:
            self.handle_close()
        elif self._rest and self.total_outbufs_len <= self.limits.output_bytes:
            with self.requests_lock:
                rest, self._rest = self._rest, b""
                self._begin(rest)

    def _flush_some(self, do_close: bool = True) -> bool:
        flushed = bool(super()._flush_some(do_close))
        if flushed:
            self.active_at = time.monotonic()
        return flushed

    def _linger(self) -> None:
        """Say goodbye, but listen on for a while: closing now could destroy the response on its way (RFC 9112, 9.6)."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.will_close = True
            return
        self._linger_until = time.monotonic() + self.limits.linger_seconds

    # -- the main loop: time -------------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Enforce the time limits. On the main loop's thread, now and then; `now` is monotonic."""
        receiving = self._collecting or self.request
        if self._is_opening:
            self._check_opening(now)
        elif self._linger_until:
            if now > self._linger_until:
                self.handle_close()
        elif self.total_outbufs_len or self._rest:
            if now - self.active_at > self.limits.stall_seconds:
                self.handle_close()
        elif receiving is not None:
            if now > receiving.due:
                self.refuse(RequestTimeout("The request did not arrive in time."))
        elif self.at_rest and now - self.active_at > self.limits.idle_seconds:
            self.handle_close()

    @property
    def waiting_since(self) -> float | None:
        """Since when only the client is waited for; None while somebody works for it. On the main loop's thread."""
        receiving = self._collecting or self.request
        if receiving is not None:
            return receiving.started
        return None if self.requests or self._staying else self.active_at

    @property
    def has_sent(self) -> bool:
        """Whether something has come that nobody has read yet. On the main loop's thread."""
        try:
            return self.socket is not None and bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    @property
    def at_rest(self) -> bool:
        """Nothing is being answered or sent."""
        return not (
            self.requests
            or self._staying
            or self._rest
            or self.total_outbufs_len
            or self._download
            or self._linger_until
        )

    # -- any thread: writing -------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Have the main loop look at this connection. From any thread."""
        self.shared.loop.wake(self)
        self.shared.loop.wakeup()

    def _say_continue(self) -> None:
        try:
            self.write_soon(_CONTINUE)
        except ClientDisconnected:
            raise ClientVanished("The client closed the connection before sending the body.") from None

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """The bytes that are written in the block leave together, at its end."""
        parts: list[bytes] = []
        self._joined = parts
        try:
            yield
        finally:
            self._joined = None
        self.write_soon(b"".join(parts))

    def write_soon(self, data: Any) -> int:
        """Send what the client's buffer takes, and leave the rest to the main loop. Never waits."""
        if self._joined is not None:
            self._joined.append(data)
            return len(data)
        if isinstance(data, Outgoing):
            self._handed = data
            return len(data)
        size = len(data)
        with self.outbuf_lock:
            if not self.connected:
                raise ClientDisconnected
            if not self.total_outbufs_len:
                # The client's time to take something begins now.
                self.active_at = time.monotonic()
                if isinstance(data, bytes):
                    data = data[self.send(data, do_close=False) :]
            elif self.total_outbufs_len > _MOST_OUTPUT:
                raise RuntimeError("an ordinary answer doesn't fit into memory; content with pieces would")
            if data:
                super().write_soon(data)
        if self.total_outbufs_len:
            self._wake()
        return size

    # -- the other threads' half ---------------------------------------------------------------------------------

    @abstractmethod
    def service(self) -> None:
        """Answer the first request."""

    @abstractmethod
    def _start_download(self) -> None:
        """Begin to send the file that belongs to a response if its head is out."""
