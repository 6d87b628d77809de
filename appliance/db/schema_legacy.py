"""What the APIs of old need beside today's tables: endpoints that belong together, and images that are no more."""

from sqlite_utils import Database

_STATEMENTS = (
    # Identity API v2.0 knows one endpoint with three addresses; `legacy_id` is its id.
    """
    CREATE TABLE legacy_endpoints (
        endpoint_id TEXT PRIMARY KEY REFERENCES endpoints(id) ON DELETE CASCADE, legacy_id TEXT NOT NULL)
    """,
    "CREATE INDEX legacy_endpoints_by_id ON legacy_endpoints (legacy_id)",
    # What Image API v1 shows of a deleted image, as JSON; only written where that API is served.
    "ALTER TABLE image_tombstones ADD COLUMN facts TEXT",
    # Image API v1 lets a member share on.
    "ALTER TABLE image_members ADD COLUMN can_share INTEGER NOT NULL DEFAULT 0",
)


def create_legacy(db: Database) -> None:
    for statement in _STATEMENTS:
        db.conn.execute(statement)
