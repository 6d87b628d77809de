"""Rows of tasks: what was asked to happen to an image in the background, and how it went."""

import json
from dataclasses import dataclass, field, fields
from typing import Any

from appliance.db.engine.base import Database, Row, Tx
from appliance.values import Micros


@dataclass(slots=True)
class TaskRecord:
    """A task as it is in the database."""

    id: str
    type: str
    owner: str | None
    created_at: Micros
    updated_at: Micros
    status: str = "pending"
    image_id: str | None = None
    user_id: str | None = None
    request_id: str | None = None
    input: dict[str, Any] | None = field(default_factory=dict)
    result: dict[str, Any] | None = None
    message: str = ""
    expires_at: Micros | None = None
    held_by: str | None = None
    """Who does the work, where several may: a node, and the generation of its lease."""


_COLUMNS = tuple(field.name for field in fields(TaskRecord))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM tasks"
SORT_KEYS = ("created_at", "expires_at", "id", "status", "type", "updated_at")


def _record(row: Row) -> TaskRecord:
    task = TaskRecord(**dict(zip(_COLUMNS, tuple(row), strict=True)))
    task.input = json.loads(row["input"]) if row["input"] else None
    task.result = json.loads(row["result"]) if row["result"] else None
    return task


class TaskRows:
    """Reads outside of transactions, writes inside of the caller's. Expired tasks are as good as gone."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, tx: Tx, task: TaskRecord) -> None:
        values = {column: getattr(task, column) for column in _COLUMNS}
        values["input"] = json.dumps(task.input)
        values["result"] = json.dumps(task.result) if task.result is not None else None
        tx.execute(
            f"INSERT INTO tasks ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})", values
        )

    def get(self, task_id: str, at: Micros = 0) -> TaskRecord | None:
        """A task that has not expired at that time; without one, any that has not been purged."""
        row = self._db.row(f"{_SELECT} WHERE id = ? AND (expires_at IS NULL OR expires_at > ?)", (task_id, at))
        return _record(row) if row else None

    def of_image(self, image_id: str, at: Micros) -> list[TaskRecord]:
        """An image's tasks, the newest first."""
        rows = self._db.rows(
            f"{_SELECT} WHERE image_id = ? AND (expires_at IS NULL OR expires_at > ?) "
            "ORDER BY created_at DESC, id DESC",
            (image_id, at),
        )
        return [_record(row) for row in rows]

    def change(self, tx: Tx, task_id: str, expected: tuple[str, ...], status: str, at: Micros, **values: Any) -> bool:
        """Move a task on if it is in one of the `expected` states."""
        if "result" in values and values["result"] is not None:
            values["result"] = json.dumps(values["result"])
        values |= {"status": status, "updated_at": at}
        sets = ", ".join(f"{name} = ?" for name in values)
        marks = ", ".join("?" * len(expected))
        return (
            tx.execute(
                f"UPDATE tasks SET {sets} WHERE id = ? AND status IN ({marks})", (*values.values(), task_id, *expected)
            ).rowcount
            == 1
        )

    def is_held(self, tx: Tx, task_id: str, held_by: str | None) -> bool:
        """Whether the task has not ended, and is that one's to do."""
        sql = "SELECT 1 FROM tasks WHERE id = ? AND status IN ('pending', 'processing') AND coalesce(held_by, '') = ?"
        return tx.row(sql, (task_id, held_by or "")) is not None

    def name_image(self, tx: Tx, task_id: str, image_id: str) -> None:
        """Say which image a task makes."""
        tx.execute("UPDATE tasks SET image_id = ? WHERE id = ?", (image_id, task_id))

    def take_over(self, tx: Tx, task: TaskRecord, held_by: str | None) -> bool:
        """Let another do the work of a task; False if that has happened before."""
        sql = "UPDATE tasks SET held_by = ? WHERE id = ? AND coalesce(held_by, '') = ?"
        return tx.execute(sql, (held_by, task.id, task.held_by or "")).rowcount == 1

    def unfinished(self) -> list[TaskRecord]:
        rows = self._db.rows(f"{_SELECT} WHERE status IN ('pending', 'processing')")
        return [_record(row) for row in rows]

    def page(
        self,
        filters: dict[str, str],
        *,
        sort_key: str,
        sort_dir: str,
        marker: TaskRecord | None,
        limit: int,
        at: Micros,
    ) -> list[TaskRecord]:
        """One page of all owners' tasks. `filters` are equalities on columns."""
        assert sort_key in SORT_KEYS and sort_dir in ("asc", "desc")
        conditions = ["(expires_at IS NULL OR expires_at > ?)"]
        parameters: list[Any] = [at]
        for column, value in filters.items():
            assert column in _COLUMNS
            conditions.append(f"{column} = ?")
            parameters.append(value)
        key = "coalesce(expires_at, 0)" if sort_key == "expires_at" else sort_key
        if marker is not None:
            conditions.append(f"({key}, created_at, id) {'<' if sort_dir == 'desc' else '>'} (?, ?, ?)")
            parameters += [getattr(marker, sort_key) or 0, marker.created_at, marker.id]
        rows = self._db.rows(
            f"{_SELECT} WHERE {' AND '.join(conditions)} "
            f"ORDER BY {key} {sort_dir}, created_at {sort_dir}, id {sort_dir} LIMIT ?",
            (*parameters, limit),
        )
        return [_record(row) for row in rows]

    def purge(self, tx: Tx, at: Micros) -> int:
        """Remove the tasks that have expired."""
        return tx.execute("DELETE FROM tasks WHERE expires_at IS NOT NULL AND expires_at <= ?", (at,)).rowcount
