"""Tokens that ended before their time, by what they have in common."""

from collections.abc import Iterable

from appliance.db import revocations as rows
from appliance.db.database import Tx
from appliance.identity.ledger import Ledger
from appliance.identity.stamps import Stamps
from appliance.values import Clock, Micros

Subjects = Iterable[tuple[str, str]]
"""(kind, id) pairs: kind is `user`, `project`, `domain`, `audit` (a token) or `chain` (a token's descendants)."""


class Revocations:
    """Which tokens are void. Whatever adds to them does so in the transaction that gives the reason."""

    def __init__(self, ledger: Ledger, stamps: Stamps, longest_life: Micros, elapsed: Clock) -> None:
        self._ledger = ledger
        self._stamps = stamps
        self._longest_life = longest_life
        self._elapsed = elapsed
        self._started = (ledger.clock(), elapsed())

    def add(self, tx: Tx, kind: str, subject: str) -> None:
        """Void every token of this subject that exists now."""
        rows.forget(tx, self._surely_past())
        stamp = self._stamps.of_revocation()
        rows.add(tx, kind, subject, stamp, stamp + self._longest_life)

    def covers(self, subjects: Subjects, stamp: Micros) -> bool:
        """Whether a token with these subjects and this stamp is void."""
        latest = rows.of_subjects(self._ledger.db, list(subjects))
        return latest is not None and stamp <= latest

    def since(self, at: Micros) -> list[tuple[str, str, Micros]]:
        """(kind, subject, issued before) of those that were made then or later."""
        return [(row["kind"], row["subject"], row["issued_before"]) for row in rows.since(self._ledger.db, at)]

    def _surely_past(self) -> Micros:
        """A time that has passed even if the clock is ahead, to be set back later: tokens would come to life again."""
        clock, elapsed = self._started
        return min(self._ledger.clock(), clock + self._elapsed() - elapsed)
