"""Rows of limits and of policies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.db.engine.base import Reader, Tx
from appliance.db.records import Filter, Page, Table, computed, conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredLimit:
    id: str
    service_id: str
    region_id: str | None = None
    resource_name: str
    default_limit: int
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    id: str
    registered_limit_id: str
    project_id: str | None = None
    domain_id: str | None = None
    resource_limit: int
    description: str | None = None
    service_id: str = computed("")
    """This and the next two are those of the registered limit."""
    region_id: str | None = computed()
    resource_name: str = computed("")


REGISTERED_LIMITS = Table("registered_limits", RegisteredLimit)
LIMITS = Table("limits", Limit)

_SHOWN = """
    SELECT limits.id AS id, registered_limit_id, service_id, region_id, resource_name, project_id, domain_id,
           resource_limit, limits.description AS description
    FROM limits JOIN registered_limits ON registered_limits.id = registered_limit_id
"""
_TABLES = {"project_id": "limits.", "domain_id": "limits."}


def registered_for(reader: Reader, service_id: str, region_id: str | None, resource_name: str) -> str | None:
    """The id of the registered limit for exactly this."""
    row = reader.row(
        "SELECT id FROM registered_limits WHERE service_id = ? AND region_id IS NOT DISTINCT FROM ? "
        "AND resource_name = ?",
        (service_id, region_id, resource_name),
    )
    return None if row is None else row["id"]


def overridden(reader: Reader, registered_limit_id: str) -> bool:
    """Whether a project or domain has a limit of its own for this."""
    return reader.row("SELECT 1 FROM limits WHERE registered_limit_id = ?", (registered_limit_id,)) is not None


def whole(reader: Reader, limit_id: str) -> Limit | None:
    """A limit with what it is a limit of."""
    row = reader.row(f"{_SHOWN} WHERE limits.id = ?", (limit_id,))
    return None if row is None else Limit(**dict(row))


def in_force(reader: Reader, service_type: str, region_id: str, project_id: str) -> dict[str, int]:
    """A project's limits of a service in a region, by resource: its own ones, or else the defaults."""
    rows = reader.rows(
        """
        SELECT resource_name, coalesce(
                 (SELECT resource_limit FROM limits
                   WHERE registered_limit_id = registered_limits.id AND project_id = :project), default_limit) AS most
          FROM registered_limits JOIN services ON services.id = service_id
         WHERE services.type = :service AND (region_id IS NULL OR region_id = :region)
         ORDER BY region_id IS NOT NULL
        """,
        {"project": project_id, "service": service_type, "region": region_id},
    )
    return {row["resource_name"]: row["most"] for row in rows}


def search(reader: Reader, filters: Iterable[Filter], page: Page) -> list[Limit]:
    """Limits with what they are limits of, in the order of their ids."""
    clauses: list[str] = []
    parameters: list[str | int] = []
    for item in filters:
        found, values = conditions([item], _TABLES.get(item.attribute, "registered_limits."))
        clauses += found
        parameters += values
    if page.marker is not None:
        clauses.append("limits.id > ?")
        parameters.append(page.marker)
    sql = f"{_SHOWN} WHERE {' AND '.join(clauses)}" if clauses else _SHOWN
    sql += " ORDER BY limits.id"
    if page.limit is not None:
        sql += " LIMIT ?"
        parameters.append(page.limit)
    return [Limit(**dict(row)) for row in reader.rows(sql, parameters)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    id: str
    type: str
    blob: str
    extra: Mapping[str, Any] = field(default_factory=dict)


POLICIES = Table("policies", Policy)

_AT_PLACE = " AND ".join(f"{column} IS NOT DISTINCT FROM ?" for column in ("endpoint_id", "service_id", "region_id"))


@dataclass(frozen=True, slots=True)
class Place:
    """What a policy is for: `endpoint_id` alone, `service_id` alone, or `service_id` and `region_id`."""

    endpoint_id: str | None = None
    service_id: str | None = None
    region_id: str | None = None


def policy_at(reader: Reader, place: Place) -> str | None:
    """The id of the one policy that a place may have."""
    row = reader.row(f"SELECT policy_id FROM policy_associations WHERE {_AT_PLACE}", _values(place))
    return None if row is None else row["policy_id"]


def places_of(reader: Reader, policy_id: str) -> list[Place]:
    rows = reader.rows(
        "SELECT endpoint_id, service_id, region_id FROM policy_associations WHERE policy_id = ? ORDER BY 1, 2, 3",
        (policy_id,),
    )
    return [Place(row["endpoint_id"], row["service_id"], row["region_id"]) for row in rows]


def associate(tx: Tx, policy_id: str, place: Place) -> None:
    """Give a place this policy instead of the one that it had."""
    tx.execute(f"DELETE FROM policy_associations WHERE {_AT_PLACE}", _values(place))
    tx.execute("INSERT INTO policy_associations VALUES (?, ?, ?, ?)", (policy_id, *_values(place)))


def dissociate(tx: Tx, policy_id: str, place: Place) -> bool:
    sql = f"DELETE FROM policy_associations WHERE policy_id = ? AND {_AT_PLACE}"
    return tx.execute(sql, (policy_id, *_values(place))).rowcount > 0


def _values(place: Place) -> tuple[str | None, str | None, str | None]:
    return place.endpoint_id, place.service_id, place.region_id
