"""Rows of roles and of which role implies which."""

from appliance.db.database import Tx
from appliance.db.records import Reader, Record, Shape, read

ROLES = Shape("roles", ("id", "name", "domain_id", "description", "options"), json=frozenset({"options"}))


def by_name(reader: Reader, name: str, domain_id: str | None = None) -> Record | None:
    """The global role of this name, or the one of a domain."""
    if domain_id is None:
        row = reader.row("SELECT * FROM roles WHERE name = ? AND domain_id IS NULL", (name,))
    else:
        row = reader.row("SELECT * FROM roles WHERE name = ? AND domain_id = ?", (name, domain_id))
    return None if row is None else read(ROLES, row)


def implications(reader: Reader) -> list[tuple[str, str]]:
    """Every (prior role, implied role)."""
    rows = reader.rows("SELECT prior_role_id, implied_role_id FROM implied_roles ORDER BY 1, 2")
    return [(row["prior_role_id"], row["implied_role_id"]) for row in rows]


def imply(tx: Tx, prior_role_id: str, implied_role_id: str) -> None:
    tx.execute("INSERT INTO implied_roles VALUES (?, ?) ON CONFLICT DO NOTHING", (prior_role_id, implied_role_id))


def no_longer_imply(tx: Tx, prior_role_id: str, implied_role_id: str) -> bool:
    deleted = tx.execute(
        "DELETE FROM implied_roles WHERE prior_role_id = ? AND implied_role_id = ?", (prior_role_id, implied_role_id)
    )
    return deleted.rowcount > 0
