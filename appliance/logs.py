"""Logging: one line an event on stderr, the request's id in each, no secret in any."""

import contextvars
import logging
import re
import sys

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")
"""The id of the request that the current thread serves."""

_FORMAT = "%(asctime)s %(levelname)s %(request_id)s %(name)s: %(message)s"

# A token or password that slips into a message, whatever the route: header dumps, v2 paths (/tokens/<id>), JSON.
_SECRETS = re.compile(
    r"(?i)((?:x-auth-token|x-subject-token|x-service-token|authorization)['\"]?\s*[:=]\s*['\"]?|"
    r"/v2\.0/+tokens/+|['\"](?:password|secret|passcode|adminPass)['\"]\s*:\s*['\"])[^\s'\"?/]+"
)


def redact(text: str) -> str:
    """`text` with everything that looks like a token or password replaced."""
    return _SECRETS.sub(r"\1***", text)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return redact(super().format(record))


def configure(level: str = "INFO") -> None:
    """Send the log to stderr. Called once, by the command line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(_FORMAT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
