"""One connection: requests in, answers out, in order.

The main loop's thread reads requests and flushes answers. A worker's thread runs one request at a time; while the
body of that streams, the worker also reads the socket, and the main loop doesn't. A download is sent by a sender's
thread, and then neither of the others touches the socket.
"""

import contextlib
import contextvars
import logging
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.utilities import BadRequest, Error, InternalServerError

from appliance.errors import ClientVanished
from appliance.server import access
from appliance.server.answer import AppAnswer, ErrorAnswer, Outgoing
from appliance.server.chunks import BadFraming
from appliance.server.download import Download
from appliance.server.hub import Hub
from appliance.server.parser import Request
from appliance.server.strict import RequestTimeout

_log = logging.getLogger(__name__)

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Answer = AppAnswer | ErrorAnswer


class Channel(HTTPChannel):  # type: ignore[misc]
    """What waitress's listener makes of each accepted connection."""

    parser_class = Request
    task_class = AppAnswer
    error_task_class = ErrorAnswer

    # waitress's own state; requests_lock guards the first three.
    requests: list[Request]
    request: Request | None
    close_when_flushed: bool
    will_close: bool
    total_outbufs_len: int
    current_outbuf_count: int
    last_activity: float

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:
        self.hub: Hub = server.hub
        self.limits = self.hub.limits
        self._begun = 0.0
        self._context = contextvars.copy_context()
        # What the application returned, for the worker alone, until the request is otherwise over.
        self._handed: Outgoing | None = None
        # Set by the worker, taken by whoever flushes the last byte before it; both hold outbuf_lock.
        self._outgoing: Outgoing | None = None
        self._download: Download | None = None
        self._answer: Answer | None = None
        # For the worker alone, while it writes what is to leave together.
        self._joined: list[bytes] | None = None
        self._linger_until = 0.0
        self._linger_left = self.limits.linger_bytes
        super().__init__(server, sock, addr, adj, map=map)

    # -- the main loop: reading ----------------------------------------------------------------------------------

    def readable(self) -> bool:
        return bool(self._linger_until) or super().readable()

    def handle_read(self) -> None:
        # The event may be older than a worker's decision: when a body ends, the worker itself starts the request that
        # came behind it, whose body is none of ours. Under the lock, `requests` says who reads.
        with self.requests_lock:
            if self._linger_until:
                self._discard()
            elif not self.requests and (data := self._receive()):
                self.last_activity = time.time()
                self._parse(data)

    def _receive(self) -> bytes:
        try:
            return bytes(self.recv(self.adj.recv_bytes))
        except OSError as error:
            _log.info("a connection broke: %s", error)
            self.handle_close()
            return b""

    def _discard(self) -> None:
        self._linger_left -= self.adj.recv_bytes
        if self._receive() and self._linger_left <= 0:
            self.handle_close()

    def _parse(self, data: bytes) -> None:
        """Make requests of `data`. requests_lock is held; the thread is the main loop's, or after a body a worker's."""
        if self.will_close or self.close_when_flushed:
            return
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
            if request.error is not None:
                data = b""
            elif request.streams:
                # All that follows may be body: it comes back as `leftover` if it isn't.
                request.open_body(data)
                data = b""
            self._enqueue(request)

    def _enqueue(self, request: Request) -> None:
        """requests_lock is held."""
        self.requests.append(request)
        self.hub.loop.wake(self)
        if len(self.requests) == 1:
            self.server.add_task(self)

    def refuse(self, error: Error) -> None:
        """Answer the request that is still being received with an error. On the main loop's thread."""
        with self.requests_lock:
            request, self.request = self.request, None
            if request is not None and not self.requests:
                request.error = error
                self._enqueue(request)

    # -- the main loop: writing ----------------------------------------------------------------------------------

    def writable(self) -> bool:
        if self._linger_until:
            return bool(self.will_close)
        return bool(super().writable())

    def handle_write(self) -> None:
        if self.total_outbufs_len:
            self._flush_exception(self._flush_some_if_lockable if self.requests else self._flush_some)
        if not self.total_outbufs_len and self.connected:
            self._start_download()
            if self.close_when_flushed:
                self.close_when_flushed = False
                self._linger()
        if self.will_close:
            self.handle_close()

    def _linger(self) -> None:
        """Say goodbye, but listen on for a while: closing now could destroy the answer on its way (RFC 9112, 9.6)."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.will_close = True
            return
        self._linger_until = time.time() + self.limits.linger_seconds

    def handle_close(self) -> None:
        # outbuf_lock: no worker may be between its look at `connected` and its use of the socket.
        with self.outbuf_lock:
            request = self.requests[0] if self.requests else None
            if self.socket is not None and (self._download is not None or (request and request.body is not None)):
                # Others hold duplicates: closing ours would not end the connection, nor wake them.
                with contextlib.suppress(OSError):
                    self.socket.shutdown(socket.SHUT_RDWR)
            abandoned, self._outgoing = self._outgoing, None
            super().handle_close()
        if abandoned is not None:
            self._abandon(abandoned)

    def check(self, now: float, idle_seconds: float) -> None:
        """Enforce the time limits. On the main loop's thread, now and then."""
        quiet = now - self.last_activity
        if self._linger_until:
            if now > self._linger_until:
                self.handle_close()
        elif self.total_outbufs_len:
            if quiet > self.limits.stall_seconds:
                self.handle_close()
        elif self.requests:
            pass
        elif self.request is not None:
            if now - self.request.started > self.limits.receive_seconds:
                self.refuse(RequestTimeout("The request did not arrive in time."))
        elif quiet > idle_seconds:
            self.handle_close()

    @property
    def asleep(self) -> bool:
        """The main loop need not ask `readable` and `writable` again until an event, or `_wake`."""
        return self._download is not None or (self.at_rest and not self.will_close and not self.close_when_flushed)

    @property
    def at_rest(self) -> bool:
        """Nothing is being answered or sent."""
        return not (self.requests or self.total_outbufs_len or self._download or self._linger_until)

    # -- workers: one request at a time --------------------------------------------------------------------------

    def service(self) -> None:
        """Answer the first request. Called by a thread of one of the pools."""
        try:
            self._serve(self.requests[0])
        except Exception:
            _log.exception("a connection is given up")
            self.will_close = True
            self._wake()

    def _wake(self) -> None:
        """Have the main loop look at this connection. From any thread."""
        self.hub.loop.wake(self)
        self.hub.loop.ring()

    def _serve(self, request: Request) -> None:
        self._begun = time.monotonic()
        self._context = contextvars.copy_context()
        answer = self._answer = self._context.run(self._run, request)
        if request.body is not None:
            answer.close_on_finish = answer.close_on_finish or not request.body.drain()
            request.leftover = request.body.leftover
            request.body.close()
        outgoing, self._handed = self._handed, None
        if outgoing is not None:
            self._release_outgoing(outgoing)
        else:
            self._log_access(answer.body_bytes)
            self._finish(request, close=answer.close_on_finish)

    def _run(self, request: Request) -> Answer:
        answer = self._new_answer(request)
        with self.outbuf_lock:
            if not self.connected:
                answer.close_on_finish = True
                return answer
            if request.body is not None:
                request.body.attach(self.socket, self._say_continue)
        try:
            answer.service()
        except (ClientDisconnected, ClientVanished, ConnectionError) as error:
            _log.info("the client left during %s %s: %s", request.command, request.path, error)
            answer.close_on_finish = True
        except BadFraming as error:
            return self._answer_error(answer, BadRequest(str(error)))
        except Exception:
            _log.exception("%s %s failed", request.command, request.path)
            return self._answer_error(answer, InternalServerError("The server failed to answer this request."))
        return answer

    def client_has_left(self) -> bool:
        """Whether the client has closed its end, so that nobody waits for the answer. From any thread."""
        with self.outbuf_lock:
            if not self.connected or self.socket is None:
                return True
            poll = select.poll()
            poll.register(self.socket, select.POLLRDHUP)
            return bool(poll.poll(0))

    def _new_answer(self, request: Request) -> Answer:
        return self.error_task_class(self, request) if request.error is not None else self.task_class(self, request)

    def _answer_error(self, failed: Answer, error: Error) -> Answer:
        """Answer with an error instead, or cut the connection if the answer has begun."""
        failed.close_on_finish = True
        if failed.wrote_header:
            return failed
        failed.request.error = error
        answer = self._new_answer(failed.request)
        try:
            answer.service()
        except (ClientDisconnected, OSError):
            answer.close_on_finish = True
        return answer

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
        if self._joined is not None:
            self._joined.append(data)
            return len(data)
        if not isinstance(data, Outgoing):
            if not self.total_outbufs_len:
                # The client's time to take something begins now.
                self.last_activity = time.time()
            return int(super().write_soon(data))
        self._handed = data
        return len(data)

    def _finish(self, request: Request, *, close: bool) -> None:
        """The answer is complete, if perhaps not flushed. On a worker's thread, or after a download the main loop's."""
        with self.requests_lock:
            if close:
                self.close_when_flushed = True
                for each in self.requests:
                    each.close()
                self.requests = []
            else:
                request.close()
                # Start the next answer in a new buffer, so that buffers of a long connection get freed.
                if self.current_outbuf_count > 0:
                    self.current_outbuf_count = self.adj.outbuf_high_watermark
                self.requests.pop(0)
                self.last_activity = time.time()
                if self.connected and self.requests:
                    self.server.add_task(self)
                elif self.connected and request.leftover:
                    self._parse(request.leftover)
        if self.connected:
            self._wake()

    def _log_access(self, size: int) -> None:
        answer = self._answer
        if answer is not None:
            request = answer.request
            fields = (self.addr[0], request.command, request.path, answer.status, size, self._begun)
            self._context.run(access.record, *fields)

    # -- downloads -----------------------------------------------------------------------------------------------

    def _release_outgoing(self, outgoing: Outgoing) -> None:
        """The worker is done; what remains is to send the file."""
        with self.outbuf_lock:
            connected = self.connected
            if connected:
                self._outgoing = outgoing
        if not connected:
            self._abandon(outgoing)
            return
        self._start_download()
        self._wake()

    def _abandon(self, outgoing: Outgoing) -> None:
        """The connection was closed before the file could be sent."""
        if not self.hub.workers.submit(outgoing.content.close):
            outgoing.content.close()
        self._log_access(0)

    def _start_download(self) -> None:
        """Hand the socket to a sender if the head of the answer is out. On the worker's or the main loop's thread."""
        with self.outbuf_lock:
            outgoing = self._outgoing
            if outgoing is None or self._answer is None or self.total_outbufs_len or not self.connected:
                return
            self._outgoing = None
            download = self.hub.downloads.prepare(outgoing.content, outgoing.remain)
            try:
                self.hub.downloads.start(
                    download, self.socket, lambda error: self.hub.post(lambda: self._download_ended(error))
                )
            except OSError:
                _log.exception("a download can't begin")
                download.release()
                self.will_close = True
                return
            self._download = download

    def _download_ended(self, error: BaseException | None) -> None:
        """On the main loop's thread."""
        with self.outbuf_lock:
            # Held until _start_download, which it may have overtaken, is through.
            answer, download = self._answer, self._download
        assert answer is not None and download is not None
        self._log_access(download.sent)
        self._download = None
        self.last_activity = time.time()
        if error is None:
            self._finish(answer.request, close=answer.close_on_finish)
            return
        if isinstance(error, ClientVanished):
            _log.info("%s %s was cut: %s", answer.request.command, answer.request.path, error)
        else:
            self._context.run(_log.error, "%s %s was cut", answer.request.command, answer.request.path, exc_info=error)
        self._finish(answer.request, close=True)
        self.handle_close()
