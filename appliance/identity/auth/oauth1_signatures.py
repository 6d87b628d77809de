"""The checks of OAuth 1.0a that oauthlib makes: form, age and signature of a request. Loaded by the first of them."""

import hmac
import secrets
import time
from typing import Any

from oauthlib import oauth1
from oauthlib.common import extract_params
from oauthlib.oauth1.rfc5849.utils import parse_authorization_header

from appliance.errors import Invalid, NotFound, Unauthenticated
from appliance.identity.auth.oauth1 import SignedRequest
from appliance.identity.resources.oauth1 import Consumers, OAuthTokens

_IDS = frozenset("0123456789abcdef")
_ID_LENGTH = 32
_NOBODY = "0" * _ID_LENGTH
_MOST_AHEAD = 600


def parameters(authorization: str) -> dict[str, str]:
    """Those of an `Authorization` header. Raises `Invalid`."""
    try:
        return dict(parse_authorization_header(authorization))
    except ValueError as error:
        raise Invalid("The Authorization header is none of OAuth.") from error


def check(kind: str, request: SignedRequest, consumers: Consumers, tokens: OAuthTokens) -> None:
    """Raise `Unauthenticated` unless the signature is right, `Invalid` for what is no OAuth request."""
    validator = _Validator(consumers, tokens)
    headers = {"Authorization": request.authorization}
    if kind == "access":
        endpoint = oauth1.ResourceEndpoint(validator)
        right, _ = endpoint.validate_protected_resource_request(request.url, "POST", None, headers, None)
        if not right:
            raise Unauthenticated("Could not validate the access token")
        return
    if kind == "consumer":
        endpoint = oauth1.RequestTokenEndpoint(validator)
        _, body, _ = endpoint.create_request_token_response(request.url, "POST", None, headers)
    else:
        endpoint = oauth1.AccessTokenEndpoint(validator)
        _, body, _ = endpoint.create_access_token_response(request.url, "POST", None, headers)
    if not body:
        raise Unauthenticated("Invalid signature")
    _refuse_errors(body)


def _refuse_errors(body: str) -> None:
    """oauthlib tells what is malformed in the response that it would give."""
    told = dict(extract_params(body))
    if "error" in told:
        raise Invalid(
            f"Validation failed with errors: {told['error']}, detail message is: {told.get('error_description')}."
        )


def _is_id(text: str) -> bool:
    return len(text) == _ID_LENGTH and _IDS.issuperset(text)


class _Validator(oauth1.RequestValidator):  # type: ignore[misc]
    """Answers oauthlib's questions. Who is not there has a secret that nobody knows, so that all takes as long."""

    enforce_ssl = False
    # Not PLAINTEXT, which is the secrets themselves, and not RSA, for which consumers have no keys.
    allowed_signature_methods = (
        oauth1.SIGNATURE_HMAC_SHA1,
        oauth1.SIGNATURE_HMAC_SHA256,
        oauth1.SIGNATURE_HMAC_SHA512,
    )
    timestamp_lifetime = _MOST_AHEAD
    dummy_client = _NOBODY
    dummy_request_token = _NOBODY
    dummy_access_token = _NOBODY

    def __init__(self, consumers: Consumers, tokens: OAuthTokens) -> None:
        super().__init__()
        self._consumers = consumers
        self._tokens = tokens

    # -- form

    def check_client_key(self, client_key: str) -> bool:
        return _is_id(client_key)

    def check_request_token(self, request_token: str) -> bool:
        return _is_id(request_token)

    def check_access_token(self, access_token: str) -> bool:
        return _is_id(access_token)

    def check_nonce(self, nonce: str) -> bool:
        return _IDS.issuperset(nonce)

    def check_verifier(self, verifier: str) -> bool:
        return len(verifier) == 8 and verifier.isalnum()

    # -- who is there

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return self._secret_of_consumer(client_key) is not None

    def validate_request_token(self, client_key: str, token: str, request: Any) -> bool:
        try:
            return self._tokens.requested(token).consumer_id == client_key
        except (NotFound, Unauthenticated):
            return False

    def validate_access_token(self, client_key: str, token: str, request: Any) -> bool:
        try:
            return self._tokens.usable(token).consumer_id == client_key
        except Unauthenticated:
            return False

    def validate_verifier(self, client_key: str, token: str, verifier: str, request: Any) -> bool:
        try:
            expected = self._tokens.requested(token).verifier
        except (NotFound, Unauthenticated):
            return False
        return expected is not None and hmac.compare_digest(expected, verifier)

    # -- secrets

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return self._secret_of_consumer(client_key) or secrets.token_hex(16)

    def get_request_token_secret(self, client_key: str, token: str, request: Any) -> str:
        try:
            return self._tokens.secret_of(self._tokens.requested(token))
        except (NotFound, Unauthenticated):
            return secrets.token_hex(16)

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        try:
            return self._tokens.secret_of(self._tokens.usable(token))
        except Unauthenticated:
            return secrets.token_hex(16)

    def _secret_of_consumer(self, consumer_id: str) -> str | None:
        try:
            return self._consumers.get(consumer_id).secret
        except NotFound:
            return None

    # -- what Keystone has no use for, nor we

    def validate_timestamp_and_nonce(self, client_key: str, timestamp: str, *_: Any, **__: Any) -> bool:
        # oauthlib has looked at the age; whether it came before is looked at when the signature is known to be right.
        return abs(time.time() - int(timestamp)) <= _MOST_AHEAD

    def validate_redirect_uri(self, client_key: str, redirect_uri: str, request: Any) -> bool:
        return True

    def validate_requested_realms(self, client_key: str, realms: Any, request: Any) -> bool:
        return True

    def validate_realms(self, client_key: str, token: str, request: Any, uri: Any = None, realms: Any = None) -> bool:
        return True

    def get_default_realms(self, client_key: str, request: Any) -> list[str]:
        return []

    def get_realms(self, token: str, request: Any) -> list[str]:
        return []

    def get_redirect_uri(self, token: str, request: Any) -> str:
        return "oob"

    def invalidate_request_token(self, client_key: str, request_token: str, request: Any) -> None:
        """The exchange uses it up."""

    def save_request_token(self, token: Any, request: Any) -> None:
        """The tokens are ours, not oauthlib's."""

    def save_access_token(self, token: Any, request: Any) -> None:
        """The same."""
