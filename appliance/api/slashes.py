"""Doubled slashes inside a path: clients join addresses carelessly, and the original services let them."""

import re

_SLASHES = re.compile("//+")


def merged(path: str) -> str:
    """The path with one slash for each run of them."""
    return _SLASHES.sub("/", path) if "//" in path else path
