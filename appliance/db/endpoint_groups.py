"""Rows of endpoint groups, and of the endpoints and groups that projects are given."""

from appliance.db.catalog import ENDPOINTS
from appliance.db.database import Tx
from appliance.db.projects import PROJECTS
from appliance.db.records import Filter, Reader, Record, Shape, read, select

ENDPOINT_GROUPS = Shape(
    "endpoint_groups", ("id", "name", "description", "filters"), json=frozenset({"filters"}), extra=False
)


def matching_endpoints(reader: Reader, group: Record) -> list[Record]:
    """The endpoints that meet every filter of the group. Filters name columns, which was checked when they came."""
    return select(reader, ENDPOINTS, [Filter(column, value) for column, value in group["filters"].items()])


# -- endpoints of projects


def endpoints_of_project(reader: Reader, project_id: str) -> list[Record]:
    """The endpoints that were given to the project one by one."""
    rows = reader.rows(
        "SELECT endpoints.* FROM endpoints JOIN project_endpoints ON endpoint_id = endpoints.id "
        "WHERE project_id = ? ORDER BY endpoints.id",
        (project_id,),
    )
    return [read(ENDPOINTS, row) for row in rows]


def projects_of_endpoint(reader: Reader, endpoint_id: str) -> list[Record]:
    rows = reader.rows(
        "SELECT projects.* FROM projects JOIN project_endpoints ON project_id = projects.id "
        "WHERE endpoint_id = ? ORDER BY projects.id",
        (endpoint_id,),
    )
    return [read(PROJECTS, row) for row in rows]


def project_has_endpoint(reader: Reader, project_id: str, endpoint_id: str) -> bool:
    sql = "SELECT 1 FROM project_endpoints WHERE project_id = ? AND endpoint_id = ?"
    return reader.row(sql, (project_id, endpoint_id)) is not None


def give_endpoint(tx: Tx, project_id: str, endpoint_id: str) -> None:
    """Raises `IntegrityError` if the project has it already."""
    tx.execute("INSERT INTO project_endpoints VALUES (?, ?)", (project_id, endpoint_id))


def take_endpoint(tx: Tx, project_id: str, endpoint_id: str) -> bool:
    sql = "DELETE FROM project_endpoints WHERE project_id = ? AND endpoint_id = ?"
    return tx.execute(sql, (project_id, endpoint_id)).rowcount > 0


# -- endpoint groups of projects


def groups_of_project(reader: Reader, project_id: str) -> list[Record]:
    rows = reader.rows(
        "SELECT endpoint_groups.* FROM endpoint_groups JOIN project_endpoint_groups "
        "ON endpoint_group_id = endpoint_groups.id WHERE project_id = ? ORDER BY endpoint_groups.id",
        (project_id,),
    )
    return [read(ENDPOINT_GROUPS, row) for row in rows]


def projects_of_group(reader: Reader, endpoint_group_id: str) -> list[Record]:
    rows = reader.rows(
        "SELECT projects.* FROM projects JOIN project_endpoint_groups ON project_id = projects.id "
        "WHERE endpoint_group_id = ? ORDER BY projects.id",
        (endpoint_group_id,),
    )
    return [read(PROJECTS, row) for row in rows]


def project_has_group(reader: Reader, project_id: str, endpoint_group_id: str) -> bool:
    sql = "SELECT 1 FROM project_endpoint_groups WHERE project_id = ? AND endpoint_group_id = ?"
    return reader.row(sql, (project_id, endpoint_group_id)) is not None


def give_group(tx: Tx, project_id: str, endpoint_group_id: str) -> None:
    """Raises `IntegrityError` if the project has it already."""
    tx.execute("INSERT INTO project_endpoint_groups VALUES (?, ?)", (project_id, endpoint_group_id))


def take_group(tx: Tx, project_id: str, endpoint_group_id: str) -> bool:
    sql = "DELETE FROM project_endpoint_groups WHERE project_id = ? AND endpoint_group_id = ?"
    return tx.execute(sql, (project_id, endpoint_group_id)).rowcount > 0
