"""The ordered, named and atomic steps from an empty file to today's schema.

A step is never edited after a release; what it made is changed by a new step at the end of the list. All that a file
lacks run in one transaction with the rows that record them, so a failed one leaves the former state.
"""

from collections.abc import Callable

from sqlite_utils import Database, Migrations
from sqlite_utils.db import Table

from appliance.db.engine.base import Schema
from appliance.db.migrations.activity import create_activity
from appliance.db.migrations.blocks import create_block_scopes, create_blocks
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
)

migrations = Migrations("appliance")
for _name, _step in STEPS:
    migrations(name=_name)(_step)


def unknown_migrations(db: Database) -> list[str]:
    """Names of applied steps that this version has never heard of: the file comes from a newer one."""
    table = db[Migrations.migrations_table]
    if not isinstance(table, Table) or not table.exists():
        return []
    known = {name for name, _ in STEPS}
    return [migration.name for migration in migrations.applied(db) if migration.name not in known]
