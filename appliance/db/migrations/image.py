"""The tables of images: the image itself, its properties, tags, members, locations, and the tasks that import it."""

from appliance.db.engine.base import Schema

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


def create_images(db: Schema) -> None:
    for statement in (_TABLES + _INDEXES).split(";"):
        if statement.strip():
            db.execute(statement)


_METADEFS = """
CREATE TABLE metadef_namespaces (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL UNIQUE,
    display_name TEXT,
    description TEXT,
    visibility TEXT NOT NULL,
    protected INTEGER NOT NULL DEFAULT 0,
    owner TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER
);

CREATE TABLE metadef_objects (
    id INTEGER PRIMARY KEY,
    namespace_id INTEGER NOT NULL REFERENCES metadef_namespaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    required TEXT NOT NULL DEFAULT '[]',
    properties TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    updated_at INTEGER,
    UNIQUE (namespace_id, name)
);

CREATE TABLE metadef_properties (
    id INTEGER PRIMARY KEY,
    namespace_id INTEGER NOT NULL REFERENCES metadef_namespaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER,
    UNIQUE (namespace_id, name)
);

CREATE TABLE metadef_tags (
    id INTEGER PRIMARY KEY,
    namespace_id INTEGER NOT NULL REFERENCES metadef_namespaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER,
    UNIQUE (namespace_id, name)
);

CREATE TABLE metadef_resource_types (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    updated_at INTEGER
);

CREATE TABLE metadef_associations (
    id INTEGER PRIMARY KEY,
    namespace_id INTEGER NOT NULL REFERENCES metadef_namespaces (id) ON DELETE CASCADE,
    resource_type_id INTEGER NOT NULL REFERENCES metadef_resource_types (id),
    prefix TEXT,
    properties_target TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER,
    UNIQUE (namespace_id, resource_type_id)
);

CREATE INDEX metadef_namespaces_by_age ON metadef_namespaces (created_at, id);
CREATE INDEX metadef_associations_by_type ON metadef_associations (resource_type_id, namespace_id);
"""


def create_metadefs(db: Schema) -> None:
    """The first form of the tables."""
    for statement in _METADEFS.split(";"):
        if statement.strip():
            db.execute(statement)


def create_image_cache(db: Schema) -> None:
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


def create_notes(db: Schema) -> None:
    """The table of notes."""
    db.execute("CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")


# An index serves only what is spelled like it, and no other engine knows the former word.
_BY_NAME = (
    ("images_by_name", "os_hidden"),
    ("images_by_owner_and_name", "owner, os_hidden"),
    ("images_by_visibility_and_name", "visibility, os_hidden"),
)


def portable_indexes(db: Schema) -> None:
    for index, columns in _BY_NAME:
        db.execute(f"DROP INDEX {index}")
        db.execute(f"CREATE INDEX {index} ON images ({columns}, coalesce(name, ''), created_at, id)")
