"""Rows that say which endpoints Identity API v2.0 takes for one."""

from appliance.db.database import Tx
from appliance.db.records import Reader


def groups(reader: Reader) -> dict[str, str]:
    """Each endpoint's id with the id of the group that it belongs to; those made by others are missing."""
    return {row["endpoint_id"]: row["legacy_id"] for row in reader.rows("SELECT * FROM legacy_endpoints")}


def add(tx: Tx, endpoint_id: str, legacy_id: str) -> None:
    tx.execute("INSERT INTO legacy_endpoints VALUES (?, ?)", (endpoint_id, legacy_id))
