"""Rows of the keys that several nodes share. What they hold is sealed, under a key that is in no database."""

from collections.abc import Mapping

from appliance.db.engine.base import Reader, Tx


def read_keys(reader: Reader) -> dict[str, str]:
    """What is sealed, by name."""
    return {row["name"]: row["sealed"] for row in reader.rows("SELECT name, sealed FROM site_keys ORDER BY name")}


def write_keys(tx: Tx, keys: Mapping[str, str]) -> None:
    """These, and no others."""
    tx.execute("DELETE FROM site_keys")
    tx.executemany("INSERT INTO site_keys (name, sealed) VALUES (?, ?)", list(keys.items()))
