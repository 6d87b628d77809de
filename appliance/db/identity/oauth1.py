"""Rows of OAuth 1.0a: consumers, and the request and access tokens that they were given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.records import Table, read
from appliance.values import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    id: str
    description: str | None = None
    secret: str
    extra: Mapping[str, Any] = field(default_factory=dict)


CONSUMERS = Table("consumers", Consumer)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestToken:
    """What a consumer asks a user to authorize. `role_ids` are separated by commas."""

    id: str
    consumer_id: str
    project_id: str
    sealed_secret: str
    verifier: str | None = None
    authorizing_user_id: str | None = None
    role_ids: str = ""
    expires_at: Micros | None = None


REQUEST_TOKENS = Table("oauth_request_tokens", RequestToken)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What a consumer acts by: for a user, on a project, with some of the user's roles."""

    id: str
    consumer_id: str
    project_id: str
    sealed_secret: str
    authorizing_user_id: str
    role_ids: str
    expires_at: Micros | None = None


ACCESS_TOKENS = Table("oauth_access_tokens", AccessToken)


def authorize(tx: Tx, token_id: str, user_id: str, role_ids: str, verifier: str) -> bool:
    """Whether there was such a request token."""
    row = tx.row(
        "UPDATE oauth_request_tokens SET authorizing_user_id = ?, role_ids = ?, verifier = ? WHERE id = ? RETURNING id",
        (user_id, role_ids, verifier, token_id),
    )
    return row is not None


def take_request_token(tx: Tx, token_id: str) -> RequestToken | None:
    """Use a request token up: of two who try, one gets it."""
    row = tx.row("DELETE FROM oauth_request_tokens WHERE id = ? RETURNING *", (token_id,))
    return None if row is None else read(REQUEST_TOKENS, row)


def forget_expired(tx: Tx, now: Micros) -> None:
    tx.execute("DELETE FROM oauth_request_tokens WHERE expires_at <= ?", (now,))
    tx.execute("DELETE FROM oauth_access_tokens WHERE expires_at <= ?", (now,))
