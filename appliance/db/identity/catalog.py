"""Rows of the catalog: regions, services, endpoints, and who sees which of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.db.engine.base import Reader, Tx
from appliance.db.identity.projects import PROJECTS, Project
from appliance.db.records import Filter, Options, Table, read, select


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    id: str
    description: str
    parent_region_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    id: str
    type: str
    name: str | None = ""
    enabled: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    id: str
    service_id: str
    region_id: str | None = None
    interface: str
    url: str
    enabled: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


REGIONS = Table("regions", Region)
SERVICES = Table("services", Service)
ENDPOINTS = Table("endpoints", Endpoint)


def enabled_endpoints(reader: Reader) -> list[tuple[Service, Endpoint]]:
    """Every (service, endpoint) that is enabled, services in the order of their ids."""
    services = {
        row["id"]: read(SERVICES, row) for row in reader.rows("SELECT * FROM services WHERE enabled = 1 ORDER BY id")
    }
    rows = reader.rows("SELECT * FROM endpoints WHERE enabled = 1 ORDER BY service_id, id")
    return [(services[row["service_id"]], read(ENDPOINTS, row)) for row in rows if row["service_id"] in services]


_TREE = """
    WITH RECURSIVE tree(id, depth) AS (
        SELECT id, 0 FROM regions WHERE id = ?
        UNION SELECT regions.id, depth + 1 FROM regions JOIN tree ON regions.parent_region_id = tree.id)
"""


def tree(reader: Reader, region_id: str) -> list[str]:
    """The region and every one below it, the lowest first."""
    return [row["id"] for row in reader.rows(f"{_TREE} SELECT id FROM tree ORDER BY depth DESC, id", (region_id,))]


def in_use(reader: Reader, region_id: str) -> bool:
    """Whether the region or one below it has endpoints."""
    sql = f"{_TREE} SELECT 1 FROM endpoints WHERE region_id IN (SELECT id FROM tree) LIMIT 1"
    return reader.row(sql, (region_id,)) is not None


def remove_tree(tx: Tx, region_id: str) -> None:
    """Remove the region and every one below it."""
    for found in tree(tx, region_id):
        tx.execute("DELETE FROM regions WHERE id = ?", (found,))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointGroup:
    id: str
    name: str
    description: str | None = None
    filters: Options


ENDPOINT_GROUPS = Table("endpoint_groups", EndpointGroup)


def matching_endpoints(reader: Reader, group: EndpointGroup) -> list[Endpoint]:
    """The endpoints that meet every filter of the group. Filters name columns, which was checked when they came."""
    return select(reader, ENDPOINTS, [Filter(column, value) for column, value in group.filters.items()])


# -- endpoints of projects


def endpoints_of_project(reader: Reader, project_id: str) -> list[Endpoint]:
    """The endpoints that were given to the project one by one."""
    rows = reader.rows(
        "SELECT endpoints.* FROM endpoints JOIN project_endpoints ON endpoint_id = endpoints.id "
        "WHERE project_id = ? ORDER BY endpoints.id",
        (project_id,),
    )
    return [read(ENDPOINTS, row) for row in rows]


def projects_of_endpoint(reader: Reader, endpoint_id: str) -> list[Project]:
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


def groups_of_project(reader: Reader, project_id: str) -> list[EndpointGroup]:
    rows = reader.rows(
        "SELECT endpoint_groups.* FROM endpoint_groups JOIN project_endpoint_groups "
        "ON endpoint_group_id = endpoint_groups.id WHERE project_id = ? ORDER BY endpoint_groups.id",
        (project_id,),
    )
    return [read(ENDPOINT_GROUPS, row) for row in rows]


def projects_of_group(reader: Reader, endpoint_group_id: str) -> list[Project]:
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


def groups(reader: Reader) -> dict[str, str]:
    """Each endpoint's id with the id of the group that it belongs to; those made by others are missing."""
    return {row["endpoint_id"]: row["legacy_id"] for row in reader.rows("SELECT * FROM legacy_endpoints")}


def add(tx: Tx, endpoint_id: str, legacy_id: str) -> None:
    tx.execute("INSERT INTO legacy_endpoints VALUES (?, ?)", (endpoint_id, legacy_id))
