"""Logging: one line an event on stderr or in a file, the request's id in each, no secret in any."""

import contextvars
import json
import logging
import os
import re
import sys
import time
import types
from collections.abc import Mapping
from typing import Any, TextIO

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")
"""The id of the request that the current thread serves."""

request_fields: contextvars.ContextVar[Mapping[str, str]] = contextvars.ContextVar(
    "request_fields", default=types.MappingProxyType({})
)
"""Ids of whom that request comes from and what it is about: `user`, `project`, `image`, those that are known."""

FORMATS = ("text", "json")

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


def _clean(text: str) -> str:
    return _BREAKS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = _clean(record.message)
        return super().formatMessage(record)


class _Json(logging.Formatter):
    """One object a line. What a request's lines have in common has names of its own, for whoever collects them."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {"message": redact(record.getMessage())}
        if record.exc_info:
            facts["exception"] = redact(self.formatException(record.exc_info))
        return _object(record.created, record.levelname, record.name, facts)


def _object(at: float, level: str, name: str, facts: Mapping[str, Any]) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    of_request, _, trace = request_id.get().partition(" ")
    common = {"request_id": of_request if of_request != "-" else "", "trace_id": trace, **request_fields.get()}
    said = {key: value for key, value in common.items() if value}
    head = {"time": f"{moment}.{int(at * 1000) % 1000:03d}Z", "level": level, "logger": name}
    return json.dumps({**head, **said, **facts}, ensure_ascii=False)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes records, and lines that need no record made for them, to stderr or to a file."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._json = False
        self._second = 0
        self._stamp = ""

    def become(self, kind: str, file: str) -> None:
        """Write so, and there, from now on; a file is opened anew, for the one before may have been moved away."""
        # Line by line, so that a reader of the file never sees half of one.
        stream = sys.stderr if not file else open(file, "a", encoding="utf-8", buffering=1, opener=_private)  # noqa: SIM115
        self.acquire()
        try:
            before, self.stream = self.stream, stream
            self._json = kind == "json"
            self.setFormatter(_Json() if self._json else _Text())
        finally:
            self.release()
        if before is not sys.stderr and before is not stream:
            before.close()

    def line(self, name: str, text: str, facts: Mapping[str, Any]) -> None:
        """Write at once what a record of level INFO would come to."""
        now = time.time()
        self.acquire()
        try:
            if self._json:
                self.stream.write(_object(now, "INFO", name, facts) + "\n")
            else:
                self.stream.write(f"{self._stamped(now)} INFO {request_id.get()} {name}: {text}{_suffix()}\n")
            self.flush()
        except OSError:
            # As logging does: a log that can't be written stops nothing.
            self.handleError(logging.makeLogRecord({"msg": text}))
        finally:
            self.release()

    def _stamped(self, now: float) -> str:
        if int(now) != self._second:
            self._second = int(now)
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        return f"{self._stamp},{int(now * 1000) % 1000:03d}"


def _suffix() -> str:
    """What is known of the request, behind its line."""
    return "".join(f" {name}={_clean(value)}" for name, value in request_fields.get().items() if value)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def line(logger: logging.Logger, text: str, **facts: Any) -> None:
    """Log one line at INFO that holds no secret and no control character; as JSON it is made of the `facts`.

    Cheap: there is one for each request.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    handlers = logging.getLogger().handlers
    if len(handlers) == 1 and isinstance(handler := handlers[0], _Handler) and not logger.handlers:
        handler.line(logger.name, text, facts or {"message": text})
    else:
        logger.info("%s", f"{text}{_suffix()}")


def configure(level: str = "INFO", kind: str = "text", file: str = "") -> None:
    """Send the log to stderr or to a file. Called by the command line, and again to open the file anew.

    Raises ValueError for a level or kind that there is not, OSError for a file that can't be had; nothing changes then.
    """
    if kind not in FORMATS:
        raise ValueError(f"log_format can't be {kind!r}: say {' or '.join(FORMATS)}")
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log_level can't be {level!r}: say DEBUG, INFO, WARNING or ERROR")
    root = logging.getLogger()
    handler = next((each for each in root.handlers if isinstance(each, _Handler)), None) or _Handler()
    handler.become(kind, file)
    root.handlers[:] = [handler]
    root.setLevel(number)
