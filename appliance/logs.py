"""Logging: one line an event on stderr, the request's id in each, no secret in any."""

import contextvars
import logging
import re
import sys
import time
from typing import TextIO

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")
"""The id of the request that the current thread serves."""

_FORMAT = "%(asctime)s %(levelname)s %(request_id)s %(name)s: %(message)s"

# A token or password that slips into a message, whatever the route: header dumps, v2 paths (/tokens/<id>), JSON,
# signed addresses, and the password in an address.
_SECRETS = re.compile(
    r"(?i)((?:x-auth-token|x-subject-token|x-service-token|authorization)['\"]?\s*[:=]\s*['\"]?|"
    r"/v2\.0/+tokens/+|/v3/+auth/+tokens/+(?!OS-PKI\b)|"
    r"['\"](?:password|secret|passcode|adminPass)['\"]\s*:\s*['\"])[^\s'\"?/]+"
)
_SIGNED = re.compile(
    r"(?i)([?&;](?:AWSAccessKeyId|Signature|sig|temp_url_sig|X-Amz-(?:Signature|Credential|Security-Token)|"
    r"(?:access_|auth_|x-auth-)?token|password|secret|api_?key|key)=)[^&;\s'\"]+"
)
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s@'\"]+(?=@)")
_TOKENS = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|gAAAA[\w=-]{40,}")
# In one message a line break could pass the rest off as another.
_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def redact(text: str) -> str:
    """`text` with everything that looks like a token or password replaced."""
    text = _TOKENS.sub("***", _SECRETS.sub(r"\1***", text))
    return _IN_ADDRESS.sub("***", _SIGNED.sub(r"\1***", text))


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = _BREAKS.sub(lambda found: f"\\x{ord(found[0]):02x}", record.message)
        return super().formatMessage(record)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes records, and lines that need no record made for them."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(_Formatter(_FORMAT))
        self._second = 0
        self._stamp = ""

    def line(self, name: str, text: str) -> None:
        """Write at once what a record of level INFO would come to."""
        now = time.time()
        self.acquire()
        try:
            if int(now) != self._second:
                self._second = int(now)
                self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
            stamp = f"{self._stamp},{int(now * 1000) % 1000:03d}"
            self.stream.write(f"{stamp} INFO {request_id.get()} {name}: {text}\n")
            self.flush()
        except OSError:
            # As logging does: a log that can't be written stops nothing.
            self.handleError(logging.makeLogRecord({"msg": text}))
        finally:
            self.release()


def line(logger: logging.Logger, text: str) -> None:
    """Log one line at INFO that holds no secret and no control character. Cheap: there is one for each request."""
    if not logger.isEnabledFor(logging.INFO):
        return
    handlers = logging.getLogger().handlers
    if len(handlers) == 1 and isinstance(handler := handlers[0], _Handler) and not logger.handlers:
        handler.line(logger.name, text)
    else:
        logger.info("%s", text)


def configure(level: str = "INFO") -> None:
    """Send the log to stderr. Called once, by the command line."""
    root = logging.getLogger()
    root.handlers[:] = [_Handler()]
    root.setLevel(level.upper())
