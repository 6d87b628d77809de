"""The tables of several nodes on one database: their leases, who runs which job, what they count and keep together."""

from appliance.db.engine.base import Schema

_STATEMENTS = (
    # `place` is the machine and the directory; `oldest` the epoch of the oldest reader or upload of the node.
    # `expires_at` is by the database's clock; `generation` grows with each lease, so that what was begun under another
    # one can be told apart.
    """
    CREATE TABLE nodes (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, place TEXT NOT NULL, addresses TEXT NOT NULL, version TEXT NOT NULL,
        state TEXT NOT NULL, shares INTEGER NOT NULL, generation INTEGER NOT NULL, oldest INTEGER NOT NULL,
        started_at INTEGER NOT NULL, renewed_at INTEGER NOT NULL, expires_at INTEGER NOT NULL)
    """,
    "CREATE TABLE job_leases (job TEXT PRIMARY KEY, holder TEXT NOT NULL, asked INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    "INSERT INTO counters (name, value) VALUES ('epoch', 1), ('identity', 1), ('keys', 0), ('stamp', 0)",
    "CREATE TABLE site_keys (name TEXT PRIMARY KEY, sealed TEXT NOT NULL)",
    # `failures` are in thousandths.
    """
    CREATE TABLE wrong_secrets (
        subject TEXT PRIMARY KEY, failures INTEGER NOT NULL, counted_at INTEGER NOT NULL,
        blocked_until INTEGER NOT NULL)
    """,
    "CREATE INDEX wrong_secrets_by_time ON wrong_secrets (counted_at)",
    "ALTER TABLE images ADD COLUMN held_by TEXT",
    "ALTER TABLE contents ADD COLUMN held_by TEXT",
    "ALTER TABLE tasks ADD COLUMN held_by TEXT",
)


def create_nodes(db: Schema) -> None:
    """Make the tables, and the columns that say which node is at work on an image, a content or a task."""
    for statement in _STATEMENTS:
        db.execute(statement)
