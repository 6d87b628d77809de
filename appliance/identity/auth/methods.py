"""The ways to show who one is: each takes its object of `auth.identity` and gives a proof."""

from collections.abc import Callable
from dataclasses import dataclass

from appliance.db.identity import users as user_rows
from appliance.db.identity.delegation import ApplicationCredential
from appliance.db.identity.oauth1 import AccessToken
from appliance.db.identity.users import User
from appliance.db.records import Record
from appliance.errors import Forbidden, Invalid, NotFound, Unauthenticated
from appliance.identity.auth.compliance import Compliance
from appliance.identity.auth.passwords import Passwords
from appliance.identity.auth.scopes import find_domain
from appliance.identity.auth.throttle import Attempt
from appliance.identity.lookup import Lookup
from appliance.identity.resources.application_credentials import ApplicationCredentials
from appliance.identity.store import IdentityStore
from appliance.identity.tokens.token import FederationInToken, Token
from appliance.identity.tokens.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Proof:
    """What one method has shown: who it is, and what the new token takes over."""

    user_id: str
    methods: tuple[str, ...]
    parent: Token | None = None
    application_credential: ApplicationCredential | None = None
    """What the new token is bound to, with its project."""
    federation: FederationInToken | None = None
    """Who vouches for the user."""
    access_token: AccessToken | None = None
    """The same, of OAuth 1.0a."""

    @property
    def is_first_hand(self) -> bool:
        """Whether the user has shown a secret of their own."""
        vouched = (self.application_credential, self.access_token, self.federation)
        return self.parent is None and vouched == (None, None, None)


Method = Callable[[Record, Attempt, Lookup], Proof]
"""Takes the method's object of `auth.identity`, and tells the attempt whose secret it is before it checks it.

Raises `Unauthenticated`, or `Invalid` if it is no such thing. Whatever is wrong, it has done the same work.
"""


class PasswordMethod:
    """A user's name and password."""

    def __init__(self, store: IdentityStore, passwords: Passwords, compliance: Compliance) -> None:
        self._store = store
        self._passwords = passwords
        self._compliance = compliance

    def __call__(self, shown: Record, attempt: Attempt, lookup: Lookup) -> Proof:
        if not isinstance(shown.get("user"), dict) or not isinstance(shown["user"].get("password"), str):
            raise Invalid("Expecting to find user and password in password.")
        user = find_user(lookup, shown["user"])
        attempt.on(account_of(lookup, shown["user"], user))
        stored = lookup.password(user.id if user is not None else "")
        secret = shown["user"]["password"]
        right = self._passwords.verify(secret, stored["hash"] if stored is not None else None, attempt.check)
        admitted = self._compliance.admitted(user, stored, right=right)
        renewed = self._passwords.renewed(secret, stored["hash"]) if stored is not None else None
        if stored is not None and renewed is not None:
            self._store.db.transact(lambda tx: user_rows.replace_hash(tx, stored["id"], stored["hash"], renewed))
        return Proof(admitted.id, ("password",))


class TokenMethod:
    """A valid token of the user's own log-in. What is made from it ends when it does. One that is not valid is not
    found, as Keystone has it; one that was handed out is not exchanged for another, of whatever scope."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def __call__(self, shown: Record, attempt: Attempt, lookup: Lookup) -> Proof:
        if not isinstance(shown.get("id"), str):
            raise Invalid("Expecting to find id in token.")
        try:
            token = self._tokens.validate(shown["id"])
        except Unauthenticated as error:
            raise NotFound("Could not find token.") from error
        if token.trust is not None:
            raise Forbidden("A token of a trust can't be turned into another one.")
        if token.delegated:
            raise Forbidden("Using a delegated token to create another token is not allowed.")
        return Proof(token.user.id, ("token", *token.methods), token, federation=token.federation)


class MappedMethod:
    """A token of a log-in by an identity provider, to be scoped. The log-in itself has an address of its own."""

    def __init__(self, tokens: TokenMethod) -> None:
        self._tokens = tokens

    def __call__(self, shown: Record, attempt: Attempt, lookup: Lookup) -> Proof:
        if "id" not in shown:
            raise Unauthenticated("Who logs in by an identity provider sends what it says to the protocol's address.")
        proof = self._tokens(shown, attempt, lookup)
        if proof.federation is None:
            raise Unauthenticated("This is not the token of a log-in by an identity provider.")
        return proof


class ApplicationCredentialMethod:
    """An application credential's id, or its name and user, and its secret."""

    def __init__(self, credentials: ApplicationCredentials) -> None:
        self._credentials = credentials

    def __call__(self, shown: Record, attempt: Attempt, lookup: Lookup) -> Proof:
        if not shown.get("id") and not (shown.get("name") and isinstance(shown.get("user"), dict)):
            raise Invalid("Expecting to find id, or name and user, in application_credential.")
        user_id, owner = None, ""
        if not shown.get("id"):
            user = find_user(lookup, shown["user"])
            user_id = user.id if user is not None else None
            owner = account_of(lookup, shown["user"], user)
        credential = self._credentials.authenticate(shown, user_id, owner, attempt)
        return Proof(credential.user_id, ("application_credential",), application_credential=credential)


def find_user(lookup: Lookup, reference: Record) -> User | None:
    """The user that `{"id": …}` or `{"name": …, "domain": …}` refers to, None if there is none."""
    if reference.get("id"):
        return lookup.user(reference["id"])
    if not reference.get("name"):
        raise Invalid("Expecting to find id or name in user.")
    if not isinstance(reference.get("domain"), dict):
        raise Invalid("Expecting to find domain in user.")
    try:
        domain = find_domain(lookup, reference["domain"])
    except Unauthenticated:
        return None
    return lookup.user_named(reference["name"], domain.id)


def account_of(lookup: Lookup, reference: Record, user: User | None) -> str:
    """What wrong secrets of a user are counted under, however they are referred to, and whether they exist or not."""
    if user is not None:
        return f"user {user.id}"
    if reference.get("id"):
        return f"user {reference['id']}"
    try:
        domain = find_domain(lookup, reference["domain"]).id
    except Unauthenticated:
        domain = repr(reference["domain"])
    return f"user {reference['name']!r} of {domain}"
