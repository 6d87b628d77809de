"""The rows of a database file for people and their tools: without secrets, with times that can be read, and counted.

Any process may be using the file; everything is read from one state of it, and nothing is changed.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlite_utils
from sqlite_utils.db import Table

from appliance.db.engine.sqlite import make_private, open_read_only
from appliance.errors import Unavailable
from appliance.values import micros_text

TABLES: dict[str, str] = {
    "images": "id name status visibility owner protected os_hidden disk_format container_format min_disk min_ram size "
    "virtual_size checksum os_hash_algo os_hash_value created_at updated_at",
    "image_properties": "image_id name value",
    "image_tags": "image_id value",
    "image_members": "image_id member_id status created_at updated_at",
    "image_locations": "image_id store",
    "tasks": "id type status owner image_id user_id request_id message created_at updated_at expires_at",
    "metadef_namespaces": "namespace display_name description visibility protected owner created_at updated_at",
    "projects": "id name domain_id parent_id is_domain enabled description",
    "project_tags": "project_id name",
    "users": "id name domain_id enabled default_project_id created_at last_active_at",
    "user_groups": "id name domain_id description",
    "group_members": "group_id user_id",
    "roles": "id name domain_id description",
    "implied_roles": "prior_role_id implied_role_id",
    "grants": "actor_type actor_id target_type target_id role_id inherited",
    "application_credentials": "id name user_id project_id description expires_at unrestricted",
    "trusts": "id trustor_user_id trustee_user_id project_id impersonation expires_at deleted_at remaining_uses",
    "regions": "id description parent_region_id",
    "services": "id type name description enabled",
    "endpoints": "id service_id region_id interface url enabled",
    "registered_limits": "id service_id region_id resource_name default_limit description",
    "limits": "id registered_limit_id project_id domain_id resource_limit description",
    "events": "id at user_id user_name project_id project_name address service action method path subject_kind subject "
    "subject_name parts status request_id trace_id repeated",
    "store_history": "at images logical unique_length stored on_disk",
}
"""The tables that can be exported, and of each the columns that hold no secret: what is not here stays inside."""

_ORDER = {"store_history": "at", "events": "id"}


@dataclass(frozen=True, slots=True)
class Exported:
    """One table: its columns with the types of their values, and its rows, read as they are asked for."""

    name: str
    columns: dict[str, type]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def _opened(path: Path) -> Iterator[sqlite_utils.Database]:
    """The database as it is at this moment."""
    with open_read_only(path) as connection:
        connection.execute("BEGIN")
        yield sqlite_utils.Database(connection, execute_plugins=False)


def each(path: Path, names: Iterable[str]) -> Iterator[Exported]:
    """The tables one after the other, all as they are at one moment. Times are texts, as in the APIs."""
    with _opened(path) as db:
        for name in names:
            columns = TABLES[name].split()
            quoted = [f'"{column}"' for column in columns]
            order = _ORDER.get(name) or ", ".join(quoted[:2])
            known = Table(db, name).columns_dict
            if not known.keys() >= set(columns):
                raise Unavailable("the database is of an older version: start the appliance once, and export then")
            cursor = db.conn.execute(f"SELECT {', '.join(quoted)} FROM {name} ORDER BY {order}")
            times = [number for number, column in enumerate(columns) if column == "at" or column.endswith("_at")]
            types = {column: str if number in times else known[column] for number, column in enumerate(columns)}
            yield Exported(name, types, (_readable(row, times) for row in cursor))


def _readable(row: Sequence[Any], times: Sequence[int]) -> tuple[Any, ...]:
    values = list(row)
    for number in times:
        if values[number] is not None:
            values[number] = micros_text(values[number])
    return tuple(values)


def write_sqlite(path: Path, target: Path, names: Iterable[str]) -> dict[str, int]:
    """Make `target`, which must not exist, a database of those tables alone; says how many rows each has.

    The rows are written anew, so that nothing of what is left out is in the file.
    """
    make_private(target)
    with closing(sqlite3.connect(target)) as connection:
        made = sqlite_utils.Database(connection, execute_plugins=False)
        counts = {}
        for exported in each(path, names):
            table = Table(made, exported.name)
            table.create(exported.columns, pk="id" if "id" in exported.columns else None)
            table.insert_all(dict(zip(exported.columns, row, strict=True)) for row in exported.rows)
            counts[exported.name] = table.count
        return counts


def figures(path: Path) -> dict[str, Any]:
    """What the database holds, in numbers: rows of every table, migration steps, images by state, format and store."""
    with _opened(path) as db:

        def counted(sql: str) -> dict[str, int]:
            return {str(name): count for name, count in db.conn.execute(sql)}

        return {
            "steps": [row["name"] for row in db.query("SELECT name FROM _sqlite_migrations ORDER BY id")],
            "rows": {name: Table(db, name).count for name in sorted(db.table_names())},
            "images_by_status": counted("SELECT status, count(*) FROM images GROUP BY status"),
            "images_by_format": counted("SELECT disk_format, count(*) FROM images GROUP BY disk_format"),
            "images_by_store": counted("SELECT store, count(*) FROM image_locations GROUP BY store"),
            "tasks_by_status": counted("SELECT status, count(*) FROM tasks GROUP BY status"),
        }
