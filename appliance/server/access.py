"""The access log: one line a request, without query strings, header values or anything else that may hold a secret."""

import logging
import time
from urllib.parse import quote

_log = logging.getLogger(__name__)

_LONGEST_PATH = 512


def record(client: str, method: str, path: str, status: str, size: int, started: float) -> None:
    """Log one answered request. `path` is unquoted and comes from the client; `started` is monotonic."""
    shown = quote(path[:_LONGEST_PATH], safe="/:@~!$&'()*+,;=", encoding="latin-1") or "-"
    milliseconds = (time.monotonic() - started) * 1000
    _log.info("%s %s %s %s %d %.1fms", client, method or "-", shown, status[:3], size, milliseconds)
