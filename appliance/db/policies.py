"""Rows of policies and of what they are associated with: an endpoint, a service, or a service in a region."""

from dataclasses import dataclass

from appliance.db.database import Tx
from appliance.db.records import Reader, Shape

POLICIES = Shape("policies", ("id", "type", "blob"))

_AT_PLACE = "endpoint_id IS ? AND service_id IS ? AND region_id IS ?"


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
