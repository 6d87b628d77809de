"""Time-based one-time passwords (RFC 6238): six digits, half a minute each."""

import base64
import binascii
import hashlib
import hmac
import os
import struct
from collections.abc import Callable, Iterable

from appliance.db.records import Record
from appliance.errors import Invalid
from appliance.identity.compliance import Compliance
from appliance.identity.ledger import Ledger
from appliance.identity.methods import Proof, account_of, find_user
from appliance.identity.scopes import Scopes
from appliance.identity.throttle import PASSCODE_WEIGHT, Attempt
from appliance.values import Micros

_STEP = 30 * 1_000_000
_WINDOWS = (0, 1)
"""The current half minute and the one before are accepted."""

_DECOY = base64.b32encode(os.urandom(20)).decode()

Seeds = Callable[[str], Iterable[str]]
"""The base32 seeds that a user keeps."""


class TotpMethod:
    """A passcode made from a seed that the user keeps here as a credential of type `totp`."""

    def __init__(self, ledger: Ledger, scopes: Scopes, compliance: Compliance, seeds: Seeds) -> None:
        self._seeds = seeds
        self._ledger = ledger
        self._scopes = scopes
        self._compliance = compliance

    def __call__(self, shown: Record, attempt: Attempt) -> Proof:
        if not isinstance(shown.get("user"), dict) or not isinstance(shown["user"].get("passcode"), str):
            raise Invalid("Expecting to find user and passcode in totp.")
        user = find_user(self._ledger, self._scopes, shown["user"])
        attempt.on(account_of(self._scopes, shown["user"], user), PASSCODE_WEIGHT)
        # Who has no seed, or does not exist, costs as much as who has one.
        seeds = list(self._seeds(user["id"] if user is not None else "")) or [_DECOY]
        now = self._ledger.clock()
        expected = [passcode(seed, now - back * _STEP) for seed in seeds for back in _WINDOWS]
        given = shown["user"]["passcode"].encode()
        right = any(code is not None and hmac.compare_digest(code.encode(), given) for code in expected)
        return Proof(self._compliance.admitted(user, right=right)["id"], ("totp",))


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
