"""Tokens: issued, validated against the state of now, and revoked.

A token is only its claims and a signature; nothing is written when one is issued. What it may do is looked up when it
is validated, so a lost role, a disabled project or a deleted user shows at once; what rows can't show (a changed
password, an explicit revocation) is in `revocations`. Results are kept for as long as no identity row changes.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple

from appliance.db.engine.base import Tx
from appliance.db.identity.federation import next_end
from appliance.db.identity.grants import Role
from appliance.db.identity.projects import Project
from appliance.db.identity.users import User
from appliance.errors import Forbidden, NotFound, Unauthenticated
from appliance.identity.lookup import Lookup
from appliance.identity.resources.assignments import Assignments
from appliance.identity.store import IdentityStore
from appliance.identity.tokens.keyring import Keyring
from appliance.identity.tokens.revocations import Revocations, Stamps
from appliance.identity.tokens.token import (
    SECOND,
    AccessTokenInToken,
    ApplicationCredentialInToken,
    Claims,
    FederationInToken,
    Named,
    ProjectInToken,
    Token,
    TrustInToken,
    UserInToken,
    from_payload,
    new_audit_id,
)
from appliance.values import Micros

_CACHE_SIZE = 20_000

Delegation = Callable[[Claims], "Delegated"]


class _Kept(NamedTuple):
    """What a token said, good while no identity row changes and nobody's membership of a group ends."""

    generation: int
    until: Micros | None
    token: Token


class Delegated:
    """What a trust, an application credential or an access token makes of claims: who acts, with which roles."""

    def __init__(
        self,
        roles: list[Role],
        user_id: str | None = None,
        trust: TrustInToken | None = None,
        application_credential: ApplicationCredentialInToken | None = None,
        access_token: AccessTokenInToken | None = None,
    ) -> None:
        self.roles = roles
        self.user_id = user_id
        self.trust = trust
        self.application_credential = application_credential
        self.access_token = access_token


