"""Authentication: from what a client shows to a token on the scope it asks for, or a receipt for what was right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from appliance.db.identity.delegation import ApplicationCredential
from appliance.db.identity.users import User
from appliance.db.records import Record
from appliance.errors import Forbidden, Invalid, NotFound, Unauthenticated
from appliance.identity.auth.compliance import Compliance
from appliance.identity.auth.methods import Method, Proof
from appliance.identity.auth.scopes import UNSCOPED, Scope, resolve
from appliance.identity.auth.throttle import Throttle
from appliance.identity.auth.totp import Once
from appliance.identity.lookup import Lookup
from appliance.identity.resources.assignments import Assignments
from appliance.identity.resources.trusts import Trusts
from appliance.identity.store import IdentityStore
from appliance.identity.tokens.keyring import Keyring
from appliance.identity.tokens.revocations import Revocations, Stamps
from appliance.identity.tokens.token import SECOND, Claims, Token
from appliance.identity.tokens.tokens import Tokens
from appliance.values import Micros, current_client

METHODS = frozenset({"password", "token", "totp", "application_credential", "oauth1", "ec2credential", "mapped"})
"""The methods that the appliance has, switched on or not."""

_MARK = "appliance_receipt"


@dataclass(frozen=True, slots=True)
class Receipt:
    text: str
    user_id: str
    methods: tuple[str, ...]
    issued_at: Micros
    expires_at: Micros
    stamp: Micros
    """No two receipts have the same."""


class MethodsMissing(Unauthenticated):
    """What was shown is right but not enough. The receipt stands for it when the rest is shown."""

    def __init__(self, receipt: Receipt, required: list[list[str]]) -> None:
        super().__init__("More authentication methods are required.")
        self.receipt = receipt
        self.required = required


class Receipts:
    """Issues and checks receipts. They are signed as tokens are, but can't be taken for one, nor one for them."""

    def __init__(
        self,
        store: IdentityStore,
        keyring: Keyring,
        revocations: Revocations,
        stamps: Stamps,
        once: Once,
        lifetime: int,
    ) -> None:
        self._store = store
        self._stamps = stamps
        self._once = once
        self._keyring = keyring
        self._revocations = revocations
        self._lifetime = lifetime * SECOND

    def issue(self, user_id: str, methods: Iterable[str]) -> Receipt:
        now = self._store.clock() // SECOND * SECOND
        expires_at = now + self._lifetime
        stamp = self._stamps.of_token()
        names = tuple(methods)
        claims: dict[str, Any] = {
            "sub": user_id,
            "iat": now // SECOND,
            "exp": expires_at // SECOND,
            "openstack_methods": list(names),
            _MARK: stamp,
        }
        return Receipt(self._keyring.sign(claims), user_id, names, now, expires_at, stamp)

    def read(self, text: str, user_id: str) -> Receipt:
        """A receipt of this user. Raises `Unauthenticated`."""
        claims = self._keyring.verify(text)
        stamp = claims.get(_MARK)
        if not isinstance(stamp, int) or claims.get("sub") != user_id:
            raise Unauthenticated("This is no receipt of the user.")
        expires_at = claims["exp"] * SECOND
        if expires_at <= self._store.clock():
            raise Unauthenticated("The receipt has expired.")
        if self._revocations.covers([("user", user_id)], stamp):
            raise Unauthenticated("The receipt was revoked.")
        methods = tuple(claims["openstack_methods"])
        return Receipt(text, user_id, methods, claims["iat"] * SECOND, expires_at, stamp)

    def redeem(self, receipt: Receipt) -> None:
        """Use a receipt up. Raises `Unauthenticated` if it has been."""
        # By its stamp: another text can carry the same signature.
        self._once.claim("receipt", receipt.user_id, receipt.stamp)


