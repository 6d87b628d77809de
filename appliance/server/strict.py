"""What a request head must not contain, because two HTTP parsers in a row could read it in two ways.

These checks come before waitress's own parser and on the raw bytes; they only ever refuse.
"""

import re
from typing import NamedTuple

from waitress.utilities import BadRequest, Error, ServerNotImplemented

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
    """The answer to a request head that is refused, or None for one that waitress may parse."""
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
