"""The tables of metadata definitions: namespaces, what is in them, and the resource types that they are for."""

from sqlite_utils import Database

_TABLES = """
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


def create_metadefs(db: Database) -> None:
    """The first form of the tables."""
    for statement in _TABLES.split(";"):
        if statement.strip():
            db.conn.execute(statement)
