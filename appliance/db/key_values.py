"""Notes that the appliance leaves itself: what has been done once and is not to be done again."""

from appliance.db.engine.base import Database


class KeyValues:
    """Text under a key."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, key: str) -> str | None:
        row = self._db.row("SELECT value FROM notes WHERE key = ?", (key,))
        return row["value"] if row else None

    def take(self, key: str, value: str) -> bool:
        """Remove what is under the key, if it is this; whether it was."""
        sql = "DELETE FROM notes WHERE key = ? AND value = ?"
        return self._db.transact(lambda tx: tx.execute(sql, (key, value)).rowcount == 1)

    def set(self, key: str, value: str) -> None:
        self._db.transact(
            lambda tx: tx.execute(
                "INSERT INTO notes (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            )
        )
