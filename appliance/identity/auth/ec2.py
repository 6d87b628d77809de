"""Signatures of Amazon's APIs (EC2 and S3), and the tokens that they are exchanged for."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

from appliance.db.identity.delegation import TRUSTS
from appliance.db.records import Record, find
from appliance.errors import Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from appliance.identity.auth.throttle import SIGNATURE_WEIGHT, Throttle
from appliance.identity.lookup import Lookup
from appliance.identity.resources.credentials import Ec2Credentials, Ec2Pair
from appliance.identity.resources.trusts import Trusts
from appliance.identity.store import IdentityStore
from appliance.identity.tokens.token import SECOND, Token
from appliance.identity.tokens.tokens import Tokens
from appliance.values import Micros, current_client, parse_time

_V4 = "AWS4-HMAC-SHA256"
_S3_SERVICES = ("s3", "iam", "sts")
_STRIPS_PORT = re.compile(r"Boto/2\.[0-9]\.[0-2]")
"""Old Boto signs the host without its port."""


def check_ec2(secret: str, shown: dict[str, Any]) -> None:
    """Raise `Unauthenticated` unless the signature is that of the request."""
    signature = shown.get("signature")
    if not isinstance(signature, str) or not signature:
        raise Unauthenticated("EC2 signature not supplied.")
    try:
        expected = [_ec2(secret, {**shown, "host": host}) for host in _hosts(shown)]
        right = any(hmac.compare_digest(one.encode(), signature.encode()) for one in expected)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Unauthenticated("The signed request is malformed.") from error
    if not right:
        raise Unauthenticated("Invalid EC2 signature.")


def check_s3(secret: str, shown: dict[str, Any]) -> None:
    """Raise `Unauthenticated` unless the signature is that of the string to sign in `token`."""
    try:
        signed = base64.urlsafe_b64decode(shown["token"])
        expected = _s3_v4(secret, signed) if signed[:4] == b"AWS4" else _mac_base64(secret, signed, "sha1")
        right = hmac.compare_digest(expected.encode(), shown["signature"].encode())
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, binascii.Error) as error:
        raise Unauthenticated("The signed request is malformed.") from error
    if not right:
        raise Unauthenticated("Credential signature mismatch")


def _hosts(shown: dict[str, Any]) -> list[str | None]:
    """The host as reported and, since not every client signs the port, without it."""
    host = shown.get("host")
    if not isinstance(host, str) or ":" not in host:
        return [host]
    return [host, urlsplit(f"//{host}").hostname]


def _ec2(secret: str, shown: dict[str, Any]) -> str:
    parameters = shown["params"]
    version = parameters.get("SignatureVersion")
    if version in _OLD:
        return _OLD[version](secret, shown)
    if version is None and _is_v4(shown):
        return _version_4(secret, shown)
    raise ValueError("unknown signature version")


def _version_0(secret: str, shown: dict[str, Any]) -> str:
    parameters = shown["params"]
    return _mac_base64(secret, (parameters["Action"] + parameters["Timestamp"]).encode(), "sha1")


def _version_1(secret: str, shown: dict[str, Any]) -> str:
    parameters = shown["params"]
    text = "".join(f"{key}{parameters[key]}" for key in sorted(parameters, key=str.lower))
    return _mac_base64(secret, text.encode(), "sha1")


def _version_2(secret: str, shown: dict[str, Any]) -> str:
    query = _canonical_query({**shown["params"], "SignatureMethod": "HmacSHA256"})
    text = "\n".join((shown["verb"], shown["host"], shown["path"], query))
    return _mac_base64(secret, text.encode(), "sha256")


_OLD: dict[str, Callable[[str, dict[str, Any]], str]] = {"0": _version_0, "1": _version_1, "2": _version_2}


def _is_v4(shown: dict[str, Any]) -> bool:
    authorization = shown.get("headers", {}).get("Authorization", "")
    return bool(authorization.startswith(_V4)) or shown["params"].get("X-Amz-Algorithm") == _V4


def _version_4(secret: str, shown: dict[str, Any]) -> str:
    headers, parameters, verb = shown.get("headers", {}), shown["params"], shown["verb"].upper()
    signed_headers = _v4_part(shown, "SignedHeaders")
    request = "\n".join(
        (
            verb,
            shown["path"],
            _canonical_query(parameters) if verb != "POST" else "",
            _canonical_headers(headers, signed_headers),
            signed_headers,
            shown["body_hash"],
        )
    )
    _, day, region, service, *_ = _v4_part(shown, "Credential").split("/")
    date = headers.get("X-Amz-Date") or parameters["X-Amz-Date"]
    if not date.startswith(day):
        raise ValueError("the dates differ")
    credential_scope = _v4_part(shown, "Credential").partition("/")[2]
    text = "\n".join((_V4, date, credential_scope, hashlib.sha256(request.encode()).hexdigest()))
    return hmac.digest(_v4_key(secret, day, region, service), text.encode(), "sha256").hex()


def _v4_part(shown: dict[str, Any], name: str) -> str:
    """One part of the authorization: of the header `Authorization`, else a parameter `X-Amz-…`."""
    authorization = shown.get("headers", {}).get("Authorization")
    if authorization is None:
        return str(shown["params"][f"X-Amz-{name}"])
    return str(authorization.partition(f"{name}=")[2].split(",")[0])


def _canonical_headers(headers: dict[str, str], signed_headers: str) -> str:
    lower = {name.lower().strip(): value.strip() for name, value in headers.items()}
    if _STRIPS_PORT.match(lower.get("user-agent", "")) and "host" in lower:
        lower["host"] = lower["host"].split(":")[0]
    lines = [f"{name}:{lower[name]}" for name in signed_headers.split(";") if name in lower]
    return "\n".join(lines) + "\n"


def _canonical_query(parameters: dict[str, Any]) -> str:
    return "&".join(f"{quote(key, safe='')}={quote(str(parameters[key]), safe='-_~')}" for key in sorted(parameters))


def _s3_v4(secret: str, signed: bytes) -> str:
    algorithm, _, credential_scope, _ = signed.decode().split("\n")
    day, region, service, end = credential_scope.split("/")
    if algorithm != _V4 or end != "aws4_request" or service not in _S3_SERVICES:
        raise ValueError("not a string to sign")
    return hmac.digest(_v4_key(secret, day, region, service), signed, "sha256").hex()


def _v4_key(secret: str, *parts: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (*parts, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _mac_base64(secret: str, text: bytes, digest: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text, digest)).decode()


METHOD = "ec2credential"
_VALID_SECONDS = 900
_WRAPPERS = ("credentials", "credential", "ec2Credentials")

Check = Callable[[str, dict[str, Any]], None]
"""Takes the secret and what the service reports; raises `Unauthenticated` unless the signature is right."""


class Ec2Authentication:
    def __init__(
        self,
        store: IdentityStore,
        credentials: Ec2Credentials,
        tokens: Tokens,
        trusts: Trusts,
        throttle: Throttle,
        *,
        enabled: bool,
    ) -> None:
        self._throttle = throttle
        self._store = store
        self._trusts = trusts
        self._credentials = credentials
        self._tokens = tokens
        self._enabled = enabled

    def authenticate(self, body: Record, check: Check) -> Token:
        """Issue a token for the owner of the access key on the credential's project.

        Raises `NotFound` for an access key that is not known, `Unauthenticated` for a wrong or outdated signature.
        """
        if not self._enabled:
            raise Unavailable("Cannot mint a token from an EC2 or S3 credential: ec2credential is not in auth_methods.")
        if not body:
            raise Invalid("request must include a request body")
        shown: Any = next((body[name] for name in _WRAPPERS if body.get(name)), None)
        access = shown.get("access") if isinstance(shown, dict) else None
        if not isinstance(access, str):
            raise Unauthenticated("EC2 Signature not supplied")
        stamp = self._tokens.stamp()
        with self._throttle.attempt(current_client.get().address, many_behind=True) as attempt:
            attempt.on(f"EC2 {access}", SIGNATURE_WEIGHT)
            try:
                credential = self._credentials.get(access)
            except NotFound as error:
                raise NotFound("EC2 access key not found.") from error
            if not isinstance(credential.secret, str) or not credential.secret:
                raise Unauthenticated("The credential has no secret that could have signed anything.")
            check(credential.secret, shown)
        self._check_age(shown)
        token = self._issue(credential, stamp)
        attempt.succeeded()
        return token

    def _check_age(self, shown: dict[str, Any]) -> None:
        parameters, headers = _object(shown.get("params")), _object(shown.get("headers"))
        text = parameters.get("Timestamp") or headers.get("X-Amz-Date") or parameters.get("X-Amz-Date")
        if not text:
            return
        try:
            made_at = parse_time(str(text))
        except (ValueError, OverflowError) as error:
            raise Unauthenticated("The timestamp is invalid.") from error
        if self._store.clock() > made_at + _VALID_SECONDS * SECOND:
            raise Unauthenticated("The signed request is too old.")

    def _issue(self, credential: Ec2Pair, stamp: Micros) -> Token:
        try:
            self._credentials.check_delegation(credential)
        except Forbidden as error:
            raise Unauthenticated(str(error)) from error
        trust_id, user_id = credential.trust_id, credential.user_id
        trust = find(self._store.db, TRUSTS, trust_id) if trust_id is not None else None
        if trust is not None:
            user_id = trust.trustee_user_id
        claims = replace(
            self._tokens.claims(user_id, (METHOD,), stamp),
            project_id=credential.tenant_id,
            trust_id=trust_id,
            application_credential_id=credential.app_cred_id,
        )
        token = self._tokens.issue(Lookup(self._store), claims)
        if trust is not None:
            self._trusts.consume(trust.id)
        return token


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
