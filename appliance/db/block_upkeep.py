"""Upkeep of the block index of one store: what collection, scrub, rebuild, doctor and accounting ask of it."""

from collections.abc import Sequence

from appliance.db.block_rows import RELEASED, WRITING
from appliance.db.database import Database
from appliance.values import Micros


class BlockUpkeep:
    def __init__(self, db: Database, store_id: int) -> None:
        self._db = db
        self._store_id = store_id

    def discard_writing(self) -> int:
        if not self._db.row("SELECT 1 FROM contents WHERE store = ? AND state = ?", (self._store_id, WRITING)):
            return 0
        with self._db.write() as tx:
            return tx.execute(
                "UPDATE contents SET state = ? WHERE store = ? AND state = ?", (RELEASED, self._store_id, WRITING)
            ).rowcount

    def mark_damaged(self, block_ids: Sequence[int], now: Micros) -> None:
        with self._db.write() as tx:
            tx.executemany(
                "UPDATE blocks SET damaged_at = ? WHERE id = ? AND damaged_at IS NULL",
                [(now, block_id) for block_id in block_ids],
            )
