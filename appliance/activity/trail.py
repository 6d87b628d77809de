"""The audit trail: who changed what, when, from where, and with which result.

Nobody waits for it: events are written in batches, at most half a second after their requests were answered, in one
transaction for all of a batch. What a crash can lose is the events of its last second. A full disk keeps them in memory
until there is room.
"""

import json
import logging
import os
import socket
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, replace
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Any, Protocol

from appliance.db.activity import EventRecord, EventRows
from appliance.errors import ApplianceError
from appliance.settings import Settings
from appliance.values import Clock, micros_text

log = logging.getLogger(__name__)

_GATHER = 0.5
_RETRY = 5.0
_PENDING = 10_000
_STRANGERS = 60
"""Rows a minute that requests without a valid token may take; more of them are counted in one row for each kind."""
_MINUTE = 60_000_000
_DAY = 86_400_000_000
_DROPPED = 1000


class Sink(Protocol):
    """Where events go beside the database."""

    def write(self, lines: Sequence[str]) -> None: ...


class JsonLines:
    """A file of JSON lines. It is opened for each batch, so that a rotated one needs no signal."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, lines: Sequence[str]) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(descriptor, "a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


class Syslog:
    """The machine's syslog, facility `auth`."""

    def __init__(self, address: str = "/dev/log") -> None:
        self._handler = SysLogHandler(address, SysLogHandler.LOG_AUTH, socket.SOCK_DGRAM)
        self._handler.ident = "glance-appliance-audit: "

    def write(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._handler.emit(logging.LogRecord("audit", logging.INFO, "", 0, line, None, None))


def sink_of(settings: Settings) -> Sink | None:
    """What `audit_log` names."""
    if not settings.audit_log:
        return None
    return Syslog() if settings.audit_log == "syslog" else JsonLines(Path(settings.audit_log))


def shown(event: EventRecord) -> dict[str, Any]:
    """An event as clients and log files see it."""
    found = asdict(event)
    found["at"] = micros_text(event.at)
    found["parts"] = json.loads(event.parts)
    found["result"] = "success" if event.status < 400 else "denied" if event.status in (401, 403, 429) else "failure"
    return found


class AuditTrail:
    """Takes events from any thread and writes them in the background."""

    def __init__(self, rows: EventRows, clock: Clock, keep_days: int, sink: Sink | None = None) -> None:
        self._rows = rows
        self._clock = clock
        self._keep = keep_days * _DAY
        self._sink = sink
        # Guards what is pending and the counts of strangers.
        self._changed = threading.Condition()
        self._pending: deque[tuple[EventRecord, str]] = deque()
        self._lost = 0
        self._closing = False
        self._minute = 0
        self._strangers = 0
        # Batches leave one after the other.
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def record(self, event: EventRecord, domain: str = "") -> None:
        """Keep an event. `domain` is that of a user who is only known by the name that somebody claimed to have."""
        if not self._keep:
            return
        with self._changed:
            if len(self._pending) >= _PENDING:
                self._lost += 1
                return
            self._pending.append((event, domain))
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
                self._thread.start()
            self._changed.notify()

    def page(self, wanted: dict[str, Any], **where: Any) -> list[EventRecord]:
        """Events that have these values, those of a moment ago included; see `EventRows.page`."""
        self.flush()
        return self._rows.page(wanted, **where)

    def flush(self) -> bool:
        """Write what is pending; False if the disk says no, and it is tried again."""
        with self._writing:
            with self._changed:
                taken = list(self._pending)
                lost, self._lost = self._lost, 0
            if lost:
                log.error("%d events of the audit trail were lost: they came faster than they could be written", lost)
            if not taken:
                return True
            events = self._folded(self._known(event, domain) for event, domain in taken)
            try:
                self._rows.append(events)
            except ApplianceError as error:
                log.error("%d events of the audit trail can't be written yet: %s", len(events), error)
                return False
            with self._changed:
                for _ in taken:
                    self._pending.popleft()
            self._copy(events)
        return True

    def expire(self) -> bool:
        """Drop some of the events that are too old; True if there are more."""
        return bool(self._keep) and self._rows.drop(self._clock() - self._keep, _DROPPED) == _DROPPED

    def close(self) -> None:
        """Write what is pending, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_RETRY)
        if not self.flush():
            for event, _ in self._pending:
                log.error("an event that is in no database: %s", json.dumps(shown(event)))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closing)
                if not self._closing:
                    # Others come meanwhile, and one transaction takes them all.
                    self._changed.wait_for(lambda: self._closing, _GATHER)
                if self._closing:
                    return
            try:
                written = self.flush()
            except Exception:
                log.exception("the audit trail could not be written")
                written = False
            if not written:
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, _RETRY)

    def _known(self, event: EventRecord, domain: str) -> EventRecord:
        """With the id of whom a log-in named. A name that nobody has may be a password that was typed too early."""
        if event.user_id or not event.user_name:
            return event
        user_id, user_name = self._rows.user_of(event.user_name, domain)
        return replace(event, user_id=user_id, user_name=user_name)

    def _folded(self, events: Any) -> list[EventRecord]:
        """At most so many rows a minute for requests that showed no valid token; the others are counted."""
        kept: list[EventRecord] = []
        more: Counter[tuple[str, str, int]] = Counter()
        first: dict[tuple[str, str, int], EventRecord] = {}
        for event in events:
            if event.status != 401:
                kept.append(event)
                continue
            minute = event.at // _MINUTE
            if minute != self._minute:
                self._minute, self._strangers = minute, 0
            self._strangers += 1
            if self._strangers <= _STRANGERS:
                kept.append(event)
                continue
            kind = (event.service, event.action, event.status)
            first.setdefault(kind, replace(event, address="", path="", parts="{}", subject="", subject_name=""))
            more[kind] += 1
        return kept + [replace(first[kind], repeated=count - 1) for kind, count in more.items()]

    def _copy(self, events: Sequence[EventRecord]) -> None:
        if self._sink is None:
            return
        try:
            self._sink.write([json.dumps(shown(event)) for event in events])
        except OSError as error:
            log.error("the audit trail could not be copied to its log: %s", error)
