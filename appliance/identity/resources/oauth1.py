"""OAuth 1.0a: consumers, what they ask for, what a user authorizes, and the access that comes of it."""

import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.db.engine.base import Tx
from appliance.db.identity import oauth1 as rows
from appliance.db.identity.oauth1 import ACCESS_TOKENS, CONSUMERS, REQUEST_TOKENS, AccessToken, Consumer, RequestToken
from appliance.db.records import ALL, Filter, Page, Record, delete, find, insert, select, update
from appliance.errors import NotFound, Unauthenticated
from appliance.identity.resources.assignments import Assignments
from appliance.identity.store import IdentityStore, merged, refuse_new_id
from appliance.identity.tokens.keyring import Sealer
from appliance.identity.tokens.token import SECOND, AccessTokenInToken, Claims
from appliance.identity.tokens.tokens import Delegated
from appliance.settings import Settings
from appliance.values import Micros, new_hex_id

_VERIFIER = "".join(sorted(set(string.ascii_letters + string.digits) - set("jiIl1oO0")))
"""What verifiers are made of: what people can tell apart."""
_VERIFIER_LENGTH = 8


class Consumers:
    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def get(self, consumer_id: str) -> Consumer:
        consumer = find(self._store.db, CONSUMERS, consumer_id)
        if consumer is None:
            raise NotFound("Consumer not found")
        return consumer

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Consumer]:
        return select(self._store.db, CONSUMERS, filters, page)

    def create(self, sent: Record) -> Consumer:
        created = Consumer(id=new_hex_id(), description=sent.get("description"), secret=secrets.token_hex(16))
        self._store.transact(lambda tx: insert(tx, CONSUMERS, created))
        return created

    def update(self, consumer_id: str, changes: Record) -> Consumer:
        refuse_new_id(changes, consumer_id)
        changed = merged(CONSUMERS, self.get(consumer_id), changes)
        self._store.transact(lambda tx: update(tx, CONSUMERS, changed))
        return self.get(consumer_id)

    def delete(self, consumer_id: str) -> None:
        self.get(consumer_id)
        self._store.transact(lambda tx: delete(tx, CONSUMERS, consumer_id))


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that a consumer is given, with the secret that it signs with. Nobody is shown that again."""

    id: str
    secret: str
    expires_at: Micros | None


class OAuthTokens:
    """Request tokens, and the access tokens that they become. Their secrets are kept sealed."""

    def __init__(self, store: IdentityStore, assignments: Assignments, sealer: Sealer, settings: Settings) -> None:
        self._store = store
        self._assignments = assignments
        self._sealer = sealer
        self._request_lifetime = settings.oauth1_request_token_lifetime
        self._access_lifetime = settings.oauth1_access_token_lifetime

    def secret_of(self, token: RequestToken | AccessToken) -> str:
        return self._sealer.open(token.sealed_secret)

    # -- request tokens ------------------------------------------------------------------------------------------------

    def request(self, consumer_id: str, project_id: str) -> Issued:
        """A request token, for a user to authorize."""
        issued = self._issued(self._request_lifetime)
        token = RequestToken(
            id=issued.id,
            consumer_id=consumer_id,
            project_id=project_id,
            sealed_secret=self._sealer.seal(issued.secret),
            expires_at=issued.expires_at,
        )

        def change(tx: Tx) -> None:
            rows.forget_expired(tx, self._store.clock())
            insert(tx, REQUEST_TOKENS, token)

        self._store.transact(change)
        return issued

    def requested(self, token_id: str) -> RequestToken:
        """Raises `NotFound`, and `Unauthenticated` for one that has expired."""
        token = find(self._store.db, REQUEST_TOKENS, token_id)
        if token is None:
            raise NotFound("Request token not found")
        if self._over(token):
            raise Unauthenticated("The request token has expired.")
        return token

    def authorize(self, token_id: str, user_id: str, role_ids: Iterable[str]) -> str:
        """Let the consumer act for the user with these roles. The verifier is for the user to pass on.

        Raises `Unauthenticated` for roles that the user does not have on the project.
        """
        token, wanted = self.requested(token_id), sorted(set(role_ids))
        held = {role.id for role in self._assignments.project_roles(user_id, token.project_id)}
        if not held.issuperset(wanted):
            raise Unauthenticated("The authorizing user does not have a role that is asked for.")
        verifier = "".join(secrets.choice(_VERIFIER) for _ in range(_VERIFIER_LENGTH))
        if not self._store.transact(lambda tx: rows.authorize(tx, token_id, user_id, ",".join(wanted), verifier)):
            raise NotFound("Request token not found")
        return verifier

    def exchange(self, token_id: str) -> Issued:
        """Make an access token of an authorized request token, which is used up by that."""
        issued = self._issued(self._access_lifetime)

        def change(tx: Tx) -> None:
            token = rows.take_request_token(tx, token_id)
            if token is None or token.authorizing_user_id is None:
                raise Unauthenticated("There is no such authorized request token any more.")
            access = AccessToken(
                id=issued.id,
                consumer_id=token.consumer_id,
                project_id=token.project_id,
                sealed_secret=self._sealer.seal(issued.secret),
                authorizing_user_id=token.authorizing_user_id,
                role_ids=token.role_ids,
                expires_at=issued.expires_at,
            )
            insert(tx, ACCESS_TOKENS, access)

        self._store.transact(change)
        return issued

    # -- access tokens -------------------------------------------------------------------------------------------------

    def access(self, token_id: str) -> AccessToken:
        token = find(self._store.db, ACCESS_TOKENS, token_id)
        if token is None:
            raise NotFound("Access token not found")
        return token

    def of_user(self, user_id: str) -> list[AccessToken]:
        return select(self._store.db, ACCESS_TOKENS, [Filter("authorizing_user_id", user_id)])

    def delete(self, user_id: str, token_id: str) -> None:
        """Take the access back; the tokens that were made by it are void from now on."""
        if self.access(token_id).authorizing_user_id != user_id:
            raise Unauthenticated("The access token is another user's.")
        self._store.transact(lambda tx: delete(tx, ACCESS_TOKENS, token_id))

    def usable(self, token_id: str) -> AccessToken:
        """One that a request may be signed by. Raises `Unauthenticated`."""
        token = find(self._store.db, ACCESS_TOKENS, token_id)
        if token is None or self._over(token):
            raise Unauthenticated("There is no such access token, or it has expired.")
        return token

    def delegated(self, claims: Claims) -> Delegated:
        """What a token made by an access token amounts to: those of its roles that the user still has there."""
        access = self.usable(claims.access_token_id or "")
        if (access.authorizing_user_id, access.project_id) != (claims.user_id, claims.project_id):
            raise Unauthenticated("The access token is for somebody else, or for another project.")
        held = {role.id for role in self._assignments.project_roles(claims.user_id, access.project_id)}
        given = self._assignments.with_implied(role_ids(access))
        return Delegated(
            [role for role in given if role.id in held],
            access_token=AccessTokenInToken(access.id, access.consumer_id),
        )

    def _issued(self, lifetime: int) -> Issued:
        expires_at = self._store.clock() + lifetime * SECOND if lifetime else None
        return Issued(new_hex_id(), secrets.token_hex(16), expires_at)

    def _over(self, token: RequestToken | AccessToken) -> bool:
        return token.expires_at is not None and token.expires_at <= self._store.clock()


def role_ids(token: AccessToken) -> list[str]:
    return [role_id for role_id in token.role_ids.split(",") if role_id]
