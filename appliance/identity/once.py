"""Proofs that are good once: a passcode, a receipt. What was used stays used, across restarts too."""

import hashlib

from appliance.db import used_proofs as rows
from appliance.errors import Unauthenticated
from appliance.identity.claims import SECOND
from appliance.identity.ledger import Ledger

_KEPT = 86_400 * SECOND
"""Far longer than any proof is good for, so that a clock that is set back by hours brings none back."""


class Once:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def claim(self, *proof: object) -> None:
        """Use up the proof that these parts name. Raises `Unauthenticated` if it has been used."""
        digest = hashlib.sha256(" ".join(str(part) for part in proof).encode()).hexdigest()
        now = self._ledger.clock()
        # Not a write of the ledger's: nothing that anybody keeps in memory depends on these rows.
        with self._ledger.db.write() as tx:
            rows.forget(tx, now - _KEPT)
            if not rows.claim(tx, digest, now):
                raise Unauthenticated("This proof has been used before.")
