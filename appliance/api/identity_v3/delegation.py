"""What a token that acts in someone's name may do with credentials: nothing outside its own project."""

from appliance.errors import Forbidden
from appliance.identity.token import Token


def refuse_restricted(token: Token) -> None:
    """Raise `Forbidden` for the token of a restricted application credential: it makes no further credentials."""
    credential = token.application_credential
    if credential is not None and not credential.unrestricted:
        raise Forbidden("Using method 'application_credential' is not allowed for managing additional credentials.")


def refuse_other_project(token: Token, project_id: str | None) -> None:
    """Raise `Forbidden` for a delegated token and a credential of another project."""
    if not within_delegation(token, project_id):
        raise Forbidden("Credential project does not match the project scope of the delegated token")


def within_delegation(token: Token, project_id: str | None) -> bool:
    return not token.delegated or token.project_id == project_id


def delegation(token: Token) -> dict[str, str]:
    """What an EC2 credential remembers of the token that makes it."""
    found = {}
    if token.trust is not None:
        found["trust_id"] = token.trust.id
    if token.application_credential is not None:
        found["app_cred_id"] = token.application_credential.id
    return found
