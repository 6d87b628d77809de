"""The tables of the fleet: other sites, feeds with their logs, and which images came how."""

from appliance.db.engine.base import Schema

_STATEMENTS = (
    """
    CREATE TABLE fleet_peers (
        name TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, url TEXT NOT NULL, pin TEXT NOT NULL,
        paired_at INTEGER NOT NULL) WITHOUT ROWID
    """,
    # Feeds of our own, whose `origin` is our key, and those that we follow. `source` is the name that the origin gave.
    """
    CREATE TABLE fleet_feeds (
        name TEXT PRIMARY KEY, origin TEXT NOT NULL, source TEXT NOT NULL, is_own INTEGER NOT NULL,
        wanted TEXT NOT NULL, readers TEXT NOT NULL,
        peer TEXT NOT NULL, remote TEXT NOT NULL, tree TEXT NOT NULL, policy TEXT NOT NULL, project TEXT,
        every INTEGER NOT NULL, hours TEXT NOT NULL,
        rate INTEGER NOT NULL,
        sequence INTEGER NOT NULL, head TEXT NOT NULL, applied INTEGER NOT NULL,
        created_at INTEGER NOT NULL, asked_at INTEGER NOT NULL, applied_at INTEGER NOT NULL, trouble TEXT NOT NULL,
        UNIQUE (origin, source)) WITHOUT ROWID
    """,
    """
    CREATE TABLE fleet_entries (
        feed TEXT NOT NULL REFERENCES fleet_feeds (name) ON DELETE CASCADE, sequence INTEGER NOT NULL,
        image_id TEXT NOT NULL, is_put INTEGER NOT NULL, body TEXT NOT NULL, signature TEXT NOT NULL,
        PRIMARY KEY (feed, sequence))
    """,
    "CREATE INDEX fleet_entries_by_image ON fleet_entries (feed, image_id, sequence)",
    # What is published of an image, or as what it came; `facts` is the manifest that was applied last.
    """
    CREATE TABLE fleet_images (
        feed TEXT NOT NULL REFERENCES fleet_feeds (name) ON DELETE CASCADE, image_id TEXT NOT NULL,
        sequence INTEGER NOT NULL, revision INTEGER NOT NULL, state TEXT NOT NULL, note TEXT NOT NULL,
        facts TEXT NOT NULL, PRIMARY KEY (feed, image_id))
    """,
    # Contents that no image names yet: blocks that have come, and images whose hashes are being checked.
    """
    CREATE TABLE fleet_arrivals (
        store TEXT NOT NULL, content_id INTEGER NOT NULL, feed TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (store, content_id)) WITHOUT ROWID
    """,
)


def limit_serving(db: Schema) -> None:
    """Let a site say when, and how fast, it hands the blocks of a feed on."""
    db.execute("ALTER TABLE fleet_feeds ADD COLUMN serve_hours TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE fleet_feeds ADD COLUMN serve_rate INTEGER NOT NULL DEFAULT 0")


def create_fleet(db: Schema) -> None:
    """Make the tables of the fleet."""
    for statement in _STATEMENTS:
        db.execute(statement)
