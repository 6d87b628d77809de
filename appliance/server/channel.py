"""One connection: requests in, answers out, in order.

The main loop's thread reads requests and flushes answers. A worker's thread runs one request at a time, and then looks
at the socket a little longer, in case the next follows at once. While a body streams, the thread that serves it reads
the socket. A download is sent by a sender's thread. At each moment one of them reads, and the others don't.

No thread ever waits for a client to take its answer: the connection's next request waits instead, unread.
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

from appliance.errors import ClientVanished, LimitExceeded
from appliance.server import access
from appliance.server.answer import AppAnswer, ErrorAnswer, Outgoing, TooBusy
from appliance.server.chunks import BadFraming
from appliance.server.crowd import origin
from appliance.server.download import Download
from appliance.server.hub import Hub
from appliance.server.parser import Request
from appliance.server.strict import RequestTimeout
from appliance.values import MIB

_log = logging.getLogger(__name__)

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# No answer of ours comes near it; only an application that goes on and on without a length does.
_MOST_OUTPUT = 64 * MIB

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

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:
        self.hub: Hub = server.hub
        self.limits = self.hub.limits
        self.origin = origin(str(addr[0]))
        # When the client last sent or took something. waitress's last_activity is by a clock that can be set.
        self.active_at = time.monotonic()
        self._begun = 0.0
        self._context = contextvars.copy_context()
        # Received behind a request that has been answered, and not parsed before the client has taken that answer.
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
        self._answer: Answer | None = None
        # For the worker alone, while it writes what is to leave together.
        self._joined: list[bytes] | None = None
        self._linger_until = 0.0
        self._linger_left = self.limits.linger_bytes
        super().__init__(server, sock, addr, adj, map=map)
        self.hub.crowd.enter(self)

    def del_channel(self, map: Any = None) -> None:
        super().del_channel(map)
        self.hub.crowd.leave(self)

    # -- the main loop: reading ----------------------------------------------------------------------------------

    def readable(self) -> bool:
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
            if self._linger_until:
                self._discard()
            elif self._collecting is not None:
                self._collect(self._collecting)
            elif not (self.requests or self._staying) and (data := self._receive()):
                self.active_at = time.monotonic()
                self._begin(data)

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
            self.hub.loop.wake(self)

    # -- bodies of those whom nobody knows -----------------------------------------------------------------------

    def admit(self) -> None:
        """Find out who sends the first request, whose body streams, and queue it accordingly. On a worker's thread."""
        request = self.requests[0]
        assert request.body is not None
        try:
            uploader = self._context.run(self.server.identify, AppAnswer(self, request).get_environment())
        except Exception:
            _log.exception("the sender of %s %s could not be identified", request.command, request.path)
            uploader = None
        if uploader is None:
            self.hub.post(self.collect)
        elif not self.hub.transfers.submit(uploader, self.service_stream):
            request.error = TooBusy(self.limits.retry_after_seconds)
            self.hub.workers.submit(self.service)

    def collect(self) -> None:
        """Receive the body of the first request here, and have it served then. On the main loop's thread."""
        with self.requests_lock:
            if not (self.connected and self.requests):
                return
            request = self._collecting = self.requests[0]
            assert request.body is not None
            request.body.attach(self.socket, self._say_continue)
            self._collect(request)
            self.hub.loop.wake(self)

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
        self.hub.workers.submit(self.service)

    # -- the main loop: writing ----------------------------------------------------------------------------------

    def writable(self) -> bool:
        if self._linger_until:
            return bool(self.will_close)
        if self._staying:
            return False
        return bool(self.total_outbufs_len or self._rest or self.will_close or self.close_when_flushed)

    def handle_write(self) -> None:
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
        """Say goodbye, but listen on for a while: closing now could destroy the answer on its way (RFC 9112, 9.6)."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.will_close = True
            return
        self._linger_until = time.monotonic() + self.limits.linger_seconds

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
        if self._collecting is not None and self._collecting.body is not None:
            self._collecting.body.close()
        if abandoned is not None:
            self._abandon(abandoned)

    # -- the main loop: time -------------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Enforce the time limits. On the main loop's thread, now and then; `now` is monotonic."""
        receiving = self._collecting or self.request
        if self._linger_until:
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

    # -- workers: one request at a time --------------------------------------------------------------------------

    def service(self) -> None:
        """Answer the first request, and others that follow closely. Called by a worker."""
        try:
            self._serve(self.requests[0], stay=True)
            while self._staying and self._next_came():
                self._serve(self.requests[0], stay=True)
        except Exception:
            self._give_up()

    def service_stream(self) -> None:
        """Answer the first request, whose body streams. Called by a thread that has a transfer slot."""
        try:
            self._serve(self.requests[0])
        except Exception:
            self._give_up()

    def _give_up(self) -> None:
        _log.exception("a connection is given up")
        self._staying = False
        self.will_close = True
        self._wake()

    def _wake(self) -> None:
        """Have the main loop look at this connection. From any thread."""
        self.hub.loop.wake(self)
        self.hub.loop.ring()

    def _next_came(self) -> bool:
        """Look at the connection a little longer; True if its next request is here and this thread may serve it."""
        workers = self.hub.workers
        data, gone, mine = b"", False, False
        if workers.step_aside():
            data, gone = self._peek_a_while()
            mine = workers.step_back(go_on=bool(data))
        with self.requests_lock:
            self._staying = False
            if data:
                self.active_at = time.monotonic()
                if self._parse(data):
                    if mine and self.requests[0].body is None:
                        return True
                    self.server.add_task(self)
                    return False
            self.will_close = self.will_close or gone
        if self.connected:
            self._wake()
        return False

    def _peek_a_while(self) -> tuple[bytes, bool]:
        """What the client sends within a moment, and whether it has closed instead."""
        with self.outbuf_lock:
            if not self.connected:
                return b"", False
            self._poll.register(self.socket, select.POLLIN)
        if not self._poll.poll(self.limits.stay_seconds * 1000):
            return b"", False
        with self.outbuf_lock:
            if not self.connected:
                return b"", False
            try:
                data = self.socket.recv(self.adj.recv_bytes)
            except BlockingIOError:
                return b"", False
            except OSError:
                data = b""
        return data, not data

    def _serve(self, request: Request, *, stay: bool = False) -> None:
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
            self._finish(request, close=answer.close_on_finish, stay=stay)

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

    def _finish(self, request: Request, *, close: bool, stay: bool = False) -> None:
        """The answer is complete, if perhaps not flushed. On a worker's thread, or after a download the main loop's."""
        with self.requests_lock:
            if close:
                self.close_when_flushed = True
                request.close()
                self.requests = []
            else:
                request.close()
                self.requests = []
                self.active_at = time.monotonic()
                if request.leftover and self.connected:
                    # Whoever doesn't take its answers gets no more of them: not even read.
                    if self.total_outbufs_len > self.limits.output_bytes:
                        self._rest = request.leftover
                    else:
                        self._begin(request.leftover)
                self._staying = stay and self._may_stay()
            on_its_way = self._staying or bool(self.requests)
        if self.connected and not on_its_way:
            self._wake()

    def _may_stay(self) -> bool:
        return (
            self.connected
            and self.request is None
            and not (self.requests or self._rest or self.total_outbufs_len or self.will_close or self.hub.stopping)
        )

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
        self.active_at = time.monotonic()
        if error is None:
            self._finish(answer.request, close=answer.close_on_finish)
            return
        if isinstance(error, ClientVanished):
            _log.info("%s %s was cut: %s", answer.request.command, answer.request.path, error)
        else:
            self._context.run(_log.error, "%s %s was cut", answer.request.command, answer.request.path, exc_info=error)
        self._finish(answer.request, close=True)
        self.handle_close()
