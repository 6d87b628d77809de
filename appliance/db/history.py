"""What the whole appliance holds, counted: images and tasks by state, and the stores hour by hour."""

from dataclasses import astuple, dataclass

from appliance.db.engine.base import Database, Tx
from appliance.values import Micros


@dataclass(frozen=True, slots=True)
class HourRecord:
    """The stores' figures in one hour, in bytes but for the images."""

    at: Micros
    images: int
    logical: int
    unique: int
    stored: int
    on_disk: int


class Figures:
    """Reads the counts and keeps those of each hour."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def images_by_status(self) -> dict[str, int]:
        rows = self._db.rows("SELECT status, count(*) AS images FROM images GROUP BY status")
        return {row["status"]: row["images"] for row in rows}

    def waiting_since(self, before: Micros) -> int:
        """Images that an upload or import has held since before a time."""
        row = self._db.row(
            "SELECT count(*) AS images FROM images WHERE status IN ('saving', 'uploading', 'importing') "
            "AND updated_at < ?",
            (before,),
        )
        return int(row["images"]) if row else 0

    def tasks_by_status(self) -> dict[str, int]:
        rows = self._db.rows("SELECT status, count(*) AS tasks FROM tasks GROUP BY status")
        return {row["status"]: row["tasks"] for row in rows}

    def of_project(self, project_id: str) -> tuple[int, int]:
        """How many images a project owns, and what they add up to as it counts."""
        row = self._db.row(
            "SELECT count(*) AS images, coalesce(sum(size), 0) AS logical FROM images "
            "WHERE owner = ? AND status <> 'pending_delete'",
            (project_id,),
        )
        return (row["images"], row["logical"]) if row else (0, 0)

    def keep_hour(self, hour: HourRecord, forget: Micros) -> None:
        """Write the figures of an hour, over those that it has, and drop the hours of before a time."""

        def keep(tx: Tx) -> None:
            tx.execute(
                "INSERT INTO store_history (at, images, logical, unique_length, stored, on_disk) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (at) DO UPDATE SET images = excluded.images, "
                "logical = excluded.logical, unique_length = excluded.unique_length, stored = excluded.stored, "
                "on_disk = excluded.on_disk",
                astuple(hour),
            )
            tx.execute("DELETE FROM store_history WHERE at < ?", (forget,))

        self._db.transact(keep)

    def hours(self, since: Micros) -> list[HourRecord]:
        rows = self._db.rows(
            "SELECT at, images, logical, unique_length, stored, on_disk FROM store_history WHERE at >= ? ORDER BY at",
            (since,),
        )
        return [HourRecord(*row) for row in rows]
