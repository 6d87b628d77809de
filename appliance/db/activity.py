"""Rows of what happens: the audit trail, and what the whole appliance holds, counted hour by hour."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any

from appliance.db.engine.base import Database, Row, Tx
from appliance.values import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """One request that changed something, or tried to. Empty text stands for what is not known."""

    id: int = 0
    at: Micros
    user_id: str = ""
    user_name: str = ""
    project_id: str = ""
    project_name: str = ""
    address: str = ""
    service: str = ""
    action: str = ""
    """`log_in`, or the policy that the route names, which is the field's name for what is done."""
    method: str = ""
    path: str = ""
    subject_kind: str = ""
    """What was acted on: `image`, `user`, `project`, …"""
    subject: str = ""
    subject_name: str = ""
    parts: str = "{}"
    """Every id of the path, as a JSON object."""
    status: int = 0
    request_id: str = ""
    trace_id: str = ""
    repeated: int = 0
    """How many more like it came in the same minute and were not written one by one."""


_COLUMNS = tuple(field.name for field in fields(EventRecord) if field.name != "id")
_INSERT = f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{column}' for column in _COLUMNS)})"

# Where the name of what was acted on is to be found while it is there; afterwards an earlier event may tell it.
_NAMES = {
    "image": "SELECT name FROM images WHERE id = ?",
    "user": "SELECT name FROM users WHERE id = ?",
    "project": "SELECT name FROM projects WHERE id = ?",
    "domain": "SELECT name FROM projects WHERE id = ?",
    "group": "SELECT name FROM user_groups WHERE id = ?",
    "role": "SELECT name FROM roles WHERE id = ?",
}
_EARLIER = "SELECT subject_name AS name FROM events WHERE subject = ? AND subject_name <> '' ORDER BY id DESC LIMIT 1"
_USER = """
SELECT u.id, u.name FROM users u JOIN projects d ON d.id = u.domain_id
 WHERE u.id = :user OR (u.name = :user AND (:domain = '' OR d.id = :domain OR d.name = :domain)) ORDER BY u.id LIMIT 1
"""


class EventRows:
    """Reads and writes the trail."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def append(self, events: Sequence[EventRecord]) -> None:
        """Write a batch in one transaction."""

        def insert(tx: Tx) -> None:
            rows = [asdict(event) for event in events]
            for row in rows:
                row["subject_name"] = row["subject_name"] or _name(tx, row["subject_kind"], row["subject"])
            tx.executemany(_INSERT, rows)

        self._db.transact(insert)

    def user_of(self, user: str, domain: str) -> tuple[str, str]:
        """Id and name of a user given by id, or by name in a domain given by id or name; empty if there is none."""
        row = self._db.row(_USER, {"user": user, "domain": domain})
        return (row["id"], row["name"]) if row else ("", "")

    def page(
        self, wanted: Mapping[str, Any], *, after: int = 0, before: int | None = None, most: int
    ) -> list[EventRecord]:
        """Events that have all of these values, with numbers after one, oldest first; or before one, newest first.

        `since` and `until` bound the time; `failed` is True for refused ones alone and False for the others.
        """
        conditions, values = ["id > :after"], {"after": after, "most": most}
        if before is not None:
            conditions.append("id < :before")
            values["before"] = before
        for name, value in wanted.items():
            conditions.append(_CONDITIONS.get(name) or f"{_column(name)} = :{name}")
            values[name] = int(value) if isinstance(value, bool) else value
        order = "id" if before is None else "id DESC"
        sql = f"SELECT id, {', '.join(_COLUMNS)} FROM events WHERE {' AND '.join(conditions)} ORDER BY {order}"
        return [_event(row) for row in self._db.rows(f"{sql} LIMIT :most", values)]

    def drop(self, before: Micros, most: int) -> int:
        """Delete up to so many events of before a time; how many there were."""
        sql = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ? ORDER BY at LIMIT ?)"
        return self._db.transact(lambda tx: tx.execute(sql, (before, most)).rowcount, frees=True)


_CONDITIONS = {
    "since": "at >= :since",
    "until": "at < :until",
    "failed": "CASE WHEN status >= 400 THEN 1 ELSE 0 END = :failed",
    "user": "(user_id = :user OR user_name = :user)",
    "project": "(project_id = :project OR project_name = :project)",
    "subject": "(subject = :subject OR subject_name = :subject)",
}


def _column(name: str) -> str:
    if name not in _COLUMNS:
        raise ValueError(f"events have no {name}")
    return name


def _name(tx: Tx, kind: str, subject: str) -> str:
    statements: Iterable[str] = (_NAMES[kind], _EARLIER) if kind in _NAMES else (_EARLIER,)
    for statement in statements if subject else ():
        row = tx.row(statement, (subject,))
        if row is not None and row["name"]:
            return str(row["name"])
    return ""


def _event(row: Row) -> EventRecord:
    return EventRecord(**{key: row[key] for key in row.keys()})  # noqa: SIM118 - a Row iterates over its values


@dataclass(frozen=True, slots=True)
class HourRecord:
    """The stores' figures in one hour, in bytes but for the images."""

    at: Micros
    images: int
    logical: int
    unique: int
    stored: int
    on_disk: int


class Figures:
    """Reads the counts and keeps those of each hour."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def images_by_status(self) -> dict[str, int]:
        rows = self._db.rows("SELECT status, count(*) AS images FROM images GROUP BY status")
        return {row["status"]: row["images"] for row in rows}

    def waiting_since(self, before: Micros) -> int:
        """Images that an upload or import has held since before a time."""
        row = self._db.row(
            "SELECT count(*) AS images FROM images WHERE status IN ('saving', 'uploading', 'importing') "
            "AND updated_at < ?",
            (before,),
        )
        return int(row["images"]) if row else 0

    def tasks_by_status(self) -> dict[str, int]:
        rows = self._db.rows("SELECT status, count(*) AS tasks FROM tasks GROUP BY status")
        return {row["status"]: row["tasks"] for row in rows}

    def of_project(self, project_id: str) -> tuple[int, int]:
        """How many images a project owns, and what they add up to as it counts."""
        row = self._db.row(
            "SELECT count(*) AS images, coalesce(sum(size), 0) AS logical FROM images "
            "WHERE owner = ? AND status <> 'pending_delete'",
            (project_id,),
        )
        return (row["images"], row["logical"]) if row else (0, 0)

    def keep_hour(self, hour: HourRecord, forget: Micros) -> None:
        """Write the figures of an hour, over those that it has, and drop the hours of before a time."""

        def keep(tx: Tx) -> None:
            tx.execute(
                "INSERT INTO store_history (at, images, logical, unique_length, stored, on_disk) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (at) DO UPDATE SET images = excluded.images, "
                "logical = excluded.logical, unique_length = excluded.unique_length, stored = excluded.stored, "
                "on_disk = excluded.on_disk",
                astuple(hour),
            )
            tx.execute("DELETE FROM store_history WHERE at < ?", (forget,))

        self._db.transact(keep)

    def hours(self, since: Micros) -> list[HourRecord]:
        rows = self._db.rows(
            "SELECT at, images, logical, unique_length, stored, on_disk FROM store_history WHERE at >= ? ORDER BY at",
            (since,),
        )
        return [HourRecord(*row) for row in rows]
