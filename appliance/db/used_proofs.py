"""Rows of proofs that are good once and have been used: passcodes and receipts, by their digests."""

from appliance.db.database import Tx
from appliance.values import Micros


def claim(tx: Tx, proof: str, used_at: Micros) -> bool:
    """Use a proof up; False if somebody has before."""
    row = tx.row(
        "INSERT INTO used_proofs (proof, used_at) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING proof",
        (proof, used_at),
    )
    return row is not None


def forget(tx: Tx, used_before: Micros) -> None:
    """Drop those that nobody would accept any more."""
    tx.execute("DELETE FROM used_proofs WHERE used_at < ?", (used_before,))
