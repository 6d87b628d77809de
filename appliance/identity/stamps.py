"""Stamps: times that never go back, whatever the clock does, so that what was revoked is what came before.

The wall clock can be set back. A token that is issued after a change of password would then look older than that
change, and be void; and a revocation would look older than the tokens that it is to end. A stamp is the time of the
clock, or one more than the last stamp. Across restarts that holds because stamps up to some time ahead are reserved in
a row before the first of them is used: at most one write a minute.
"""

import logging
import threading

from appliance.db import revocations as rows
from appliance.db.notes import Notes
from appliance.errors import StorageFault, StorageFull
from appliance.identity.claims import SECOND
from appliance.identity.ledger import Ledger
from appliance.values import Micros

log = logging.getLogger(__name__)

_NOTE = "identity:stamps_reserved_until"
_AHEAD = 60 * SECOND


class Stamps:
    """Hands stamps out. A revocation's is kept in its own row, so it needs no reservation."""

    def __init__(self, ledger: Ledger) -> None:
        self._clock = ledger.clock
        self._notes = Notes(ledger.db)
        self._last = max(int(self._notes.get(_NOTE) or 0), rows.latest(ledger.db))
        self._reserved = self._last
        self._lock = threading.Lock()
        self._reserving = threading.Lock()

    def of_token(self) -> Micros:
        """Later than every stamp before. Not to be asked for inside of a write transaction."""
        stamp = self._next()
        if stamp > self._reserved:
            self._reserve(stamp)
        return stamp

    def of_revocation(self) -> Micros:
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
                self._notes.set(_NOTE, str(stamp + _AHEAD))
            except (StorageFull, StorageFault) as error:
                # Whoever has to make room must be able to log in. Until the next start the order holds without.
                log.warning("the order of tokens can't be kept across a restart: %s", error)
                return
            self._reserved = stamp + _AHEAD
