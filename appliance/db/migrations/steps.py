"""The ordered, named and atomic steps from an empty file to today's schema.

A step is never edited after a release; what it made is changed by a new step at the end of the list. All that a file
lacks run in one transaction with the rows that record them, so a failed one leaves the former state.
"""

import sqlite3
from collections.abc import Callable

import sqlite_utils

from appliance.db.engine.base import Schema
from appliance.db.migrations.activity import create_activity
from appliance.db.migrations.blocks import create_block_scopes, create_blocks, create_dense_segments
from appliance.db.migrations.fleet import create_fleet, limit_serving
from appliance.db.migrations.identity import (
    create_catalog,
    create_federation,
    create_identity,
    create_legacy,
    create_oauth1,
    create_proofs,
    move_service_descriptions,
)
from appliance.db.migrations.image import (
    create_image_cache,
    create_images,
    create_metadefs,
    create_notes,
    portable_indexes,
)
from appliance.db.migrations.nodes import create_nodes

STEPS: tuple[tuple[str, Callable[[Schema], None]], ...] = (
    ("0001_blocks", create_blocks),
    ("0002_identity", create_identity),
    ("0003_images", create_images),
    ("0004_metadefs", create_metadefs),
    ("0005_notes", create_notes),
    ("0006_catalog", create_catalog),
    ("0007_legacy", create_legacy),
    ("0008_image_cache", create_image_cache),
    ("0009_proofs", create_proofs),
    ("0010_block_scopes", create_block_scopes),
    ("0011_service_descriptions", move_service_descriptions),
    ("0012_activity", create_activity),
    ("0013_portable_indexes", portable_indexes),
    ("0014_federation", create_federation),
    ("0015_oauth1", create_oauth1),
    ("0016_fleet", create_fleet),
    ("0017_nodes", create_nodes),
    ("0018_fleet_limits", limit_serving),
    ("0019_dense_segments", create_dense_segments),
)

_SET = "appliance"


def lacking(connection: sqlite3.Connection) -> bool:
    """Whether a file lacks a step of this version."""
    return not {name for name, _ in STEPS} <= set(_applied(connection))


def unknown(connection: sqlite3.Connection) -> list[str]:
    """Applied steps that this version has never heard of: the file comes from a newer one."""
    known = {name for name, _ in STEPS}
    return [name for name in _applied(connection) if name not in known]


def _applied(connection: sqlite3.Connection) -> list[str]:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone():
        return []
    return [
        row[0]
        for row in connection.execute(
            "SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY rowid", (_SET,)
        )
    ]


def apply(connection: sqlite3.Connection) -> None:
    """Take the steps that a file has not had: all or none, for after a few the version that made it would refuse it."""
    db = sqlite_utils.Database(connection, execute_plugins=False, recursive_triggers=False)
    migrations = sqlite_utils.Migrations(_SET)
    for name, step in STEPS:
        migrations(name=name)(step)
    with db.atomic():
        migrations.apply(db)
