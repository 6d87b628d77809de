"""What a token that acts in someone's name may do with that someone's log-in secrets: nothing.

Such a token was handed out with some rights on one project, until some day. A secret that it read or made would be good
for everything, for ever. So Keystone has it for credentials and trusts since its release 30; application credentials
that say `unrestricted` make others of their kind, within what they may do themselves.
"""

from appliance.errors import Forbidden
from appliance.identity.token import Token

_APPLICATION_CREDENTIAL = "application_credential"


def refuse_delegated(token: Token) -> None:
    """Raise `Forbidden` for credentials of every kind: EC2 keys, TOTP seeds, certificates."""
    if token.delegated:
        raise Forbidden("Delegated tokens cannot access credentials directly")


def refuse_for_trusts(token: Token) -> None:
    """Raise `Forbidden` for all but a user's own log-in and a trust, which may be handed on."""
    if token.delegated_by_method:
        raise Forbidden("Delegated tokens cannot manage trusts.")


def refuse_for_application_credentials(token: Token) -> None:
    """Raise `Forbidden` for tokens of trusts and of signed requests."""
    if token.trust is None and _APPLICATION_CREDENTIAL in token.methods:
        return
    if token.delegated:
        raise Forbidden("Cannot manage application credentials with a token issued via delegation.")


def refuse_restricted(token: Token) -> None:
    """Raise `Forbidden` for the token of an application credential that may not make or remove others."""
    credential = token.application_credential
    if credential is not None and not credential.unrestricted:
        raise Forbidden(
            "Using method 'application_credential' is not allowed for managing additional application credentials."
        )


def refuse_own_log_in(token: Token, user_id: str) -> None:
    """Raise `Forbidden` for a delegated token that would change how its own user logs in."""
    if token.delegated and user_id in (token.user.id, token.authenticated_user_id):
        raise Forbidden("Delegated tokens cannot change how their user logs in.")
