"""Authentication: from what a client shows to a token on the scope it asks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from appliance.db import projects as project_rows
from appliance.db import users as user_rows
from appliance.db.records import Record, find
from appliance.errors import Forbidden, Invalid, Unauthenticated
from appliance.identity.assignments import Assignments
from appliance.identity.compliance import Compliance
from appliance.identity.ledger import Ledger
from appliance.identity.passwords import Passwords
from appliance.identity.scopes import UNSCOPED, Scope, Scopes
from appliance.identity.token import Token
from appliance.identity.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Proof:
    """What one method has shown: who it is, and what the new token takes over."""

    user_id: str
    methods: tuple[str, ...]
    parent: Token | None = None
    application_credential_id: str | None = None


Method = Callable[[Record], Proof]
"""Takes the method's object of `auth.identity`. Raises `Unauthenticated`, or `Invalid` if it is no such thing."""


class PasswordMethod:
    """A user's name and password."""

    def __init__(self, ledger: Ledger, passwords: Passwords, scopes: Scopes, compliance: Compliance) -> None:
        self._ledger = ledger
        self._passwords = passwords
        self._scopes = scopes
        self._compliance = compliance

    def __call__(self, shown: Record) -> Proof:
        if not isinstance(shown.get("user"), dict) or not isinstance(shown["user"].get("password"), str):
            raise Invalid("Expecting to find user and password in password.")
        user = find_user(self._ledger, self._scopes, shown["user"])
        if user is not None:
            self._compliance.check_not_locked(user)
        stored = user_rows.password(self._ledger.db, user["id"]) if user is not None else None
        right = self._passwords.verify(shown["user"]["password"], stored["hash"] if stored is not None else None)
        if user is None or stored is None or not right:
            if user is not None:
                self._compliance.failed(user)
            raise Unauthenticated("The user or the password is wrong.")
        if not self._compliance.is_active(user):
            raise Unauthenticated("The user was away for too long.")
        self._compliance.check_password_in_force(user, stored)
        self._compliance.succeeded(user)
        return Proof(user["id"], ("password",))


class TokenMethod:
    """A valid token. What is made from it ends when it does."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def __call__(self, shown: Record) -> Proof:
        token = self._tokens.validate(shown["id"])
        if token.trust is not None:
            raise Forbidden("A token of a trust can't be turned into another one.")
        credential = token.application_credential
        return Proof(token.user.id, ("token", *token.methods), token, credential.id if credential is not None else None)


def find_user(ledger: Ledger, scopes: Scopes, reference: Record) -> Record | None:
    """The user that `{"id": …}` or `{"name": …, "domain": …}` refers to, None if there is none."""
    if reference.get("id"):
        return find(ledger.db, user_rows.USERS, reference["id"])
    if not reference.get("name"):
        raise Invalid("Expecting to find id or name in user.")
    if not isinstance(reference.get("domain"), dict):
        raise Invalid("Expecting to find domain in user.")
    try:
        domain = scopes.domain(reference["domain"])
    except Unauthenticated:
        return None
    return user_rows.by_name(ledger.db, reference["name"], domain["id"])


class Authentication:
    """Runs the methods that a request names and issues the token it asks for."""

    def __init__(
        self,
        ledger: Ledger,
        assignments: Assignments,
        scopes: Scopes,
        tokens: Tokens,
        methods: Mapping[str, Method],
    ) -> None:
        self._ledger = ledger
        self._assignments = assignments
        self._scopes = scopes
        self._tokens = tokens
        self._methods = methods

    def authenticate(self, identity: Record, scope: Any = None) -> Token:
        """Issue a token for `auth.identity` on `auth.scope`, both in Keystone's form.

        Raises `Unauthenticated` without saying to the client why, and `Invalid` for a malformed request.
        """
        names = list(dict.fromkeys(identity["methods"]))
        for name in names:
            if name not in self._methods:
                raise Unauthenticated(f"There is no authentication method {name}.")
            if not isinstance(identity.get(name), dict):
                raise Invalid(f"Expecting to find {name} in identity.")
        if not names:
            raise Unauthenticated("No authentication method was used.")
        proofs = [self._methods[name](identity[name]) for name in names]
        if len({proof.user_id for proof in proofs}) != 1:
            raise Unauthenticated("The methods speak of different users.")
        return self._issue(proofs, scope)

    def _issue(self, proofs: list[Proof], asked: Any) -> Token:
        user_id = proofs[0].user_id
        methods = tuple(dict.fromkeys(name for proof in proofs for name in proof.methods))
        parent = next((proof.parent for proof in proofs if proof.parent is not None), None)
        claims = self._tokens.claims(user_id, methods, parent)
        scope = self._scope(user_id, parent, asked)
        return self._tokens.issue(scope.onto(claims))

    def _scope(self, user_id: str, parent: Token | None, asked: Any) -> Scope:
        if parent is not None and parent.system and isinstance(asked, dict) and {"project", "domain"} & set(asked):
            raise Forbidden("A token of the system can't be turned into one of a project or domain.")
        scope = self._scopes.resolve(asked)
        return scope if scope is not None else self._default_scope(user_id)

    def _default_scope(self, user_id: str) -> Scope:
        """The user's default project, if it can be used."""
        user = find(self._ledger.db, user_rows.USERS, user_id)
        project_id = user["default_project_id"] if user is not None else None
        project = find(self._ledger.db, project_rows.PROJECTS, project_id) if project_id else None
        if project is None or not project["enabled"]:
            return UNSCOPED
        domain = find(self._ledger.db, project_rows.PROJECTS, project["domain_id"] or project["id"])
        if domain is None or not domain["enabled"] or not self._assignments.project_roles(user_id, project["id"]):
            return UNSCOPED
        return replace(UNSCOPED, project_id=project["id"])
