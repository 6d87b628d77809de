"""Multi-factor rules, and receipts: proof of the methods that have succeeded when others are still missing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from appliance.db.records import Record
from appliance.errors import Unauthenticated
from appliance.identity.claims import SECOND
from appliance.identity.keyring import Keyring
from appliance.identity.ledger import Ledger
from appliance.identity.once import Once
from appliance.identity.revocations import Revocations
from appliance.identity.stamps import Stamps
from appliance.values import Micros

METHODS = frozenset({"password", "token", "totp", "application_credential", "ec2credential"})
"""The methods that the appliance has, switched on or not."""

_MARK = "appliance_receipt"


@dataclass(frozen=True, slots=True)
class Receipt:
    text: str
    user_id: str
    methods: tuple[str, ...]
    issued_at: Micros
    expires_at: Micros
    stamp: Micros
    """No two receipts have the same."""


class MethodsMissing(Unauthenticated):
    """What was shown is right but not enough. The receipt stands for it when the rest is shown."""

    def __init__(self, receipt: Receipt, required: list[list[str]]) -> None:
        super().__init__("More authentication methods are required.")
        self.receipt = receipt
        self.required = required


class Receipts:
    """Issues and checks receipts. They are signed as tokens are, but can't be taken for one, nor one for them."""

    def __init__(
        self, ledger: Ledger, keyring: Keyring, revocations: Revocations, stamps: Stamps, once: Once, lifetime: int
    ) -> None:
        self._ledger = ledger
        self._stamps = stamps
        self._once = once
        self._keyring = keyring
        self._revocations = revocations
        self._lifetime = lifetime * SECOND

    def issue(self, user_id: str, methods: Iterable[str]) -> Receipt:
        now = self._ledger.clock() // SECOND * SECOND
        expires_at = now + self._lifetime
        stamp = self._stamps.of_token()
        names = tuple(methods)
        claims: dict[str, Any] = {
            "sub": user_id,
            "iat": now // SECOND,
            "exp": expires_at // SECOND,
            "openstack_methods": list(names),
            _MARK: stamp,
        }
        return Receipt(self._keyring.sign(claims), user_id, names, now, expires_at, stamp)

    def read(self, text: str, user_id: str) -> Receipt:
        """A receipt of this user. Raises `Unauthenticated`."""
        claims = self._keyring.verify(text)
        stamp = claims.get(_MARK)
        if not isinstance(stamp, int) or claims.get("sub") != user_id:
            raise Unauthenticated("This is no receipt of the user.")
        expires_at = claims["exp"] * SECOND
        if expires_at <= self._ledger.clock():
            raise Unauthenticated("The receipt has expired.")
        if self._revocations.covers([("user", user_id)], stamp):
            raise Unauthenticated("The receipt was revoked.")
        methods = tuple(claims["openstack_methods"])
        return Receipt(text, user_id, methods, claims["iat"] * SECOND, expires_at, stamp)

    def redeem(self, receipt: Receipt) -> None:
        """Use a receipt up. Raises `Unauthenticated` if it has been."""
        # By its stamp: another text can carry the same signature.
        self._once.claim("receipt", receipt.user_id, receipt.stamp)


def rules_of(user: Record) -> list[list[str]]:
    """The sets of methods of which one is required; empty if none is."""
    options = user["options"]
    enabled = options.get("multi_factor_auth_enabled")
    return [] if enabled is False else list(options.get("multi_factor_auth_rules") or [])


def satisfied(rules: list[list[str]], methods: set[str]) -> bool:
    """Whether the methods meet one of the rules. Methods that nobody knows don't count, so that nobody is locked out;
    one that is only switched off does: it was meant to be shown."""
    usable = [set(rule) & METHODS for rule in rules if set(rule) & METHODS]
    return not usable or any(rule <= methods for rule in usable)
