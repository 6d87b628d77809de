"""The access log: one line a request, without query strings, header values or anything else that may hold a secret."""

import logging
import time
from urllib.parse import quote

from appliance import logs

_log = logging.getLogger(__name__)

_LONGEST_PATH = 512
# Shorter paths have no room for a token, unless they say that it is one.
_SHORT = 100


def record(client: str, method: str, path: str, status: str, size: int, started: float) -> None:
    """Log one answered request. `path` is unquoted and comes from the client; `started` is monotonic."""
    if len(path) > _SHORT or "token" in path.lower():
        path = logs.redact(path)
    shown = quote(path[:_LONGEST_PATH], safe="/:@~!$&'()*+,;=", encoding="latin-1") or "-"
    milliseconds = (time.monotonic() - started) * 1000
    logs.line(_log, f"{client} {method or '-'} {shown} {status[:3]} {size} {milliseconds:.1f}ms")
