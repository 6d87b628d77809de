"""The access log: one line a request, without query strings, header values or anything else that may hold a secret."""

import logging
import time
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import quote

from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.task import ErrorTask, Task, WSGITask
from waitress.utilities import Error, build_http_date

from appliance import logs
from appliance.server.parser import Request
from appliance.server.pool import waiting
from appliance.values import KIB, Content

# The name is what operators filter by.
_log = logging.getLogger("appliance.server.access")

_LONGEST_PATH = 512
# Shorter paths have no room for a token, unless they say that it is one.
_SHORT = 100


def record(client: str, method: str, path: str, status: str, size: int, started: float) -> None:
    """Log one answered request. `path` is unquoted and comes from the client; `started` is monotonic."""
    if len(path) > _SHORT or "token" in path.lower():
        path = logs.redact(path)
    shown = quote(path[:_LONGEST_PATH], safe="/:@~!$&'()*+,;=", encoding="latin-1") or "-"
    milliseconds = (time.monotonic() - started) * 1000
    text = f"{client} {method or '-'} {shown} {status[:3]} {size} {milliseconds:.1f}ms"
    facts = {"client": client, "method": method or "-", "path": shown, "status": int(status[:3]), "bytes": size}
    logs.line(_log, text, message="request", **facts, milliseconds=round(milliseconds, 1))


_BLOCK = 64 * KIB


class TooBusy(Error):  # type: ignore[misc]
    """All transfer slots are taken and the queue for them is full."""

    code = 503
    reason = "Service Unavailable"

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many transfers are running. Try again later.")
        self._retry_after = retry_after

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        status, headers, body = super().to_response(ident)
        return status, [*headers, ("Retry-After", str(self._retry_after))], body


class _Response(Task):  # type: ignore[misc]
    """What responses of applications and responses to malformed requests have in common."""

    request: Request
    response_headers: list[tuple[str, str]]
    close_on_finish: bool = False
    content_length: int | None = None
    body_bytes = 0
    """Bytes of body that were handed to the connection."""

    @property
    def has_body(self) -> bool:
        """False if HTTP says that nothing follows the head, whatever the application returns."""
        return self.request.command != "HEAD" and self._status_has_body

    @property
    def _status_has_body(self) -> bool:
        return not (self.status.startswith("1") or self.status[:3] in ("204", "304"))

    def write(self, data: bytes) -> None:
        """Queue a part of the body, and in one piece with the first the head: a small response is one segment."""
        if self.wrote_header:
            self._write(data)
        else:
            with self.channel.joined():
                self._write(data)

    def _write(self, data: bytes) -> None:
        if self.has_body:
            self.body_bytes += len(data)
            super().write(data)
        else:
            super().write(b"")
            self.expect_no_body()

    def expect_no_body(self) -> None:
        """Keep waitress from missing the bytes that Content-Length announces, and closing for it."""
        self.content_length = None

    def build_response_header(self) -> bytes:
        """The head, which also settles whether the connection stays and how the end of the body is marked."""
        headers = [(name, value) for name, value in self.response_headers if name.lower() != "connection"]
        names = {name.lower() for name, _ in headers}
        if not self._status_has_body:
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        elif "content-length" not in names and self.content_length is not None:
            headers.append(("Content-Length", str(self.content_length)))
            names.add("content-length")
        delimited = "content-length" in names or not self.has_body
        if not delimited and self.version == "1.1":
            headers.append(("Transfer-Encoding", "chunked"))
            self.chunked_response = delimited = True
        headers.extend(self._connection_header(delimited))
        if "server" not in names:
            headers.append(("Server", self.channel.server.adj.ident))
        if "date" not in names:
            headers.append(("Date", build_http_date(time.time())))
        self.response_headers = headers
        lines = [f"HTTP/{self.version} {self.status}", *(f"{name}: {value}" for name, value in headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _connection_header(self, delimited: bool) -> list[tuple[str, str]]:
        wanted = self.request.headers.get("CONNECTION", "").lower()
        asked_to_close = wanted == "close" or (self.version == "1.0" and wanted != "keep-alive")
        body = self.request.body
        if (
            self.close_on_finish
            or asked_to_close
            or not delimited
            or self.channel.server.shared.stopping
            or not (body is None or body.leaves_connection_usable)
        ):
            self.close_on_finish = True
            return [("Connection", "close")]
        return [("Connection", "keep-alive")] if self.version == "1.0" else []


class PlainFile(ReadOnlyFileBasedBuffer):  # type: ignore[misc]
    """Any other file that an application returned: waitress reads it in the main loop and sends it."""

    def __init__(self, file: Any, block_size: int, response: "AppResponse") -> None:
        super().__init__(file, block_size)
        self._response = response

    def prepare(self, size: int | None = None) -> int:
        """How many bytes will be sent; 0 leaves waitress to iterate and close."""
        if self._response.has_body:
            return int(super().prepare(size))
        self._response.expect_no_body()
        return 0

    def __iter__(self) -> Iterator[bytes]:
        return super().__iter__() if self._response.has_body else iter(())


class Outgoing(ReadOnlyFileBasedBuffer):  # type: ignore[misc]
    """A `Content` that an application returned, on its way through waitress's task to the channel."""

    def __init__(self, content: Content, response: "AppResponse") -> None:
        super().__init__(content, _BLOCK)
        self.content = content
        self.remain: int = content.length
        self._response = response

    def prepare(self, size: int | None = None) -> int:
        """How many bytes will be sent; 0 leaves waitress to iterate and close, which sends nothing."""
        if not self._response.has_body:
            self._response.expect_no_body()
            self.remain = 0
        elif size is not None:
            self.remain = size
        return self.remain

    def __iter__(self) -> Iterator[bytes]:
        # Also what middleware sees that looks into a response.
        while self.remain and (block := self.content.read(min(_BLOCK, self.remain))):
            self.remain -= len(block)
            yield block


class AppResponse(_Response, WSGITask):  # type: ignore[misc]
    """The application's response."""

    def get_environment(self) -> dict[str, Any]:
        """WSGI's environment, with our own way to send files."""
        if self.environ is None:
            environ = super().get_environment()
            environ["wsgi.file_wrapper"] = self._wrap
            environ["appliance.streamed_body"] = self.request.body is not None
            environ["appliance.client_has_left"] = self.channel.client_has_left
            environ["appliance.waiting"] = waiting
        return cast("dict[str, Any]", self.environ)

    def _wrap(self, file: Any, block_size: int = 32 * KIB) -> ReadOnlyFileBasedBuffer:
        if hasattr(file, "pieces"):
            return Outgoing(file, self)
        return PlainFile(file, block_size, self)


class ErrorResponse(_Response, ErrorTask):  # type: ignore[misc]
    """The response to a request that never reaches the application."""
