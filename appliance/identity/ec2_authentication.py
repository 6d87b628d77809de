"""Tokens for requests that were signed with an EC2 credential, on behalf of the services that received them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from appliance.db import trusts as trust_rows
from appliance.db.records import Record, find
from appliance.errors import Invalid, NotFound, Unauthenticated
from appliance.identity.claims import SECOND
from appliance.identity.ec2_credentials import Ec2Credentials
from appliance.identity.ledger import Ledger
from appliance.identity.throttle import SIGNATURE_WEIGHT, Throttle
from appliance.identity.token import Token
from appliance.identity.tokens import Tokens
from appliance.values import current_client, parse_time

_VALID_SECONDS = 900
_WRAPPERS = ("credentials", "credential", "ec2Credentials")

Check = Callable[[str, dict[str, Any]], None]
"""Takes the secret and what the service reports; raises `Unauthenticated` unless the signature is right."""


class Ec2Authentication:
    def __init__(self, ledger: Ledger, credentials: Ec2Credentials, tokens: Tokens, throttle: Throttle) -> None:
        self._throttle = throttle
        self._ledger = ledger
        self._credentials = credentials
        self._tokens = tokens

    def authenticate(self, body: Record, check: Check) -> Token:
        """Issue a token for the owner of the access key on the credential's project.

        Raises `NotFound` for an access key that is not known, `Unauthenticated` for a wrong or outdated signature.
        """
        if not body:
            raise Invalid("request must include a request body")
        shown: Any = next((body[name] for name in _WRAPPERS if body.get(name)), None)
        access = shown.get("access") if isinstance(shown, dict) else None
        if not isinstance(access, str):
            raise Unauthenticated("EC2 Signature not supplied")
        with self._throttle.attempt(current_client.get().address, many_behind=True) as attempt:
            attempt.on(f"EC2 {access}", SIGNATURE_WEIGHT)
            try:
                credential = self._credentials.get(access)
            except NotFound as error:
                raise NotFound("EC2 access key not found.") from error
            check(str(credential["secret"] or ""), shown)
        self._check_age(shown)
        token = self._issue(credential)
        attempt.succeeded()
        return token

    def _check_age(self, shown: dict[str, Any]) -> None:
        parameters, headers = _object(shown.get("params")), _object(shown.get("headers"))
        text = parameters.get("Timestamp") or headers.get("X-Amz-Date") or parameters.get("X-Amz-Date")
        if not text:
            return
        try:
            made_at = parse_time(str(text))
        except ValueError as error:
            raise Unauthenticated("The timestamp is invalid.") from error
        if self._ledger.clock() > made_at + _VALID_SECONDS * SECOND:
            raise Unauthenticated("The signed request is too old.")

    def _issue(self, credential: Record) -> Token:
        trust_id, application_credential_id = credential["trust_id"], credential["app_cred_id"]
        user_id = credential["user_id"]
        if trust_id is not None:
            trust = find(self._ledger.db, trust_rows.TRUSTS, trust_id)
            if trust is None:
                raise Unauthenticated("The trust is gone.")
            user_id = trust["trustee_user_id"]
        claims = replace(
            self._tokens.claims(user_id, ("ec2credential",)),
            project_id=credential["tenant_id"],
            trust_id=trust_id,
            application_credential_id=application_credential_id,
        )
        return self._tokens.issue(claims)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
