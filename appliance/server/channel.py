"""One connection: requests in, responses out, in order.

The main loop reads requests and flushes responses. A worker's thread runs one request at a time, and then looks
at the socket a little longer, in case the next follows at once. While a body streams, the thread that serves it reads
the socket. A download is sent by a thread of `downloads.py`. At each moment one of them reads, and the others don't.

No thread ever waits for a client to take its response: the connection's next request waits instead, unread.
"""

import contextlib
import contextvars
import logging
import select
import socket
import time

from waitress.channel import ClientDisconnected
from waitress.utilities import BadRequest, Error, InternalServerError

from appliance.errors import ClientVanished
from appliance.server.body import BadFraming
from appliance.server.connection import AnyResponse, Connection
from appliance.server.parser import Request
from appliance.server.response import AppResponse, ErrorResponse, Outgoing, TooBusy, record

_log = logging.getLogger(__name__)


class Channel(Connection):
    """What waitress's listener makes of each accepted connection."""

    task_class = AppResponse
    error_task_class = ErrorResponse

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

    def admit(self) -> None:
        """Find out who sends the first request, whose body streams, and queue it accordingly. On a worker's thread."""
        request = self.requests[0]
        assert request.body is not None
        try:
            uploader = self._context.run(self.server.identify, AppResponse(self, request).get_environment())
        except Exception:
            _log.exception("the sender of %s %s could not be identified", request.command, request.path)
            uploader = None
        if uploader is None:
            self.shared.post(self.collect)
        elif not self.shared.transfers.submit(uploader, self.service_stream):
            request.error = TooBusy(self.limits.retry_after_seconds)
            self.shared.workers.submit(self.service)

    def _give_up(self) -> None:
        _log.exception("a connection is given up")
        self._staying = False
        self.will_close = True
        self._wake()

    def _next_came(self) -> bool:
        """Look at the connection a little longer; True if its next request is here and this thread may serve it."""
        workers = self.shared.workers
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
        self._hand_back()
        return False

    def _hand_back(self) -> None:
        """Let the main loop read again: through epoll alone, without waking it, if there is nothing else to do."""
        with self.outbuf_lock:
            if not self.connected:
                return
            if not (self.requests or self.close_when_flushed) and self._may_stay():
                self.shared.loop.expect(self.socket.fileno())
                return
        self._wake()

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
        response = self._response = self._context.run(self._run, request)
        if request.body is not None:
            response.close_on_finish = response.close_on_finish or not request.body.drain()
            request.leftover = request.body.leftover
            request.body.close()
        outgoing, self._handed = self._handed, None
        if outgoing is not None:
            self._release_outgoing(outgoing)
        else:
            self._log_access(response.body_bytes)
            self._finish(request, close=response.close_on_finish, stay=stay)

    def _run(self, request: Request) -> AnyResponse:
        response = self._new_response(request)
        with self.outbuf_lock:
            if not self.connected:
                response.close_on_finish = True
                return response
            if request.body is not None:
                request.body.attach(self.socket, self._say_continue)
        try:
            response.service()
        except (ClientDisconnected, ClientVanished, ConnectionError) as error:
            _log.info("the client left during %s %s: %s", request.command, request.path, error)
            response.close_on_finish = True
        except BadFraming as error:
            return self._respond_with_error(response, BadRequest(str(error)))
        except Exception:
            _log.exception("%s %s failed", request.command, request.path)
            return self._respond_with_error(response, InternalServerError("The server failed to answer this request."))
        return response

    def client_has_left(self) -> bool:
        """Whether the client has closed its end, so that nobody waits for the response. From any thread."""
        with self.outbuf_lock:
            if not self.connected or self.socket is None:
                return True
            poll = select.poll()
            poll.register(self.socket, select.POLLRDHUP)
            return bool(poll.poll(0))

    def _new_response(self, request: Request) -> AnyResponse:
        return self.error_task_class(self, request) if request.error is not None else self.task_class(self, request)

    def _respond_with_error(self, failed: AnyResponse, error: Error) -> AnyResponse:
        """Answer with an error instead, or cut the connection if the response has begun."""
        failed.close_on_finish = True
        if failed.wrote_header:
            return failed
        failed.request.error = error
        response = self._new_response(failed.request)
        try:
            response.service()
        except (ClientDisconnected, OSError):
            response.close_on_finish = True
        return response

    def _finish(self, request: Request, *, close: bool, stay: bool = False) -> None:
        """The response is complete, if perhaps not flushed. On a worker's thread; after a download on the loop's."""
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
                    # Whoever doesn't take its responses gets no more of them: not even read.
                    if self.total_outbufs_len > self.limits.output_bytes:
                        self._rest = request.leftover
                    else:
                        self._begin(request.leftover)
                self._staying = stay and self._may_stay()
            on_its_way = self._staying or bool(self.requests)
        if not on_its_way:
            self._hand_back()

    def _may_stay(self) -> bool:
        return (
            self.connected
            and self.request is None
            and not (self.requests or self._rest or self.total_outbufs_len or self.will_close or self.shared.stopping)
        )

    def _log_access(self, size: int) -> None:
        response = self._response
        if response is not None:
            request = response.request
            # A trusted proxy's word of the client has been folded into the environment.
            environ = getattr(response, "environ", None) or {}
            client = str(environ.get("REMOTE_ADDR") or self.addr[0])
            fields = (client, request.command, request.path, response.status, size, self._begun)
            self._context.run(record, *fields)

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
        if not self.shared.workers.submit(outgoing.content.close):
            outgoing.content.close()
        self._log_access(0)

    def _start_download(self) -> None:
        """Begin to send the file if the head of the response is out. On the worker's or the main loop's thread."""
        with self.outbuf_lock:
            outgoing = self._outgoing
            if outgoing is None or self._response is None or self.total_outbufs_len or not self.connected:
                return
            self._outgoing = None
            try:
                self._download = self.shared.downloads.start(
                    outgoing.content,
                    outgoing.remain,
                    self.socket,
                    lambda error: self.shared.post(lambda: self._download_ended(error)),
                )
            except OSError:
                _log.exception("a download can't begin")
                self._abandon(outgoing)
                self.will_close = True

    def _download_ended(self, error: BaseException | None) -> None:
        """On the main loop's thread."""
        with self.outbuf_lock:
            # Held until _start_download, which it may have overtaken, is through.
            response, download = self._response, self._download
        assert response is not None and download is not None
        self._log_access(download.sent)
        self._download = None
        self.active_at = time.monotonic()
        if error is None:
            self._finish(response.request, close=response.close_on_finish)
            return
        if isinstance(error, ClientVanished):
            _log.info("%s %s was cut: %s", response.request.command, response.request.path, error)
        else:
            self._context.run(
                _log.error, "%s %s was cut", response.request.command, response.request.path, exc_info=error
            )
        self._finish(response.request, close=True)
        self.handle_close()
