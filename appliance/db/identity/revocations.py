"""Rows of what is over: revoked tokens, and proofs that are good once."""

from collections.abc import Sequence

from appliance.db.engine.base import Reader, Row, Tx
from appliance.values import Micros

_PROOFS_KEPT: Micros = 86_400 * 1_000_000
"""Far longer than any proof is good for, so that a clock that is set back by hours brings none back."""


def since(reader: Reader, at: Micros) -> list[Row]:
    """Those that were made then or later."""
    return reader.rows(
        "SELECT kind, subject, issued_before FROM revocations WHERE issued_before >= ? ORDER BY kind, subject", (at,)
    )


def of_subjects(reader: Reader, subjects: Sequence[tuple[str, str]]) -> Micros | None:
    """The latest revocation of any of these (kind, subject) pairs. Costs a look into the primary key for each."""
    marks = ", ".join(["(?, ?)"] * len(subjects))
    row = reader.row(
        f"WITH asked (kind, subject) AS (VALUES {marks}) "
        "SELECT max(issued_before) AS latest FROM asked JOIN revocations USING (kind, subject)",
        [part for subject in subjects for part in subject],
    )
    return None if row is None else row["latest"]


def latest(reader: Reader) -> Micros:
    """When the last one was made; 0 without any."""
    row = reader.row("SELECT max(issued_before) AS latest FROM revocations")
    return (row["latest"] if row is not None else None) or 0


_LATER = "CASE WHEN excluded.{0} > revocations.{0} THEN excluded.{0} ELSE revocations.{0} END"


def add(tx: Tx, kind: str, subject: str, issued_before: Micros, forget_at: Micros) -> None:
    """Void the tokens of this kind and subject that exist now. A later entry replaces an earlier one."""
    tx.execute(
        "INSERT INTO revocations VALUES (?, ?, ?, ?) ON CONFLICT (kind, subject) DO UPDATE SET issued_before = "
        f"{_LATER.format('issued_before')}, forget_at = {_LATER.format('forget_at')}",
        (kind, subject, issued_before, forget_at),
    )


def forget(tx: Tx, now: Micros) -> None:
    """Drop what concerns only tokens that have expired anyway."""
    tx.execute("DELETE FROM revocations WHERE forget_at < ?", (now,))


def claim(tx: Tx, proof: str) -> bool:
    """Use a proof up; False if somebody has before. Those that nobody would accept any more are dropped.

    All nodes have the database's time: one whose own is wrong must not bring others' proofs back.
    """
    now = tx.now()
    tx.execute("DELETE FROM used_proofs WHERE used_at < ?", (now - _PROOFS_KEPT,))
    row = tx.row(
        "INSERT INTO used_proofs (proof, used_at) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING proof", (proof, now)
    )
    return row is not None
