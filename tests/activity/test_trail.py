"""The trail's batches: what they cost, what they keep when the disk says no, and what strangers can fill."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.activity.trail import AuditTrail, JsonLines
from appliance.db.activity import EventRecord, EventRows
from appliance.db.engine.base import Database
from appliance.db.engine.registry import open_database
from appliance.errors import StorageFull

MINUTE = 60_000_000
NOON = 29_000_000 * MINUTE


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path / "appliance.db")
    yield database
    database.close()


class FullAtFirst(EventRows):
    """Rows on a disk that is full for the first batch."""

    tries = 0

    def append(self, events: list[EventRecord]) -> None:  # type: ignore[override]
        self.tries += 1
        if self.tries == 1:
            raise StorageFull("the disk that holds the database is full")
        super().append(events)


def events(count: int, status: int = 204) -> list[EventRecord]:
    return [EventRecord(at=NOON, request_id=f"req-{number}", status=status) for number in range(count)]


def written(trail: AuditTrail) -> list[EventRecord]:
    return trail.page({}, most=1000)


def test_events_are_written_in_their_order(db: Database) -> None:
    trail = AuditTrail(EventRows(db), lambda: NOON, 90)
    for event in events(5):
        trail.record(event)
    assert [event.request_id for event in written(trail)] == [f"req-{number}" for number in range(5)]
    trail.close()


def test_what_a_full_disk_refuses_is_written_when_there_is_room(db: Database) -> None:
    trail = AuditTrail(FullAtFirst(db), lambda: NOON, 90)
    trail.record(events(1)[0])
    refused = trail.flush()
    assert (refused, trail.flush(), len(written(trail))) == (False, True, 1)
    trail.close()


def test_closing_writes_what_is_pending(db: Database) -> None:
    trail = AuditTrail(EventRows(db), lambda: NOON, 90)
    trail.record(events(1)[0])
    trail.close()
    assert len(EventRows(db).page({}, most=10)) == 1


def test_requests_without_a_token_take_few_rows(db: Database) -> None:
    trail = AuditTrail(EventRows(db), lambda: NOON, 90)
    for event in events(500, status=401):
        trail.record(event)
    rows = written(trail)
    assert (len(rows) <= 61, sum(1 + row.repeated for row in rows)) == (True, 500)
    trail.close()


def test_events_that_are_too_old_go(db: Database) -> None:
    trail = AuditTrail(EventRows(db), lambda: NOON + 91 * 1440 * MINUTE, 90)
    trail.record(events(1)[0])
    trail.flush()
    trail.expire()
    assert written(trail) == []
    trail.close()


def test_each_event_is_a_line_of_json_in_the_log_file(db: Database, tmp_path: Path) -> None:
    trail = AuditTrail(EventRows(db), lambda: NOON, 90, JsonLines(tmp_path / "audit.log"))
    trail.record(events(1)[0])
    trail.close()
    assert json.loads((tmp_path / "audit.log").read_text())["request_id"] == "req-0"


def test_a_rotated_log_file_is_made_anew(db: Database, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    trail = AuditTrail(EventRows(db), lambda: NOON, 90, JsonLines(log))
    for name in ("first", "second"):
        trail.record(events(1)[0])
        trail.flush()
        log.rename(tmp_path / name)
    trail.close()
    assert ((tmp_path / "first").stat().st_mode & 0o777, (tmp_path / "second").exists()) == (0o600, True)


def test_a_name_that_nobody_has_is_not_kept(db: Database) -> None:
    trail = AuditTrail(EventRows(db), lambda: NOON, 90)
    trail.record(EventRecord(at=NOON, action="log_in", user_name="my password", status=401))
    assert written(trail)[0].user_name == ""
    trail.close()
