"""Migration step of the image cache."""

from sqlite_utils import Database


def create_image_cache(db: Database) -> None:
    """What each node, which is an address of the service, has cached or is to cache. The bytes lie in files."""
    db.execute(
        """
        CREATE TABLE image_cache (
            node TEXT NOT NULL,
            image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
            state TEXT NOT NULL,
            size INTEGER NOT NULL DEFAULT 0,
            hits INTEGER NOT NULL DEFAULT 0,
            last_accessed INTEGER NOT NULL,
            last_modified INTEGER NOT NULL,
            PRIMARY KEY (node, image_id)
        ) WITHOUT ROWID
        """
    )
    db.execute("CREATE INDEX image_cache_by_image ON image_cache (image_id, last_accessed)")
