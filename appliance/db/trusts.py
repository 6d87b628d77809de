"""Rows of trusts. A deleted one stays, so that it can never be taken for one that was not there."""

from appliance.db.database import Row, Tx
from appliance.db.records import Reader, Shape
from appliance.values import Micros

TRUSTS = Shape(
    "trusts",
    (
        "id",
        "trustor_user_id",
        "trustee_user_id",
        "project_id",
        "impersonation",
        "deleted_at",
        "expires_at",
        "remaining_uses",
        "redelegated_trust_id",
        "redelegation_count",
    ),
    booleans=frozenset({"impersonation"}),
)


def role_ids(reader: Reader, trust_id: str) -> list[str]:
    rows = reader.rows("SELECT role_id FROM trust_roles WHERE trust_id = ? ORDER BY role_id", (trust_id,))
    return [row["role_id"] for row in rows]


def add_role(tx: Tx, trust_id: str, role_id: str) -> None:
    tx.execute("INSERT INTO trust_roles VALUES (?, ?)", (trust_id, role_id))


def use(tx: Tx, trust_id: str) -> bool:
    """Take one of the remaining uses; False if none is left."""
    row: Row | None = tx.row(
        "UPDATE trusts SET remaining_uses = remaining_uses - 1 "
        "WHERE id = ? AND deleted_at IS NULL AND (remaining_uses IS NULL OR remaining_uses > 0) RETURNING id",
        (trust_id,),
    )
    return row is not None


def end(tx: Tx, trust_id: str, now: Micros) -> None:
    """Delete a trust and those that were made from it."""
    tx.execute(
        """
        WITH RECURSIVE chain(id) AS (
            SELECT ? UNION SELECT trusts.id FROM trusts JOIN chain ON trusts.redelegated_trust_id = chain.id)
        UPDATE trusts SET deleted_at = ? WHERE deleted_at IS NULL AND id IN (SELECT id FROM chain)
        """,
        (trust_id, now),
    )


def end_of_project(tx: Tx, project_id: str, now: Micros) -> None:
    tx.execute("UPDATE trusts SET deleted_at = ? WHERE deleted_at IS NULL AND project_id = ?", (now, project_id))


def end_of_user(tx: Tx, user_id: str, now: Micros) -> None:
    tx.execute(
        "UPDATE trusts SET deleted_at = ? WHERE deleted_at IS NULL AND ? IN (trustor_user_id, trustee_user_id)",
        (now, user_id),
    )
