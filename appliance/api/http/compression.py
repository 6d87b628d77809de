"""gzip for JSON: lists of images and users shrink to a tenth on their way.

Compression tells lengths, and a length can give a secret away that is in one body with something that an attacker has
chosen (BREACH). So only answers to GET are compressed, and none of a path that has to do with secrets.
"""

import gzip
import re

from appliance.values import KIB

WORTH_IT = 2 * KIB
"""Bytes below which compressing takes longer than sending."""

_LEVEL = 1
_SECRET = re.compile(r"(?i)token|credential|ec2|oauth|trust|receipt")
_GZIP = re.compile(r"(?:x-)?gzip|\*")
_ZERO = re.compile(r"q=0(?:\.0*)?")


def accepts_gzip(header: str) -> bool:
    """Whether an `Accept-Encoding` header lets the answer be compressed."""
    found: dict[str, bool] = {}
    for part in header.lower().split(","):
        coding, _, parameters = part.replace(" ", "").partition(";")
        if _GZIP.fullmatch(coding):
            found[coding.removeprefix("x-")] = not _ZERO.fullmatch(parameters)
    return found.get("gzip", found.get("*", False))


def may_compress(method: str, status: int, path: str, kind: str, size: int) -> bool:
    """Whether an answer is one of those that are compressed for who accepts it."""
    return (
        size >= WORTH_IT
        and method in ("GET", "HEAD")
        and status == 200
        and kind.startswith("application/json")
        and not _SECRET.search(path)
    )


def compressed(data: bytes) -> bytes:
    """The body as gzip, the same for the same body."""
    return gzip.compress(data, _LEVEL, mtime=0)