class Tokens:
    """Issues and validates. `trusts` and the others say what delegated claims amount to today.

    Where identity providers are known (`federated`), what a token says of one is looked up, too.
    """

    def __init__(
        self,
        store: IdentityStore,
        keyring: Keyring,
        assignments: Assignments,
        revocations: Revocations,
        *,
        lifetime: int,
        expired_window: int,
        stamps: Stamps,
        trusts: Delegation,
        application_credentials: Delegation,
        access_tokens: Delegation,
        federated: bool,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._assignments = assignments
        self._revocations = revocations
        self._lifetime = lifetime * SECOND
        self._expired_window = expired_window * SECOND
        self._stamps = stamps
        self._trusts = trusts
        self._application_credentials = application_credentials
        self._access_tokens = access_tokens
        self._federated = federated
        self._cache: dict[str, _Kept] = {}
        self._end: tuple[int, Micros | None] | None = None
        self._cache_lock = threading.Lock()

    def stamp(self) -> Micros:
        """To be taken before anything that speaks for a token is looked at: what changes meanwhile ends the token."""
        return self._stamps.of_token()

    def claims(self, user_id: str, methods: tuple[str, ...], stamp: Micros, parent: Token | None = None) -> Claims:
        """Claims for a new token; one made from another ends with it and stays in its chain."""
        now = self._store.clock() // SECOND * SECOND
        audit_ids = (new_audit_id(),) if parent is None else (new_audit_id(), parent.audit_ids[-1])
        expires_at = now + self._lifetime
        if parent is not None:
            expires_at = min(expires_at, parent.expires_at)
        return Claims(
            user_id=user_id,
            methods=methods,
            audit_ids=audit_ids,
            issued_at=now,
            expires_at=expires_at,
            stamp=stamp,
        )

    def issue(self, lookup: Lookup, claims: Claims) -> Token:
        """Sign claims, if they amount to a valid token. Raises `Unauthenticated`."""
        return self._looked_up(lookup, self._keyring.sign(claims.payload()), claims)

    def validate(self, text: str, *, allow_expired: bool = False) -> Token:
        """What a token says today. Raises `Unauthenticated` for every kind of invalid one."""
        try:
            return self._validate(text, self._expired_window if allow_expired else 0)
        except Forbidden as error:
            # A trust that has lost its ground refuses to be used; a token of it is simply no longer valid.
            raise Unauthenticated(str(error)) from error

    def _validate(self, text: str, window: Micros) -> Token:
        known, now = self._cache.get(text), self._store.clock()
        if known is not None and known.generation == self._store.generation and (known.until or now + 1) > now:
            token = known.token
        else:
            token = self._looked_up(Lookup(self._store), text, from_payload(self._keyring.verify(text)))
        if token.expires_at + window <= now:
            raise Unauthenticated("The token has expired.")
        return token

    def revoke(self, token: Token, *, cascade: bool = True) -> None:
        """Void a token and, unless told otherwise, the ones that were made from it."""

        def change(tx: Tx) -> None:
            self._revocations.add(tx, "audit", token.audit_ids[0])
            if cascade:
                self._revocations.add(tx, "chain", token.audit_ids[0])

        self._store.transact(change)

    def _looked_up(self, lookup: Lookup, text: str, claims: Claims) -> Token:
        """What claims amount to, and remember it."""
        until = self._next_end(lookup.generation)
        try:
            token = self._describe(lookup, text, claims)
        except NotFound as error:
            raise Unauthenticated(str(error)) from error
        with self._cache_lock:
            self._cache.pop(text, None)
            if len(self._cache) >= _CACHE_SIZE:
                for old in list(self._cache)[: _CACHE_SIZE // 10]:
                    del self._cache[old]
            self._cache[text] = _Kept(lookup.generation, until, token)
        return token

    def _next_end(self, generation: int) -> Micros | None:
        """When the next membership of a group ends, whosever it is."""
        known = self._end
        if known is None or known[0] != generation or (known[1] is not None and known[1] <= self._store.clock()):
            known = self._end = (generation, next_end(self._store.db, self._store.clock()))
        return known[1]

    def _describe(self, lookup: Lookup, text: str, claims: Claims) -> Token:
        authenticated = lookup.usable_user(claims.user_id)
        delegated = self._delegation(claims)
        acting = authenticated
        if delegated is not None and delegated.user_id is not None:
            acting = lookup.usable_user(delegated.user_id)
        project = lookup.usable_project(claims.project_id) if claims.project_id else None
        domain = lookup.usable_domain(claims.domain_id) if claims.domain_id else None
        self._refuse_revoked(claims, authenticated, acting, project)
        federation = self._federation(lookup, claims)
        roles = delegated.roles if delegated is not None else self._roles(claims, federation)
        scoped = project is not None or domain is not None or claims.system is not None
        if scoped and not roles:
            raise Unauthenticated("There is no role on the scope.")
        return Token(
            text=text,
            authenticated_user_id=claims.user_id,
            user=_user_in_token(lookup, acting),
            methods=claims.methods,
            audit_ids=claims.audit_ids,
            issued_at=claims.issued_at,
            expires_at=claims.expires_at,
            project=_project_in_token(lookup, project) if project else None,
            domain=Named(domain.id, domain.name) if domain else None,
            system=claims.system is not None,
            roles=tuple(Named(role.id, role.name) for role in roles) if scoped else (),
            trust=delegated.trust if delegated else None,
            application_credential=delegated.application_credential if delegated else None,
            access_token=delegated.access_token if delegated else None,
            federation=federation,
        )

    def _federation(self, lookup: Lookup, claims: Claims) -> FederationInToken | None:
        """Who has vouched for the user, if that is still good."""
        if not self._federated or claims.idp_id is None or claims.protocol_id is None:
            return None
        provider, protocol = lookup.usable_protocol(claims.idp_id, claims.protocol_id)
        disabled = self._revocations.covers([("domain", provider.domain_id)], claims.stamp)
        if disabled or claims.stamp <= protocol.void_until:
            raise Unauthenticated("The identity provider was disabled, or is another one.")
        groups = lookup.login_groups(claims.user_id, claims.idp_id, claims.protocol_id)
        return FederationInToken(claims.idp_id, claims.protocol_id, groups)

    def _delegation(self, claims: Claims) -> Delegated | None:
        if claims.trust_id is not None:
            return self._trusts(claims)
        if claims.application_credential_id is not None:
            return self._application_credentials(claims)
        if claims.access_token_id is not None:
            return self._access_tokens(claims)
        return None

    def _roles(self, claims: Claims, federation: FederationInToken | None) -> list[Role]:
        idp_id = federation.identity_provider if federation is not None else None
        if claims.system is not None:
            return self._assignments.system_roles(claims.user_id, idp_id)
        if claims.domain_id is not None:
            return self._assignments.domain_roles(claims.user_id, claims.domain_id, idp_id)
        if claims.project_id is not None:
            return self._assignments.project_roles(claims.user_id, claims.project_id, idp_id)
        return []

    def _refuse_revoked(self, claims: Claims, authenticated: User, acting: User, project: Project | None) -> None:
        subjects = [
            ("audit", claims.audit_ids[0]),
            ("user", authenticated.id),
            ("user", acting.id),
            ("domain", authenticated.domain_id),
        ]
        subjects += [("chain", audit_id) for audit_id in claims.audit_ids[1:]]
        if project is not None:
            subjects += [("project", project.id), ("domain", project.domain)]
        if claims.domain_id is not None:
            subjects.append(("domain", claims.domain_id))
        if self._revocations.covers(subjects, claims.stamp):
            raise Unauthenticated("The token was revoked.")


def _user_in_token(lookup: Lookup, user: User) -> UserInToken:
    password = lookup.password(user.id)
    expires_at: Micros | None = password["expires_at"] if password is not None else None
    if user.options.get("ignore_password_expiry"):
        expires_at = None
    domain = lookup.usable_domain(user.domain_id)
    return UserInToken(user.id, lookup.display_name(user), Named(domain.id, domain.name), expires_at)


def _project_in_token(lookup: Lookup, project: Project) -> ProjectInToken:
    domain = lookup.usable_domain(project.domain)
    return ProjectInToken(project.id, project.name, Named(domain.id, domain.name), project.is_domain)
