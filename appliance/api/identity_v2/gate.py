"""Who asks: the holder of a token, or of the operator's bootstrap token; and whether that is an admin."""

import hmac
import ipaddress
from dataclasses import dataclass
from typing import Any

from appliance.api.exchange import Request
from appliance.api.service import ANY_TOKEN
from appliance.errors import Forbidden, Unauthenticated, WrongUsage
from appliance.identity.policy import SYSTEM_OR_PROJECT, Target, scope_of
from appliance.identity.rules import LEGACY
from appliance.identity.service import Identity
from appliance.identity.token import Token
from appliance.settings import Settings

_THROUGH_A_PROXY = ("x-forwarded-for", "forwarded", "via")


@dataclass(frozen=True, slots=True)
class Visitor:
    """The caller of a request. Without a token it is whoever has the bootstrap token: an admin who is no user."""

    token: Token | None

    @property
    def is_admin(self) -> bool:
        if self.token is None:
            return True
        return self.token.has_role("admin") and scope_of(self.token) in SYSTEM_OR_PROJECT

    def require_token(self) -> Token:
        """The token. Raises `Unauthenticated` for the bootstrap token, which stands for no user."""
        if self.token is None:
            raise Unauthenticated("The bootstrap token stands for no user.")
        return self.token


class Gate:
    """Makes a visitor of what a request shows. The bootstrap token is only known to the admin's half."""

    def __init__(self, identity: Identity, settings: Settings, *, for_admins: bool) -> None:
        self._identity = identity
        self._secret = settings.admin_token.encode() if for_admins else b""
        try:
            self._networks = [ipaddress.ip_network(one, strict=False) for one in settings.admin_token_networks]
        except ValueError as error:
            raise WrongUsage(f"admin_token_networks: {error}") from error

    def visitor(self, request: Request[Any]) -> Visitor:
        """Who sends the request. Raises `Unauthenticated`."""
        text = request.header("x-auth-token")
        if not text:
            raise Unauthenticated("There is no token in the request.")
        if self._secret and hmac.compare_digest(text.encode(), self._secret):
            self._check_place(request)
            return Visitor(None)
        token = self._identity.tokens.validate(text)
        self._identity.check_access(token, "identity", request.method, request.path)
        return Visitor(token)

    def authorize(self, visitor: Visitor, policy: str, target: Target) -> None:
        """Raise `Forbidden` unless the policy lets the visitor in. The bootstrap token may do everything."""
        if visitor.token is None or policy == ANY_TOKEN or self._identity.allows(visitor.token, policy, target):
            return
        named = "admin_required" if policy in LEGACY else policy
        raise Forbidden(f"You are not authorized to perform the requested action: {named}.")

    def _check_place(self, request: Request[Any]) -> None:
        """The bootstrap token is good from some addresses alone; what a proxy passes on comes from elsewhere."""
        try:
            address = ipaddress.ip_address(request.environ.get("REMOTE_ADDR", ""))
        except ValueError as error:
            raise Unauthenticated("Nobody knows where this comes from.") from error
        passed_on = any(request.header(name) for name in _THROUGH_A_PROXY)
        if (passed_on and address.is_loopback) or not any(address in network for network in self._networks):
            raise Unauthenticated("The bootstrap token is not good from this address.")
