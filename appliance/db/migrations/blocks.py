"""Tables of the block index: where blocks lie, what contents are made of, which segments exist.

Sized for 1.5 MiB a logical GiB: a digest is stored once (eight bytes of it as the indexed `key`), a content is a list
of extents (runs of consecutive block ids), and a segment's own blocks are found by the range of ids born in it.
"""

from appliance.db.engine.base import Schema

_STATEMENTS = (
    """CREATE TABLE stores (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        uuid BLOB NOT NULL
    )""",
    # Block ids are never used again: a stale reference must not meet another block.
    """CREATE TABLE block_counter (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        next_block INTEGER NOT NULL
    )""",
    "INSERT INTO block_counter (id, next_block) VALUES (1, 1)",
    """CREATE TABLE segments (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        store INTEGER NOT NULL REFERENCES stores (id),
        name TEXT NOT NULL,
        size INTEGER NOT NULL,
        payload INTEGER NOT NULL,
        first_block INTEGER NOT NULL,
        last_block INTEGER NOT NULL,
        live_blocks INTEGER NOT NULL,
        live_stored INTEGER NOT NULL,
        live_length INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        scrubbed_at INTEGER NOT NULL DEFAULT 0,
        scrub_after INTEGER NOT NULL DEFAULT 0,
        damaged INTEGER NOT NULL DEFAULT 0,
        UNIQUE (store, name)
    )""",
    "CREATE INDEX segments_scrub ON segments (store, scrubbed_at)",
    """CREATE TABLE blocks (
        id INTEGER PRIMARY KEY,
        store INTEGER NOT NULL,
        key INTEGER NOT NULL,
        rest BLOB NOT NULL,
        segment INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        stored INTEGER NOT NULL,
        length INTEGER NOT NULL,
        codec INTEGER NOT NULL,
        moved INTEGER NOT NULL DEFAULT 0,
        condemned_at INTEGER,
        damaged_at INTEGER
    )""",
    "CREATE INDEX blocks_key ON blocks (key)",
    "CREATE INDEX blocks_moved ON blocks (segment) WHERE moved = 1",
    "CREATE INDEX blocks_condemned ON blocks (store, condemned_at) WHERE condemned_at IS NOT NULL",
    "CREATE INDEX blocks_damaged ON blocks (store) WHERE damaged_at IS NOT NULL",
    """CREATE TABLE contents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        store INTEGER NOT NULL REFERENCES stores (id),
        upload BLOB NOT NULL UNIQUE,
        state INTEGER NOT NULL,
        size INTEGER NOT NULL DEFAULT 0,
        md5 TEXT NOT NULL DEFAULT '',
        hash_algorithm TEXT NOT NULL DEFAULT '',
        hash_value TEXT NOT NULL DEFAULT '',
        label BLOB NOT NULL DEFAULT x'',
        created_at INTEGER NOT NULL,
        hole_length INTEGER NOT NULL DEFAULT 0,
        reused_length INTEGER NOT NULL DEFAULT 0,
        new_length INTEGER NOT NULL DEFAULT 0,
        new_stored INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX contents_unsettled ON contents (store, state) WHERE state <> 1",
    # first_block NULL is a hole: written down, so that a lost row can never read as zeros.
    """CREATE TABLE extents (
        content INTEGER NOT NULL REFERENCES contents (id),
        offset INTEGER NOT NULL,
        first_block INTEGER,
        blocks INTEGER NOT NULL,
        length INTEGER NOT NULL,
        PRIMARY KEY (content, offset)
    ) WITHOUT ROWID""",
    "CREATE INDEX extents_first_block ON extents (first_block, blocks) WHERE first_block IS NOT NULL",
    """CREATE TABLE stretches (
        content INTEGER NOT NULL REFERENCES contents (id),
        number INTEGER NOT NULL,
        segment INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        length INTEGER NOT NULL,
        PRIMARY KEY (content, number)
    ) WITHOUT ROWID""",
    "CREATE INDEX stretches_segment ON stretches (segment)",
)


def create_blocks(db: Schema) -> None:
    """The first form of the block index."""
    for statement in _STATEMENTS:
        db.execute(statement)


_SCOPES = (
    # Scope 0 has no row: it is that of blocks stored before there were scopes, and of those who share one with all.
    """CREATE TABLE block_scopes (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    )""",
    "ALTER TABLE blocks ADD COLUMN scope INTEGER NOT NULL DEFAULT 0",
    # 1 for a block that has or had the same bytes in the same place as another.
    "ALTER TABLE blocks ADD COLUMN shared INTEGER NOT NULL DEFAULT 0",
    "DROP INDEX blocks_key",
    # With the scope, a lookup touches no row of another one: its cost tells nothing of what others have.
    "CREATE INDEX blocks_key ON blocks (key, scope)",
    "CREATE INDEX blocks_shared ON blocks (segment, offset) WHERE shared = 1",
    # Blocks up to this id were compared with those before them.
    "ALTER TABLE stores ADD COLUMN folded_to INTEGER NOT NULL DEFAULT 0",
)


def create_block_scopes(db: Schema) -> None:
    """Give the block index scopes."""
    for statement in _SCOPES:
        db.execute(statement)


_DENSE = (
    # 1 for a segment whose blocks the collection has compressed with zstd, where that gained anything.
    "ALTER TABLE segments ADD COLUMN dense INTEGER NOT NULL DEFAULT 0",
    # When a client last read something of it, to the hour or so; 0 if not yet.
    "ALTER TABLE segments ADD COLUMN read_at INTEGER NOT NULL DEFAULT 0",
)


def create_dense_segments(db: Schema) -> None:
    """Let segments be recompressed that nobody reads."""
    for statement in _DENSE:
        db.execute(statement)
