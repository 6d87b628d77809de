"""Multi-factor rules, and receipts: proof of the methods that have succeeded when others are still missing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from appliance.db.records import Record
from appliance.errors import Unauthenticated
from appliance.identity.claims import SECOND
from appliance.identity.keyring import Keyring
from appliance.identity.ledger import Ledger
from appliance.identity.revocations import Revocations
from appliance.values import Micros

_MARK = "appliance_receipt"


@dataclass(frozen=True, slots=True)
class Receipt:
    text: str
    user_id: str
    methods: tuple[str, ...]
    issued_at: Micros
    expires_at: Micros


class MethodsMissing(Unauthenticated):
    """What was shown is right but not enough. The receipt stands for it when the rest is shown."""

    def __init__(self, receipt: Receipt, required: list[list[str]]) -> None:
        super().__init__("More authentication methods are required.")
        self.receipt = receipt
        self.required = required


class Receipts:
    """Issues and checks receipts. They are signed as tokens are, but can't be taken for one, nor one for them."""

    def __init__(self, ledger: Ledger, keyring: Keyring, revocations: Revocations, lifetime: int) -> None:
        self._ledger = ledger
        self._keyring = keyring
        self._revocations = revocations
        self._lifetime = lifetime * SECOND

    def issue(self, user_id: str, methods: Iterable[str]) -> Receipt:
        now = self._ledger.clock()
        expires_at = (now + self._lifetime) // SECOND * SECOND
        names = tuple(methods)
        claims: dict[str, Any] = {
            "sub": user_id,
            "iat": now // SECOND,
            "exp": expires_at // SECOND,
            "openstack_methods": list(names),
            _MARK: now,
        }
        return Receipt(self._keyring.sign(claims), user_id, names, now, expires_at)

    def methods(self, text: str, user_id: str) -> tuple[str, ...]:
        """The methods that a receipt of this user stands for. Raises `Unauthenticated`."""
        claims = self._keyring.verify(text)
        issued_at = claims.get(_MARK)
        if not isinstance(issued_at, int) or claims.get("sub") != user_id:
            raise Unauthenticated("This is no receipt of the user.")
        if claims["exp"] * SECOND <= self._ledger.clock():
            raise Unauthenticated("The receipt has expired.")
        if self._revocations.covers([("user", user_id)], issued_at):
            raise Unauthenticated("The receipt was revoked.")
        return tuple(claims["openstack_methods"])


def rules_of(user: Record) -> list[list[str]]:
    """The sets of methods of which one is required; empty if none is."""
    options = user["options"]
    enabled = options.get("multi_factor_auth_enabled")
    return [] if enabled is False else list(options.get("multi_factor_auth_rules") or [])


def satisfied(rules: list[list[str]], methods: set[str], known: set[str]) -> bool:
    """Whether the methods meet one of the rules. Unknown methods don't count, so that nobody is locked out."""
    usable = [set(rule) & known for rule in rules if set(rule) & known]
    return not usable or any(rule <= methods for rule in usable)
