"""Byte ranges of a download: `Range`, and `Content-Range` in a request as old clients send it."""

import re

from appliance.api.exchange import Request
from appliance.errors import Invalid, RangeNotSatisfiable
from appliance.values import Caller

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII)
_BEYOND = 2**63
_CONTENT_RANGE = re.compile(r"\s*bytes\s+(\d+)-(\d+)/(\d+|\*)\s*", re.ASCII)


def requested(request: Request[Caller], size: int) -> tuple[int, int] | None:
    """The first byte and the number of bytes asked for; None for all of them. Raises `RangeNotSatisfiable`."""
    text = request.header("range")
    if text is not None:
        return _range(text, size)
    text = request.header("content-range")
    if text is not None:
        return _content_range(text, size)
    return None


def _range(text: str, size: int) -> tuple[int, int]:
    if "," in text:
        raise Invalid("Requests with multiple ranges are not supported. Make several requests with one range each.")
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        raise RangeNotSatisfiable("Invalid Range header.")
    if not match[1]:
        start = max(0, size - _whole(match[2]))
        end = size - 1
        if not size:
            raise _outside("Range", size)
    else:
        start = _whole(match[1])
        end = _whole(match[2]) if match[2] else size - 1
        if match[2] and end < start:
            raise RangeNotSatisfiable("Invalid Range header.")
        if start >= size:
            raise _outside("Range", size)
    # A range of no bytes at the end ("bytes=-0") is taken as the whole, as the original does.
    if start >= size:
        start = 0
    return start, min(end, size - 1) - start + 1


def _content_range(text: str, size: int) -> tuple[int, int]:
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None or _whole(match[2]) < _whole(match[1]):
        raise RangeNotSatisfiable("Invalid Content-Range header.")
    start, end = _whole(match[1]), _whole(match[2])
    if end >= size:
        raise _outside("Content-Range", size)
    return start, end - start + 1


def _whole(digits: str) -> int:
    """A number of any length; beyond every size they are all alike."""
    return int(digits) if len(digits) < len(str(_BEYOND)) else _BEYOND


def _outside(header: str, size: int) -> RangeNotSatisfiable:
    return RangeNotSatisfiable(
        f"Invalid position in {header} header: it MUST be in the inclusive range [0, {max(0, size - 1)}]."
    )