def rules_of(user: User) -> list[list[str]]:
    """The sets of methods of which one is required; empty if none is."""
    enabled = user.options.get("multi_factor_auth_enabled")
    return [] if enabled is False else list(user.options.get("multi_factor_auth_rules") or [])


def satisfied(rules: list[list[str]], methods: set[str]) -> bool:
    """Whether the methods meet one of the rules. Methods that nobody knows don't count, so that nobody is locked out;
    one that is only switched off does: it was meant to be shown."""
    known = METHODS | methods  # A log-in by a protocol bears the protocol's name.
    usable = [set(rule) & known for rule in rules if set(rule) & known]
    return not usable or any(rule <= methods for rule in usable)


class Authentication:
    """Runs the methods that a request names and issues the token it asks for."""

    def __init__(
        self,
        store: IdentityStore,
        assignments: Assignments,
        tokens: Tokens,
        trusts: Trusts,
        receipts: Receipts,
        methods: Mapping[str, Method],
        throttle: Throttle,
        compliance: Compliance,
        *,
        totp_alone: bool,
    ) -> None:
        self._store = store
        self._assignments = assignments
        self._tokens = tokens
        self._trusts = trusts
        self._receipts = receipts
        self._methods = methods
        self._throttle = throttle
        self._compliance = compliance
        self._totp_alone = totp_alone

    def authenticate(self, identity: Record, scope: Any = None, receipt: str | None = None) -> Token:
        """Issue a token for `auth.identity` on `auth.scope`, both in Keystone's form.

        Raises `Unauthenticated` without saying to the client why, `MethodsMissing` with a receipt for what was right,
        and `Invalid` for a malformed request.
        """
        names = list(dict.fromkeys(identity["methods"]))
        for name in names:
            if not isinstance(identity.get(name), dict):
                raise Invalid(f"Expecting to find {name} in identity.")
            if name not in self._methods:
                raise Unauthenticated(f"There is no authentication method {name}.")
        if not names:
            raise Unauthenticated("No authentication method was used.")
        if "application_credential" in names and scope is not None:
            raise Unauthenticated("Application credentials can't request a scope.")
        stamp = self._tokens.stamp()
        lookup = Lookup(self._store)
        with self._throttle.attempt(current_client.get().address) as attempt:
            proofs = [self._methods[name](identity[name], attempt, lookup) for name in names]
            user, methods, earlier = self._methods_shown(lookup, proofs, receipt)
        # What is refused from here on is no sign of guessing: the secrets were right.
        missing = self._missing(user, methods)
        token = self._token(lookup, user, proofs, methods, stamp, scope) if missing is None else None
        # Nobody has the token yet: what was made with a receipt that is used up is thrown away.
        if earlier is not None:
            self._receipts.redeem(earlier)
        if token is not None:
            attempt.succeeded()
            if any(proof.is_first_hand for proof in proofs):
                self._compliance.succeeded(user)
            return token
        if not {"application_credential", "oauth1"}.isdisjoint(methods):
            # No receipt could hold what the token would be bound to.
            raise Unauthenticated("A delegation is not enough for this user.")
        raise MethodsMissing(self._receipts.issue(user.id, methods), missing or [])

    def vouched_for(self, proof: Proof) -> Token:
        """Issue a token to somebody for whom an identity provider vouches: without scope, unless it is a user of our
        own who has a default project.

        Raises `Unauthenticated`, and `MethodsMissing` if the user has to show more.
        """
        stamp = self._tokens.stamp()
        lookup = Lookup(self._store)
        user = lookup.usable_user(proof.user_id)
        ours = proof.federation is None or proof.federation.groups is None
        if ours and not self._compliance.is_active(user):
            raise Unauthenticated("The user has not been here for too long.")
        missing = self._missing(user, proof.methods)
        if missing is not None:
            raise MethodsMissing(self._receipts.issue(user.id, proof.methods), missing)
        token = self._token(lookup, user, [proof], proof.methods, stamp, None if ours else "unscoped")
        self._compliance.seen(user)
        return token

    def _methods_shown(
        self, lookup: Lookup, proofs: Sequence[Proof], receipt: str | None
    ) -> tuple[User, list[str], Receipt | None]:
        """The user and the methods that they have shown, now and with a receipt, which is still to be redeemed.

        Raises `Unauthenticated`.
        """
        user_id = proofs[0].user_id
        if any(proof.user_id != user_id for proof in proofs):
            raise Unauthenticated("The methods speak of different users.")
        earlier = self._receipts.read(receipt, user_id) if receipt else None
        methods = [name for proof in proofs for name in proof.methods]
        methods += earlier.methods if earlier is not None else ()
        return lookup.usable_user(user_id), list(dict.fromkeys(methods)), earlier

    def _token(
        self,
        lookup: Lookup,
        user: User,
        proofs: Sequence[Proof],
        methods: Sequence[str],
        stamp: Micros,
        scope: Any,
    ) -> Token:
        """A token for someone who has shown enough."""
        parent = next((proof.parent for proof in proofs if proof.parent is not None), None)
        claims = self._tokens.claims(user.id, tuple(methods), stamp, parent)
        federation = next((proof.federation for proof in proofs if proof.federation is not None), None)
        if federation is not None:
            claims = replace(claims, idp_id=federation.identity_provider, protocol_id=federation.protocol)
        credential = next((p.application_credential for p in proofs if p.application_credential is not None), None)
        if credential is not None:
            return self._tokens.issue(lookup, _bound(claims, credential))
        access = next((p.access_token for p in proofs if p.access_token is not None), None)
        if access is not None:
            claims = replace(claims, project_id=access.project_id, access_token_id=access.id)
            return self._tokens.issue(lookup, claims.until(access.expires_at))
        return self._issue(lookup, self._scope(lookup, user, parent, scope).onto(claims))

    def _issue(self, lookup: Lookup, claims: Claims) -> Token:
        if claims.trust_id is None:
            return self._tokens.issue(lookup, claims)
        try:
            trust = self._trusts.get(claims.trust_id)
        except NotFound as error:
            raise Unauthenticated(str(error)) from error
        claims = replace(claims, project_id=trust.project_id).until(trust.expires_at)
        token = self._tokens.issue(lookup, claims)
        # Nobody has the token yet: one that finds no use left is thrown away.
        self._trusts.consume(trust.id)
        return token

    def _missing(self, user: User, methods: Sequence[str]) -> list[list[str]] | None:
        """The sets of methods of which one would do, unless those that were shown are enough."""
        rules = rules_of(user)
        if not satisfied(rules, set(methods)):
            return rules
        if set(methods) - {"token"} == {"totp"} and not self._totp_alone:
            return [["password", "totp"]]
        return None

    def _scope(self, lookup: Lookup, user: User, parent: Token | None, asked: Any) -> Scope:
        if parent is not None and parent.system and isinstance(asked, dict) and {"project", "domain"} & set(asked):
            raise Forbidden("A token of the system can't be turned into one of a project or domain.")
        scope = resolve(lookup, asked)
        return scope if scope is not None else self._default_scope(lookup, user)

    def _default_scope(self, lookup: Lookup, user: User) -> Scope:
        """The user's default project, if it can be used."""
        project = lookup.project(user.default_project_id) if user.default_project_id else None
        if project is None or not project.enabled:
            return UNSCOPED
        domain = lookup.project(project.domain)
        if domain is None or not domain.enabled or not self._assignments.project_roles(user.id, project.id):
            return UNSCOPED
        return Scope(project_id=project.id)


def _bound(claims: Claims, credential: ApplicationCredential) -> Claims:
    """Claims of an application credential: its project, its end, and no choice."""
    bound = replace(claims, project_id=credential.project_id, application_credential_id=credential.id)
    return bound.until(credential.expires_at)
