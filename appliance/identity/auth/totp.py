"""Passcodes that change with time (TOTP), and proofs that are good once."""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Callable, Iterable

from appliance.db.identity import revocations as rows
from appliance.db.records import Record
from appliance.errors import Invalid, Unauthenticated
from appliance.identity.auth.compliance import Compliance
from appliance.identity.auth.methods import Proof, account_of, find_user
from appliance.identity.auth.throttle import PASSCODE_WEIGHT, Attempt
from appliance.identity.lookup import Lookup
from appliance.identity.store import IdentityStore
from appliance.values import Micros


class Once:
    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def claim(self, *proof: object) -> None:
        """Use up the proof that these parts name. Raises `Unauthenticated` if it has been used."""
        digest = hashlib.sha256(" ".join(str(part) for part in proof).encode()).hexdigest()
        # Not a write of the identity store's: nothing that anybody keeps in memory depends on these rows.
        if not self._store.db.transact(lambda tx: rows.claim(tx, digest)):
            raise Unauthenticated("This proof has been used before.")


_STEP = 30 * 1_000_000
_WINDOWS = (0, 1)
"""The current half minute and the one before are accepted, Keystone's default: whoever types needs a while."""

_NO_SEED = base64.b32encode(b"nobody's seed").decode()
"""What a user without a seed is compared with, so that they take as long as others."""


Seeds = Callable[[str], Iterable[str]]
"""The base32 seeds that a user keeps."""


class TotpMethod:
    """A passcode made from a seed that the user keeps here as a credential of type `totp`. Each is good once."""

    def __init__(self, store: IdentityStore, compliance: Compliance, once: Once, seeds: Seeds) -> None:
        self._once = once
        self._seeds = seeds
        self._store = store
        self._compliance = compliance

    def __call__(self, shown: Record, attempt: Attempt, lookup: Lookup) -> Proof:
        if not isinstance(shown.get("user"), dict) or not isinstance(shown["user"].get("passcode"), str):
            raise Invalid("Expecting to find user and passcode in totp.")
        user = find_user(lookup, shown["user"])
        attempt.on(account_of(lookup, shown["user"], user), PASSCODE_WEIGHT)
        seeds = list(self._seeds(user.id if user is not None else ""))
        code = shown["user"]["passcode"]
        window = _matching(seeds or [_NO_SEED], code, self._store.clock() // _STEP)
        admitted = self._compliance.admitted(user, right=bool(seeds) and window is not None)
        self._once.claim("totp", admitted.id, window, code)
        return Proof(admitted.id, ("totp",))


def _matching(seeds: Iterable[str], code: str, window: int) -> int | None:
    """The half minute, this one or the one before, whose passcode this is. Looks at all of them, right or wrong."""
    found = None
    for seed in seeds:
        for at in (window - back for back in _WINDOWS):
            expected = passcode(seed, at * _STEP)
            if hmac.compare_digest((expected or "").encode(), code.encode()) and expected is not None:
                found = at
    return found


def passcode(seed: str, at: Micros) -> str | None:
    """The passcode of a base32 seed at a time; None for a seed that is no base32."""
    try:
        key = base64.b32decode(seed.strip() + "=" * (-len(seed.strip()) % 8))
    except (binascii.Error, ValueError):
        return None
    digest = hmac.digest(key, struct.pack(">Q", at // _STEP), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"
