"""One request, from its bytes to the moment the application may run.

A small body is received here, in memory, by waitress. A large or chunked one is not: the request is complete at the
end of its headers, and `body` is what the application reads the rest from.
"""

import re
import time
from io import BytesIO
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import Error

from appliance.server.body import Body
from appliance.server.chunks import Chunked
from appliance.server.limits import Limits
from appliance.server.strict import fault
from appliance.server.wire import Fixed


class Request(HTTPRequestParser):  # type: ignore[misc]
    """What waitress calls a parser: it eats bytes until `completed`, and then is the request."""

    # Defaults for a head that can't be parsed and is answered with `error` all the same.
    version = "1.1"
    command = ""
    path = ""
    query = ""
    request_uri = ""

    connection_close: bool = False
    error: Error | None = None

    streams = False
    body: Body | None = None
    leftover = b""
    """What came behind the body and waits for the answer to end."""

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.limits: Limits = adj.limits
        self.started = time.monotonic()
        self._small: BytesIO | None = None
        self._fault: Error | None = None

    def received(self, data: bytes) -> int:
        """Take what belongs to this request from the front of `data`; how many bytes that was."""
        taken: int = super().received(data)
        if self._fault is not None:
            self.error = self._fault
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        """Called by `received` with the whole head."""
        self._fault = fault(header_plus)
        if self._fault is not None:
            raise ParsingError(self._fault.body)
        for beginning in self.limits.underscored_headers:
            header_plus = _dashed(header_plus, beginning)
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("The request target is malformed.") from error
        self._normalise_connection()
        length = self.content_length
        self.streams = self.chunked or length > self.limits.small_body_bytes or (self.expect_continue and length > 0)
        if self.streams:
            self.body_rcv = None

    def _normalise_connection(self) -> None:
        # waitress compares the whole header with one word, but it is a list.
        words = {word.strip(" \t") for word in self.headers.get("CONNECTION", "").lower().split(",")}
        for word in ("close", "keep-alive"):
            if word in words:
                self.headers["CONNECTION"] = word
                self.connection_close = self.connection_close if word == "keep-alive" else True
                break

    def open_body(self, ahead: bytes) -> None:
        """Make the body of a request that streams. `ahead` is what was already received behind the head."""
        framing = Chunked(self.limits) if self.chunked else Fixed(self.content_length)
        self.body = Body(framing, ahead, self.limits, wants_continue=self.expect_continue)

    def become_small(self, content: bytes) -> None:
        """The body that would have streamed is here, and is as good as one of declared length."""
        assert self.body is not None
        self.leftover = self.body.leftover
        self.body.close()
        self.body = None
        self.headers["CONTENT_LENGTH"] = str(len(content))
        self._small = BytesIO(content)

    @property
    def due(self) -> float:
        """When what is still being received has to be here; by the monotonic clock."""
        received: int = self.header_bytes_received + self.body_bytes_received
        if self.body is not None:
            received += self.body.collected
        return self.started + self.limits.receive_seconds + received / max(1, self.limits.minimum_rate)

    def get_body_stream(self) -> Any:
        """What `wsgi.input` becomes."""
        return self.body or self._small or super().get_body_stream()

    def close(self) -> None:
        """Let go of the body, received or not."""
        if self.body is not None:
            self.body.close()
        super().close()


def _dashed(head: bytes, beginning: str) -> bytes:
    """The head with dashes for underscores in the names of headers that begin so."""
    names = re.compile(rb"(?im)^" + re.escape(beginning.encode()) + rb"[^:\s]*(?=:)")
    return names.sub(lambda name: name[0].replace(b"_", b"-"), head)
