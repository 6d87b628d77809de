"""What makes an API sound like Keystone v2.0: the authenticator, error responses, and the fields of its documents."""

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.api.http.addresses import AddressBook, merged
from appliance.api.http.cors import Cors
from appliance.api.http.error_responses import identity_error, identity_fault
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import ANY_TOKEN, Route
from appliance.api.identity_v3.schemas import json_object
from appliance.db.records import Page, Record
from appliance.errors import Forbidden, Invalid, Unauthenticated, WrongUsage
from appliance.identity.policy.checks import NOTHING, Target
from appliance.identity.policy.rules import BASE
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token
from appliance.settings import Settings
from appliance.values import whole_number


def document(request: Request[Any], key: str) -> Record:
    """The object under `key` of the body. Raises `Invalid`."""
    found = json_object(request).get(key)
    if not isinstance(found, dict):
        raise Invalid(f"Expecting to find {key} in request body.")
    return found


def text(record: Record, name: str, longest: int = 255) -> str | None:
    """A field that is text, or null, or not there."""
    value = record.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > longest):
        raise Invalid(f"{name} has to be a text of at most {longest} characters.")
    return value


def required(record: Record, name: str, longest: int = 255) -> str:
    """A field that is a text with something in it."""
    value = text(record, name, longest)
    if value is None or not value.strip():
        raise Invalid(f"The {name} field is required and cannot be empty.")
    return value


def switches(record: Record) -> Record:
    """`enabled`, where it is given; it must be true or false."""
    if record.get("enabled") is None:
        return {}
    if not isinstance(record["enabled"], bool):
        raise Invalid("The enabled field should be a boolean.")
    return {"enabled": record["enabled"]}


def same_id(record: Record, wanted: str) -> None:
    """Raise `Invalid` if the body speaks of somebody else than the path."""
    if record.get("id", wanted) != wanted:
        raise Invalid("The id in the body is not the one of the address.")


def page_of(request: Request[Any]) -> Page:
    """`limit` and `marker` of a list."""
    limit = request.arg("limit")
    if limit is None:
        return Page(None, request.arg("marker") or None)
    number = whole_number(limit)
    if number is None:
        raise Invalid("limit must be a whole number that is not negative.")
    return Page(min(number, 2**31), request.arg("marker") or None)


_THROUGH_A_PROXY = ("x-forwarded-for", "forwarded", "via")


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request. Without a token it is whoever has the bootstrap token: an admin who is no user."""

    token: Token | None

    def require_token(self) -> Token:
        """The token. Raises `Unauthenticated` for the bootstrap token, which stands for no user."""
        if self.token is None:
            raise Unauthenticated("The bootstrap token stands for no user.")
        return self.token


class Authenticator:
    """Makes a principal of what a request shows. The bootstrap token is only known to the admin's half."""

    def __init__(self, identity: Identity, settings: Settings, *, for_admins: bool) -> None:
        self._identity = identity
        self._secret = settings.admin_token.encode() if for_admins else b""
        try:
            self._networks = [ipaddress.ip_network(one, strict=False) for one in settings.admin_token_networks]
        except ValueError as error:
            raise WrongUsage(f"admin_token_networks: {error}") from error

    def principal(self, request: Request[Any]) -> Principal:
        """Who sends the request. Raises `Unauthenticated`."""
        text = request.header("x-auth-token")
        if not text:
            raise Unauthenticated("There is no token in the request.")
        if self._secret and hmac.compare_digest(text.encode(), self._secret):
            self._check_place(request)
            return Principal(None)
        token = self._identity.tokens.validate(text)
        self._identity.check_access(token, "identity", request.method, request.path)
        return Principal(token)

    def authorize(self, principal: Principal, policy: str, target: Target) -> None:
        """Raise `Forbidden` unless the policy lets the principal in. The bootstrap token may do everything."""
        if principal.token is None or policy == ANY_TOKEN or self._identity.allows(principal.token, policy, target):
            return
        named = "admin_required" if policy in BASE else policy
        raise Forbidden(f"You are not authorized to perform the requested action: {named}.")

    def _check_place(self, request: Request[Any]) -> None:
        """The bootstrap token is good from some addresses alone; what a proxy passes on comes from elsewhere."""
        try:
            address = ipaddress.ip_address(request.environ.get("REMOTE_ADDR", ""))
        except ValueError as error:
            raise Unauthenticated("The bootstrap token is not good from this address.") from error
        passed_on = any(request.header(name) for name in _THROUGH_A_PROXY)
        if (passed_on and address.is_loopback) or not any(address in network for network in self._networks):
            raise Unauthenticated("The bootstrap token is not good from this address.")


_NOWHERE = "The resource could not be found."


class IdentityV2Dialect:
    """Identity API v2.0. A path or a method that it has not is the same 404."""

    def __init__(self, authenticator: Authenticator, addresses: AddressBook, cors: Cors) -> None:
        self._authenticator = authenticator
        self._addresses = addresses
        self._cors = cors

    def before_routing(self, request: Request[Principal]) -> Response | None:
        request.path = merged(request.path).rstrip("/")
        return self._cors.preflight(request)

    def admit(self, request: Request[Principal], route: Route) -> None:
        if not route.public:
            request.caller = self._authenticator.principal(request)

    def authorize(self, request: Request[Principal], route: Route, parts: Mapping[str, str]) -> None:
        target = NOTHING if route.target is None else route.target(None, request, **parts)
        self._authenticator.authorize(request.caller, route.policies[0], {**parts, **target})

    def fault(self, request: Request[Principal], error: Exception) -> Response:
        return self._challenged(request, identity_fault(error, ""))

    def unrouted(self, request: Request[Principal]) -> Response:
        return identity_error(404, _NOWHERE, "")

    def wrong_method(self, request: Request[Principal], allowed: str) -> Response:
        return identity_error(404, _NOWHERE, "")

    def finish(self, request: Request[Principal], response: Response) -> None:
        response.headers.append(("Vary", "X-Auth-Token"))
        response.headers.append(("x-openstack-request-id", request.id))
        self._cors.finish(request, response)

    def _challenged(self, request: Request[Principal], response: Response) -> Response:
        """The challenge of a 401 names no version here."""
        response.headers = [(name, value) for name, value in response.headers if name != "WWW-Authenticate"]
        if response.status == 401:
            response.headers.append(("WWW-Authenticate", f'Keystone uri="{self._addresses.identity(request)}"'))
        return response
