"""Tokens for requests that were signed with an EC2 credential, on behalf of the services that received them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from appliance.db import trusts as trust_rows
from appliance.db.records import Record, find
from appliance.errors import Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from appliance.identity.claims import SECOND
from appliance.identity.ec2_credentials import Ec2Credentials
from appliance.identity.ledger import Ledger
from appliance.identity.throttle import SIGNATURE_WEIGHT, Throttle
from appliance.identity.token import Token
from appliance.identity.tokens import Tokens
from appliance.identity.trusts import Trusts
from appliance.values import Micros, current_client, parse_time

METHOD = "ec2credential"
_VALID_SECONDS = 900
_WRAPPERS = ("credentials", "credential", "ec2Credentials")

Check = Callable[[str, dict[str, Any]], None]
"""Takes the secret and what the service reports; raises `Unauthenticated` unless the signature is right."""


class Ec2Authentication:
    def __init__(
        self,
        ledger: Ledger,
        credentials: Ec2Credentials,
        tokens: Tokens,
        trusts: Trusts,
        throttle: Throttle,
        *,
        enabled: bool,
    ) -> None:
        self._throttle = throttle
        self._ledger = ledger
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
            if not isinstance(credential["secret"], str) or not credential["secret"]:
                raise Unauthenticated("The credential has no secret that could have signed anything.")
            check(credential["secret"], shown)
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
        if self._ledger.clock() > made_at + _VALID_SECONDS * SECOND:
            raise Unauthenticated("The signed request is too old.")

    def _issue(self, credential: Record, stamp: Micros) -> Token:
        try:
            self._credentials.check_delegation(credential)
        except Forbidden as error:
            raise Unauthenticated(str(error)) from error
        trust_id, user_id = credential["trust_id"], credential["user_id"]
        trust = find(self._ledger.db, trust_rows.TRUSTS, trust_id) if trust_id is not None else None
        if trust is not None:
            user_id = trust["trustee_user_id"]
        claims = replace(
            self._tokens.claims(user_id, (METHOD,), stamp),
            project_id=credential["tenant_id"],
            trust_id=trust_id,
            application_credential_id=credential["app_cred_id"],
        )
        token = self._tokens.issue(claims)
        if trust is not None:
            self._trusts.consume(trust["id"])
        return token


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
