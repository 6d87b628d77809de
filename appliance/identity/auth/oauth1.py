"""Logging in by OAuth 1.0a: a request that is signed with the secrets of a consumer and of its access token."""

import importlib
from dataclasses import dataclass
from typing import Any

from appliance.db.records import Record
from appliance.errors import Invalid
from appliance.identity.auth.methods import Proof
from appliance.identity.auth.throttle import Attempt
from appliance.identity.auth.totp import Once
from appliance.identity.lookup import Lookup
from appliance.identity.resources.oauth1 import Consumers, OAuthTokens

METHOD = "oauth1"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What of a POST is signed: its URL as the client used it, and the `Authorization` header. Not its body."""

    url: str
    authorization: str
    parameters: dict[str, str]
    """The parameters of the header."""

    def parameter(self, name: str) -> str:
        """Raises `Invalid` if the header has no such parameter."""
        if not self.parameters.get(name):
            raise Invalid(f"Expecting to find {name} in request.")
        return self.parameters[name]


class Signatures:
    """Checks signatures with oauthlib, which is loaded when the first one comes. Each is good once."""

    def __init__(self, consumers: Consumers, tokens: OAuthTokens, once: Once) -> None:
        self._consumers = consumers
        self._tokens = tokens
        self._once = once

    def read(self, url: str, authorization: str | None) -> SignedRequest:
        """Raises `Invalid` for a header that is none of OAuth."""
        return SignedRequest(url, authorization or "", self._checks().parameters(authorization or ""))

    def of_consumer(self, request: SignedRequest) -> None:
        """Raise `Unauthenticated` unless the consumer has signed it, `Invalid` for what is no OAuth request."""
        self._checked("consumer", request)

    def of_request_token(self, request: SignedRequest) -> None:
        """The same for a request that is signed with an authorized request token's secret, too."""
        self._checked("request", request)

    def of_access_token(self, request: SignedRequest) -> None:
        """The same for one signed with an access token's secret."""
        self._checked("access", request)

    def _checked(self, kind: str, request: SignedRequest) -> None:
        self._checks().check(kind, request, self._consumers, self._tokens)
        names = ("oauth_consumer_key", "oauth_token", "oauth_timestamp", "oauth_nonce")
        self._once.claim(METHOD, *(request.parameters.get(name) for name in names))

    def _checks(self) -> Any:
        return importlib.import_module("appliance.identity.auth.oauth1_signatures")


class OAuth1Method:
    """A request signed with an access token: its user, on its project, with its roles. Another scope is not had."""

    def __init__(self, signatures: Signatures, tokens: OAuthTokens) -> None:
        self._signatures = signatures
        self._tokens = tokens

    def __call__(self, shown: Record, attempt: Attempt, lookup: Lookup) -> Proof:
        request = shown.get("request")
        if not isinstance(request, SignedRequest):
            raise Invalid("Expecting to find a signed request.")
        token_id = request.parameter("oauth_token")
        attempt.on(f"access token {token_id}")
        attempt.check()
        self._signatures.of_access_token(request)
        access = self._tokens.usable(token_id)
        return Proof(access.authorizing_user_id, (METHOD,), access_token=access)
