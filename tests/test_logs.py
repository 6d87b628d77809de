"""What gets into the log, and what never does."""

import logging
import re
from collections.abc import Iterator

import pytest

from appliance import logs

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"
FERNET = "gAAAAABk" + "x" * 120

SECRETS = [
    ("token of v2.0", "GET /v2.0/tokens/SECRET/endpoints", "SECRET"),
    ("token of v2.0 behind doubled slashes", "GET /v2.0//tokens///SECRET", "SECRET"),
    ("token behind the path of v3", "GET /v3/auth/tokens/SECRET", "SECRET"),
    ("JWT anywhere in a path", f"GET /v3/users/{JWT}/projects", "c2lnbmF0dXJl"),
    ("Fernet token", f"GET /v3/{FERNET}", "xxxxx"),
    ("header", "X-Auth-Token: SECRET", "SECRET"),
    ("signed address", "fetched http://x/i?AWSAccessKeyId=ID&Signature=SECRET&Expires=3", "SECRET"),
    ("key id of a signed address", "fetched http://x/i?AWSAccessKeyId=SECRET&Expires=3", "SECRET"),
    ("temporary address of Swift", "http://x/i?temp_url_sig=SECRET&temp_url_expires=3", "SECRET"),
    ("credential of a signed address", "http://x/i?a=1&X-Amz-Credential=SECRET", "SECRET"),
    ("password in an address", "http://user:SECRET@host/i", "SECRET"),
    ("password in JSON", '{"password": "SECRET"}', "SECRET"),
]


class Log:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.logger = logging.getLogger("appliance.test")

    def configure(self, level: str = "INFO") -> logging.Logger:
        """In the test itself: pytest puts its own handlers in between."""
        logs.configure(level)
        return self.logger

    def written(self) -> str:
        return self._capsys.readouterr().err


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Log]:
    """A logger of ours, and what it has written to the stream of the process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Log(capsys)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(("text", "secret"), [row[1:] for row in SECRETS], ids=[row[0] for row in SECRETS])
def test_secret_is_not_logged(log: Log, text: str, secret: str) -> None:
    log.configure().warning("%s", text)
    written = log.written()
    assert secret not in written
    assert "***" in written


def test_what_only_resembles_a_secret_is_logged(log: Log) -> None:
    line = "GET /v2/images/8f1f1a3e-50d1-4a3f-9d5e-6a8b1c7b2f10/file?limit=3&name=key http://host/a@b"
    log.configure().warning("%s", line)
    assert line in log.written()


def test_line_break_in_a_message_begins_no_line(log: Log) -> None:
    log.configure().warning("the client left during GET /%s", "a\n2026-01-01 ERROR forged\x1b[2J")
    written = log.written()
    assert written.count("\n") == 1
    assert "\x1b" not in written


def test_line_without_a_record_looks_like_one_with(log: Log) -> None:
    logger = log.configure()
    logger.info("%s", "the same")
    logs.line(logger, "the same")
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    first, second = log.written().splitlines()
    assert re.sub(stamp, "T", first) == re.sub(stamp, "T", second)
    assert re.match(stamp, second)


def test_line_below_the_level_is_not_written(log: Log) -> None:
    logs.line(log.configure("WARNING"), "nobody asked")
    assert log.written() == ""
