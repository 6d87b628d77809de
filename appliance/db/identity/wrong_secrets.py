"""Rows that count wrong secrets, where several nodes have to count together. Subjects are digests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.db.engine.base import Reader, Tx
from appliance.db.records import one_of
from appliance.values import Micros


@dataclass(frozen=True, slots=True)
class WrongSecrets:
    """How many there were at that time, in thousandths, and until when nobody may try again."""

    failures: int
    counted_at: Micros
    blocked_until: Micros


def read(reader: Reader, subjects: Sequence[str]) -> dict[str, WrongSecrets]:
    condition, values = one_of("subject", subjects)
    rows = reader.rows(
        f"SELECT subject, failures, counted_at, blocked_until FROM wrong_secrets WHERE {condition}", values
    )
    return {row["subject"]: WrongSecrets(row["failures"], row["counted_at"], row["blocked_until"]) for row in rows}


def write(tx: Tx, counts: Mapping[str, WrongSecrets]) -> None:
    tx.executemany(
        "INSERT INTO wrong_secrets (subject, failures, counted_at, blocked_until) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, counted_at = excluded.counted_at, "
        "blocked_until = excluded.blocked_until",
        [(subject, one.failures, one.counted_at, one.blocked_until) for subject, one in counts.items()],
    )


def forget(tx: Tx, before: Micros) -> None:
    """Drop what nobody has counted since."""
    tx.execute("DELETE FROM wrong_secrets WHERE counted_at < ?", (before,))
