"""The signatures of Amazon's EC2 and S3 requests, computed from what a service reports of a request it received.

Versions 0, 1, 2 and 4 of EC2 requests, and the two forms of S3's string to sign. Everything that can't be read is
`Unauthenticated`: a request that can't be understood is signed by nobody.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from appliance.errors import Unauthenticated

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
