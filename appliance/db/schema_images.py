"""The tables of images: the image itself, its properties, tags, members, locations, and the tasks that import it."""

from sqlite_utils import Database

_TABLES = """
CREATE TABLE images (
    id TEXT PRIMARY KEY,
    name TEXT,
    status TEXT NOT NULL,
    visibility TEXT NOT NULL,
    owner TEXT,
    protected INTEGER NOT NULL DEFAULT 0,
    os_hidden INTEGER NOT NULL DEFAULT 0,
    disk_format TEXT,
    container_format TEXT,
    min_disk INTEGER NOT NULL DEFAULT 0,
    min_ram INTEGER NOT NULL DEFAULT 0,
    size INTEGER,
    virtual_size INTEGER,
    checksum TEXT,
    os_hash_algo TEXT,
    os_hash_value TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- counts the changes, so that one who read the image can tell that nobody changed it since
    revision INTEGER NOT NULL DEFAULT 0,
    -- what PUT /stage left, until an import moves it to a location
    staged_store TEXT,
    staged_content INTEGER
);

CREATE TABLE image_properties (
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT,
    PRIMARY KEY (image_id, name)
) WITHOUT ROWID;

CREATE TABLE image_tags (
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    value TEXT NOT NULL,
    PRIMARY KEY (image_id, value)
) WITHOUT ROWID;

CREATE TABLE image_members (
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    member_id TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (image_id, member_id)
) WITHOUT ROWID;

-- Where an image's bytes are: a content of one of our own stores, or a URL elsewhere.
CREATE TABLE image_locations (
    id INTEGER PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    store TEXT,
    content_id INTEGER,
    url TEXT,
    metadata TEXT NOT NULL DEFAULT '{}',
    CHECK ((content_id IS NULL) <> (url IS NULL))
);

-- Ids that were images once: they are never given out again.
CREATE TABLE image_tombstones (
    id TEXT PRIMARY KEY,
    deleted_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE tasks (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    owner TEXT,
    image_id TEXT,
    user_id TEXT,
    request_id TEXT,
    input TEXT,
    result TEXT,
    message TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER
);
"""

# Each of the three ways to see an image (as an admin, as its owner, because all may) has an index in the order of the
# two sorts that clients ask for: newest first, and by name.
_INDEXES = """
CREATE INDEX images_by_age ON images (os_hidden, created_at, id);
CREATE INDEX images_by_owner_and_age ON images (owner, os_hidden, created_at, id);
CREATE INDEX images_by_visibility_and_age ON images (visibility, os_hidden, created_at, id);
CREATE INDEX images_by_name ON images (os_hidden, ifnull(name, ''), created_at, id);
CREATE INDEX images_by_owner_and_name ON images (owner, os_hidden, ifnull(name, ''), created_at, id);
CREATE INDEX images_by_visibility_and_name ON images (visibility, os_hidden, ifnull(name, ''), created_at, id);
CREATE INDEX images_named ON images (name);
CREATE INDEX images_by_checksum ON images (checksum);
CREATE INDEX images_by_hash ON images (os_hash_value);
CREATE INDEX images_by_status ON images (status, created_at, id);
CREATE INDEX image_properties_by_value ON image_properties (name, value, image_id);
CREATE INDEX image_tags_by_value ON image_tags (value, image_id);
CREATE INDEX image_members_by_member ON image_members (member_id, status, image_id);
CREATE INDEX image_locations_by_image ON image_locations (image_id, id);
CREATE INDEX image_locations_by_content ON image_locations (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX tasks_by_age ON tasks (created_at, id);
CREATE INDEX tasks_by_image ON tasks (image_id);
CREATE INDEX tasks_by_expiry ON tasks (expires_at) WHERE expires_at IS NOT NULL;
"""


def create_images(db: Database) -> None:
    for statement in (_TABLES + _INDEXES).split(";"):
        if statement.strip():
            db.conn.execute(statement)
