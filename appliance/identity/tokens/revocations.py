"""What is revoked, and times that never go back to compare it with."""

import logging
import threading
from collections.abc import Iterable

from appliance.db.engine.base import Tx
from appliance.db.identity import revocations as rows
from appliance.db.key_values import KeyValues
from appliance.db.nodes import counter, raise_counter
from appliance.errors import StorageFault, StorageFull
from appliance.identity.store import IdentityStore
from appliance.identity.tokens.token import SECOND
from appliance.values import Clock, Micros

log = logging.getLogger(__name__)

_KEY = "identity:stamps_reserved_until"
_AHEAD = 60 * SECOND


class Stamps:
    """Hands stamps out. A revocation's is kept in its own row, so it needs no reservation."""

    def __init__(self, store: IdentityStore) -> None:
        self._clock = store.clock
        self._key_values = KeyValues(store.db)
        self._last = max(int(self._key_values.get(_KEY) or 0), rows.latest(store.db))
        self._reserved = self._last
        self._lock = threading.Lock()
        self._reserving = threading.Lock()

    def of_token(self) -> Micros:
        """Later than every stamp before. Not to be asked for inside of a write transaction."""
        stamp = self._next()
        if stamp > self._reserved:
            self._reserve(stamp)
        return stamp

    def of_revocation(self, tx: Tx) -> Micros:
        """Not earlier than the stamp of any token that exists."""
        return self._next()

    def _next(self) -> Micros:
        with self._lock:
            self._last = max(self._last + 1, self._clock())
            return self._last

    def _reserve(self, stamp: Micros) -> None:
        with self._reserving:
            if stamp <= self._reserved:
                return
            try:
                self._key_values.set(_KEY, str(stamp + _AHEAD))
            except (StorageFull, StorageFault) as error:
                # Whoever has to make room must be able to log in. Until the next start the order holds without.
                log.warning("the order of tokens can't be kept across a restart: %s", error)
                return
            self._reserved = stamp + _AHEAD


class SharedStamps(Stamps):
    """The same where several nodes serve: a number in the database that each revocation raises.

    A token's stamp is one more than what it is now: later than every revocation before it, and not later than the next
    one, whatever the nodes' clocks say.
    """

    def __init__(self, store: IdentityStore) -> None:
        super().__init__(store)
        self._db = store.db
        # Of when this was the only node: its stamps were by its clock.
        if counter(self._db, "stamp") < self._reserved:
            self._db.transact(lambda tx: raise_counter(tx, "stamp", self._reserved))

    def of_token(self) -> Micros:
        return counter(self._db, "stamp") + 1

    def of_revocation(self, tx: Tx) -> Micros:
        return raise_counter(tx, "stamp", self._clock())


Subjects = Iterable[tuple[str, str]]
"""(kind, id) pairs: kind is `user`, `project`, `domain`, `audit` (a token) or `chain` (a token's descendants)."""


class Revocations:
    """Which tokens are void. Whatever adds to them does so in the transaction that gives the reason."""

    def __init__(self, store: IdentityStore, stamps: Stamps, longest_life: Micros, elapsed: Clock) -> None:
        self._store = store
        self._stamps = stamps
        self._longest_life = longest_life
        self._elapsed = elapsed
        self._started = (store.clock(), elapsed())

    def add(self, tx: Tx, kind: str, subject: str) -> None:
        """Void every token of this subject that exists now."""
        # By the database's clock as well: another node's may be the one that is right.
        rows.forget(tx, min(self._surely_past(), tx.now()))
        stamp = self._stamps.of_revocation(tx)
        rows.add(tx, kind, subject, stamp, stamp + self._longest_life)

    def covers(self, subjects: Subjects, stamp: Micros) -> bool:
        """Whether a token with these subjects and this stamp is void."""
        latest = rows.of_subjects(self._store.db, list(subjects))
        return latest is not None and stamp <= latest

    def since(self, at: Micros) -> list[tuple[str, str, Micros]]:
        """(kind, subject, issued before) of those that were made then or later."""
        return [(row["kind"], row["subject"], row["issued_before"]) for row in rows.since(self._store.db, at)]

    def _surely_past(self) -> Micros:
        """A time that has passed even if the clock is ahead, to be set back later: tokens would come to life again."""
        clock, elapsed = self._started
        return min(self._store.clock(), clock + self._elapsed() - elapsed)
