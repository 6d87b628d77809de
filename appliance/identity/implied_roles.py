"""Which role implies which: whoever has the prior role has the implied one too."""

from appliance.db import roles as rows
from appliance.errors import Forbidden, NotFound
from appliance.identity.ledger import Ledger
from appliance.identity.roles import Roles

PROHIBITED = frozenset({"admin"})
"""Names of roles that nothing may imply."""


class ImpliedRoles:
    def __init__(self, ledger: Ledger, roles: Roles) -> None:
        self._ledger = ledger
        self._roles = roles

    def every(self) -> list[tuple[str, str]]:
        """Every (prior role, implied role)."""
        return rows.implications(self._ledger.db)

    def of(self, role_id: str) -> list[str]:
        """What a role implies directly."""
        return [implied for prior, implied in self.every() if prior == role_id]

    def require(self, prior_id: str, implied_id: str) -> None:
        """Raise `NotFound` unless both roles exist and the one implies the other."""
        self._roles.get(prior_id)
        self._roles.get(implied_id)
        if implied_id not in self.of(prior_id):
            raise NotFound(f"{prior_id} does not imply {implied_id}.")

    def create(self, prior_id: str, implied_id: str) -> None:
        """Idempotent. Circles are allowed, as in Keystone, and add nothing."""
        prior, implied = self._roles.get(prior_id), self._roles.get(implied_id)
        if implied["name"] in PROHIBITED:
            raise Forbidden(f"Role {implied_id} can't be implied by another one.")
        if implied["domain_id"] is not None and prior["domain_id"] is None:
            raise Forbidden("A global role can't imply one of a domain.")
        with self._ledger.write() as tx:
            rows.imply(tx, prior_id, implied_id)

    def delete(self, prior_id: str, implied_id: str) -> None:
        self.require(prior_id, implied_id)
        with self._ledger.write() as tx:
            rows.no_longer_imply(tx, prior_id, implied_id)
