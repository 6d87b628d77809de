"""Tokens that ended before their time, by what they have in common: kept in memory, written through to rows."""

from collections.abc import Iterable

from appliance.db import revocations as rows
from appliance.db.database import Tx
from appliance.identity.ledger import Ledger
from appliance.values import Micros

Subjects = Iterable[tuple[str, str]]
"""(kind, id) pairs: kind is `user`, `project`, `domain`, `audit` (a token) or `chain` (a token's descendants)."""


class Revocations:
    """Which tokens are void. Whatever adds to them does so in the transaction that gives the reason."""

    def __init__(self, ledger: Ledger, longest_life: Micros) -> None:
        self._ledger = ledger
        self._longest_life = longest_life
        self._loaded: tuple[int, dict[tuple[str, str], Micros]] = (-1, {})

    def add(self, tx: Tx, kind: str, subject: str) -> None:
        """Void every token of this subject that exists now."""
        now = self._ledger.clock()
        rows.forget(tx, now)
        rows.add(tx, kind, subject, now, now + self._longest_life)

    def covers(self, subjects: Subjects, issued_at: Micros) -> bool:
        """Whether a token with these subjects, issued then, is void."""
        known = self._known()
        return any(issued_at <= known.get(subject, -1) for subject in subjects)

    def everything(self) -> dict[tuple[str, str], Micros]:
        """(kind, subject) → issued before."""
        return dict(self._known())

    def _known(self) -> dict[tuple[str, str], Micros]:
        generation, known = self._loaded
        current = self._ledger.generation
        if generation != current:
            known = {(row["kind"], row["subject"]): row["issued_before"] for row in rows.everything(self._ledger.db)}
            self._loaded = (current, known)
        return known
