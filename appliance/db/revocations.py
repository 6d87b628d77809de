"""Rows of revocations: tokens that ended before their time, by what they have in common."""

from appliance.db.database import Row, Tx
from appliance.db.records import Reader
from appliance.values import Micros


def everything(reader: Reader) -> list[Row]:
    return reader.rows("SELECT kind, subject, issued_before, forget_at FROM revocations")


def add(tx: Tx, kind: str, subject: str, issued_before: Micros, forget_at: Micros) -> None:
    """Void the tokens of this kind and subject that exist now. A later entry replaces an earlier one."""
    tx.execute(
        "INSERT INTO revocations VALUES (?, ?, ?, ?) ON CONFLICT (kind, subject) DO UPDATE SET "
        "issued_before = max(issued_before, excluded.issued_before), forget_at = max(forget_at, excluded.forget_at)",
        (kind, subject, issued_before, forget_at),
    )


def forget(tx: Tx, now: Micros) -> None:
    """Drop what concerns only tokens that have expired anyway."""
    tx.execute("DELETE FROM revocations WHERE forget_at < ?", (now,))
