"""Rows of regions as a tree."""

from appliance.db.database import Tx
from appliance.db.records import Reader

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
