"""The head of a request: parsed by waitress, refused where two readers could understand it in two ways."""

import re
import time
from io import BytesIO
from typing import Any, NamedTuple

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, Error, ServerNotImplemented

from appliance.server.body import Body, Chunked, Fixed
from appliance.server.limits import Limits

_REQUEST_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e\x80-\xff]+ HTTP/(?P<version>[0-9]\.[0-9])")
# Host becomes part of links: no user, no path, no markup, nothing that a client could read in two ways.
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?|")
_LENGTH = re.compile(rb"[0-9]{1,18}")


class VersionNotSupported(Error):  # type: ignore[misc]
    """Neither HTTP/1.0 nor HTTP/1.1."""

    code = 505
    reason = "HTTP Version Not Supported"


class ExpectationFailed(Error):  # type: ignore[misc]
    """`Expect` asks for something other than `100-continue`."""

    code = 417
    reason = "Expectation Failed"


class RequestTimeout(Error):  # type: ignore[misc]
    """The request didn't arrive in time."""

    code = 408
    reason = "Request Timeout"


class _Framing(NamedTuple):
    lengths: list[bytes]
    encodings: list[bytes]
    hosts: list[bytes]
    expects: list[bytes]


def fault(head: bytes) -> Error | None:
    """The response to a request head that is refused, or None for one that waitress may parse."""
    line, *fields = head.strip(b"\r\n").split(b"\r\n")
    start = _REQUEST_LINE.fullmatch(line)
    if start is None:
        return BadRequest("The request line is malformed.")
    if start["version"] not in (b"1.0", b"1.1"):
        return VersionNotSupported("Only HTTP/1.0 and HTTP/1.1 are spoken here.")
    if any(field[:1] in (b" ", b"\t") for field in fields):
        return BadRequest("A header is folded over several lines.")
    return _framing_fault(_framing(fields), modern=start["version"] == b"1.1")


def _framing(fields: list[bytes]) -> _Framing:
    framing = _Framing([], [], [], [])
    places = {
        b"content-length": framing.lengths,
        b"transfer-encoding": framing.encodings,
        b"host": framing.hosts,
        b"expect": framing.expects,
    }
    for field in fields:
        name, _, value = field.partition(b":")
        place = places.get(name.lower())
        if place is not None:
            place.append(value.strip(b" \t"))
    return framing


def _framing_fault(framing: _Framing, *, modern: bool) -> Error | None:
    if len(framing.lengths) > 1:
        return BadRequest("Content-Length is given more than once.")
    if framing.lengths and not _LENGTH.fullmatch(framing.lengths[0]):
        return BadRequest("Content-Length is not a number of bytes.")
    if framing.encodings:
        return _encoding_fault(framing, modern=modern)
    if len(framing.hosts) > 1 or (modern and not framing.hosts):
        return BadRequest("Exactly one Host header is needed.")
    if framing.hosts and not _HOST.fullmatch(framing.hosts[0]):
        return BadRequest("The Host header is malformed.")
    if modern and any(expect.lower() != b"100-continue" for expect in framing.expects):
        return ExpectationFailed("Only 100-continue may be expected.")
    return None


def _encoding_fault(framing: _Framing, *, modern: bool) -> Error | None:
    if framing.lengths:
        return BadRequest("Content-Length and Transfer-Encoding exclude each other.")
    if not modern:
        return BadRequest("HTTP/1.0 has no Transfer-Encoding.")
    codings = [coding.strip(b" \t").lower() for coding in b",".join(framing.encodings).split(b",")]
    if codings == [b"chunked"]:
        return _framing_fault(framing._replace(encodings=[]), modern=modern)
    if any(not coding for coding in codings) or codings.count(b"chunked") > 1:
        return BadRequest("Transfer-Encoding is malformed.")
    return ServerNotImplemented("Only the transfer coding chunked is supported.")


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
    """What came behind the body and waits for the response to end."""

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
