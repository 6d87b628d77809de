"""Rows of the image cache: what a node has, and what it is to fetch."""

from dataclasses import dataclass

from appliance.db.engine.base import Database, Row, Tx
from appliance.values import Micros


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """One image on one node, or on every one if `node` is empty. `state` is queued or cached."""

    node: str
    image_id: str
    state: str
    size: int
    hits: int
    last_accessed: Micros
    last_modified: Micros


_SELECT = "SELECT node, image_id, state, size, hits, last_accessed, last_modified FROM image_cache"


def _record(row: Row) -> CacheRecord:
    return CacheRecord(*tuple(row))


class CacheRows:
    """Reads outside of transactions, writes inside of the caller's."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of_node(self, node: str, state: str) -> list[CacheRecord]:
        """What a node has in this state, or all have, in the order in which it came to be."""
        rows = self._db.rows(
            f"{_SELECT} WHERE node IN (?, '') AND state = ? ORDER BY last_modified, image_id", (node, state)
        )
        return list({row["image_id"]: _record(row) for row in rows}.values())

    def of_image(self, image_id: str) -> list[CacheRecord]:
        return [_record(row) for row in self._db.rows(f"{_SELECT} WHERE image_id = ? ORDER BY node", (image_id,))]

    def queued(self) -> list[CacheRecord]:
        """What all nodes are to fetch."""
        return [_record(row) for row in self._db.rows(f"{_SELECT} WHERE state = 'queued' ORDER BY last_modified")]

    def by_access(self) -> list[str]:
        """The images that are cached anywhere, the one that nobody has read for longest first."""
        rows = self._db.rows(
            "SELECT image_id FROM image_cache WHERE state = 'cached' GROUP BY image_id ORDER BY max(last_accessed)"
        )
        return [row["image_id"] for row in rows]

    def enqueue(self, tx: Tx, node: str, image_id: str, at: Micros) -> bool:
        """Have a node fetch an image; False if it has it, or was told before."""
        return (
            tx.execute(
                "INSERT INTO image_cache (node, image_id, state, last_accessed, last_modified) "
                "VALUES (?, ?, 'queued', ?, ?) ON CONFLICT DO NOTHING",
                (node, image_id, at, at),
            ).rowcount
            == 1
        )

    def add_found(self, tx: Tx, node: str, image_id: str, size: int, at: Micros) -> None:
        """A download has brought the image. It is the node's, or every node's, unless one has asked for it already."""
        tx.execute(
            "INSERT INTO image_cache (node, image_id, state, size, last_accessed, last_modified) "
            "SELECT :node, :id, 'cached', :size, :at, :at "
            "WHERE NOT EXISTS (SELECT 1 FROM image_cache WHERE image_id = :id)",
            {"node": node, "id": image_id, "size": size, "at": at},
        )

    def settle(self, tx: Tx, node: str, image_id: str, size: int, at: Micros) -> None:
        """A node that was to fetch an image has it."""
        tx.execute(
            "UPDATE image_cache SET state = 'cached', size = ?, last_modified = ?, last_accessed = ? "
            "WHERE node = ? AND image_id = ? AND state = 'queued'",
            (size, at, at, node, image_id),
        )

    def touch(self, tx: Tx, image_id: str, at: Micros) -> bool:
        """Somebody has read it; False if it is not cached anywhere."""
        touched = tx.execute(
            "UPDATE image_cache SET hits = hits + 1, last_accessed = ? WHERE image_id = ? AND state = 'cached'",
            (at, image_id),
        )
        return touched.rowcount > 0

    def remove(self, tx: Tx, node: str, image_id: str) -> int:
        return tx.execute("DELETE FROM image_cache WHERE node IN (?, '') AND image_id = ?", (node, image_id)).rowcount

    def remove_image(self, tx: Tx, image_id: str) -> int:
        return tx.execute("DELETE FROM image_cache WHERE image_id = ?", (image_id,)).rowcount

    def clear(self, tx: Tx, node: str, state: str) -> list[str]:
        """Forget all that a node has in this state; which images that were."""
        rows = tx.rows("DELETE FROM image_cache WHERE node IN (?, '') AND state = ? RETURNING image_id", (node, state))
        return [row["image_id"] for row in rows]
