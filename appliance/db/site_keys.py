"""Rows of the keys that several nodes share. What they hold is sealed, under a key that is in no database."""

from collections.abc import Iterable, Mapping

from appliance.db.engine.base import Reader, Tx


def read_keys(reader: Reader) -> dict[str, str]:
    """What is sealed, by name."""
    return {row["name"]: row["sealed"] for row in reader.rows("SELECT name, sealed FROM site_keys ORDER BY name")}


def change_keys(tx: Tx, keys: Mapping[str, str], removed: Iterable[str]) -> None:
    """Write these and drop those; all others stay."""
    tx.executemany(
        "INSERT INTO site_keys (name, sealed) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
        list(keys.items()),
    )
    tx.executemany("DELETE FROM site_keys WHERE name = ?", [(name,) for name in removed])
