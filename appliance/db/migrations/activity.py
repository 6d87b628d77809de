"""The tables of what has happened: the audit trail, and the hourly figures of the stores."""

from appliance.db.engine.base import Schema

_STATEMENTS = (
    # `subject` is the id of what was acted on, `parts` all ids of the path as JSON. No column ever holds a secret.
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,
        user_id TEXT NOT NULL, user_name TEXT NOT NULL, project_id TEXT NOT NULL, project_name TEXT NOT NULL,
        address TEXT NOT NULL, service TEXT NOT NULL, action TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
        subject_kind TEXT NOT NULL, subject TEXT NOT NULL, subject_name TEXT NOT NULL, parts TEXT NOT NULL,
        status INTEGER NOT NULL, request_id TEXT NOT NULL, trace_id TEXT NOT NULL, repeated INTEGER NOT NULL)
    """,
    "CREATE INDEX events_by_time ON events (at)",
    "CREATE INDEX events_by_project ON events (project_id, id)",
    "CREATE INDEX events_by_subject ON events (subject, id)",
    """
    CREATE TABLE store_history (
        at INTEGER PRIMARY KEY, images INTEGER NOT NULL, logical INTEGER NOT NULL, unique_length INTEGER NOT NULL,
        stored INTEGER NOT NULL, on_disk INTEGER NOT NULL)
    """,
)


def create_activity(db: Schema) -> None:
    """Make the tables of the audit trail and of the history."""
    for statement in _STATEMENTS:
        db.execute(statement)
