"""What gets into the log, and what never does."""

import json
import logging
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import logs


@pytest.fixture(autouse=True)
def outside_of_a_request() -> Iterator[None]:
    """Other tests of this process may have served one in this very thread."""
    was = logs.request_id.set("-"), logs.request_fields.set({})
    yield
    logs.request_id.reset(was[0])
    logs.request_fields.reset(was[1])


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

    def configure(self, level: str = "INFO", kind: str = "text", file: str = "") -> logging.Logger:
        """In the test itself: pytest puts its own handlers in between."""
        logs.configure(level, kind, file)
        return self.logger

    def written(self) -> str:
        return self._capsys.readouterr().err


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Log]:
    """A logger of ours, and what it has written to the stream of the process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Log(capsys)
    logs.configure()
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


# -- as JSON


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def of_request() -> Iterator[None]:
    """As if this thread served a request."""
    of_request = logs.request_id.set("req-1 0af7651916cd43dd8448eb211c80319c")
    fields = logs.request_fields.set({"user": "u1", "project": "", "image": "i1"})
    yield
    logs.request_id.reset(of_request)
    logs.request_fields.reset(fields)


@pytest.mark.usefixtures("of_request")
def test_an_object_a_line_has_what_is_known_of_the_request(log: Log) -> None:
    log.configure(kind="json").warning("the disk is %s", "full")
    (found,) = objects(log.written())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("time"))
    assert found == {
        "level": "WARNING",
        "logger": "appliance.test",
        "request_id": "req-1",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "user": "u1",
        "image": "i1",
        "message": "the disk is full",
    }


def test_without_a_request_nothing_is_said_of_one(log: Log) -> None:
    log.configure(kind="json").warning("started")
    assert set(objects(log.written())[0]) == {"time", "level", "logger", "message"}


def test_an_exception_is_part_of_its_line(log: Log) -> None:
    logger = log.configure(kind="json")
    try:
        raise ValueError('X-Auth-Token: hunter2 "quoted"')
    except ValueError:
        logger.exception("it failed")
    (found,) = objects(log.written())
    assert found["exception"].startswith("Traceback") and 'X-Auth-Token: *** "quoted"' in found["exception"]


@pytest.mark.parametrize(("text", "secret"), [row[1:] for row in SECRETS], ids=[row[0] for row in SECRETS])
def test_a_secret_is_in_no_object_either(log: Log, text: str, secret: str) -> None:
    log.configure(kind="json").warning("%s", text)
    written = log.written()
    assert secret not in written and "***" in written


def test_a_line_of_facts_is_made_of_them(log: Log) -> None:
    logs.line(log.configure(kind="json"), "127.0.0.1 GET / 200", message="request", client="127.0.0.1", status=200)
    (found,) = objects(log.written())
    assert (found["message"], found["client"], found["status"]) == ("request", "127.0.0.1", 200)


@pytest.mark.usefixtures("of_request")
def test_a_line_of_text_ends_with_who_and_what(log: Log) -> None:
    logs.line(log.configure(), "127.0.0.1 GET / 200", status=200)
    assert log.written().endswith(": 127.0.0.1 GET / 200 user=u1 image=i1\n")


# -- in a file


def test_a_file_is_for_its_owner_and_is_appended_to(log: Log, tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("before\n")
    file.chmod(0o640)
    log.configure(file=str(file)).warning("now")
    assert file.read_text().startswith("before\n") and file.read_text().endswith("now\n")
    other = tmp_path / "other"
    log.configure(file=str(other)).warning("there")
    assert stat.S_IMODE(other.stat().st_mode) == 0o600 and "there" not in file.read_text()
    assert log.written() == ""


def test_a_file_that_was_moved_away_is_begun_anew(log: Log, tmp_path: Path) -> None:
    file = tmp_path / "log"
    log.configure(file=str(file)).warning("first")
    file.rename(tmp_path / "log.1")
    log.configure(file=str(file)).warning("second")
    assert "first" in (tmp_path / "log.1").read_text() and "second" not in (tmp_path / "log.1").read_text()
    assert "second" in file.read_text()


@pytest.mark.parametrize(("level", "kind", "file"), [("LOUD", "text", ""), ("INFO", "xml", ""), ("INFO", "json", "/")])
def test_what_can_not_be_had_changes_nothing(log: Log, tmp_path: Path, level: str, kind: str, file: str) -> None:
    good = tmp_path / "log"
    logger = log.configure(file=str(good))
    with pytest.raises((ValueError, OSError)):
        logs.configure(level, kind, file)
    logger.warning("still here")
    assert "still here" in good.read_text()
