"""Application credentials and the access rules that narrow them."""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from appliance.db.engine.base import Tx
from appliance.db.identity import delegation as rows
from appliance.db.identity.delegation import ACCESS_RULES, APPLICATION_CREDENTIALS, AccessRule, ApplicationCredential
from appliance.db.identity.grants import ROLES
from appliance.db.identity.grants import by_name as role_by_name
from appliance.db.records import ALL, Filter, Page, Record, delete, find, find_many, insert, select
from appliance.errors import Forbidden, Invalid, NotFound, Unauthenticated
from appliance.identity.auth.passwords import Passwords
from appliance.identity.auth.throttle import Attempt
from appliance.identity.resources.assignments import Assignments, closure
from appliance.identity.store import IdentityStore, names_unique, refuse_doubled
from appliance.identity.tokens.token import ApplicationCredentialInToken, Claims, Token
from appliance.identity.tokens.tokens import Delegated
from appliance.values import Micros, new_hex_id

LONGEST_PATH = 128
"""Characters of a rule's path, as many as Keystone stores."""

_WILD = re.compile(r"(\*\*|\*|\{[^/{}]*\})")


def permit(rules: Iterable[Record], service: str, method: str, path: str) -> bool:
    """Whether one of the rules is for this service and method and matches the path."""
    return any(
        rule["service"] == service and rule["method"] == method and _pattern(rule["path"]).matches(path)
        for rule in rules
    )


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A path with wildcards as a row of steps, one bit each; the bit after the last step is the end.

    A step takes one character and goes on, or takes any number of them and stays.
    """

    characters: dict[str, int]
    """The steps that take just this character."""
    within: int
    """Those that take one character that is no slash."""
    stay_within: int
    """Those that take any number of characters that are no slash."""
    stay: int
    """Those that take any number of characters."""
    end: int

    def matches(self, path: str) -> bool:
        at = self._onward(1)
        for character in path:
            within = 0 if character == "/" else -1
            taken = at & (self.characters.get(character, 0) | self.within & within)
            stayed = at & (self.stay | self.stay_within & within)
            at = self._onward(taken << 1 | stayed)
            if not at:
                return False
        return bool(at & self.end)

    def _onward(self, at: int) -> int:
        """With the steps that begin where one may take nothing. No two of these are neighbours."""
        return at | (at & (self.stay | self.stay_within)) << 1


@lru_cache(maxsize=1024)
def _pattern(path: str) -> _Pattern:
    """`*` and `{name}` stand for one part of a path, `**` for any number of them."""
    characters: dict[str, int] = {}
    within = stay_within = stay = 0
    bit = 1
    for index, piece in enumerate(_WILD.split(path)):
        if index % 2 == 0:
            for character in piece:
                characters[character] = characters.get(character, 0) | bit
                bit <<= 1
        elif piece == "**":
            before = bit >> 1
            if stay_within & before:
                # Whatever follows takes more than the rest of a part.
                stay_within ^= before
                stay |= before
            elif not stay & before:
                stay |= bit
                bit <<= 1
        else:
            within |= bit
            stay_within |= bit << 1
            bit <<= 2
    return _Pattern(characters, within, stay_within, stay, bit)


class ApplicationCredentials:
    def __init__(self, store: IdentityStore, assignments: Assignments, passwords: Passwords, limit: int) -> None:
        self._store = store
        self._assignments = assignments
        self._passwords = passwords
        self._limit = limit

    def get(self, credential_id: str) -> ApplicationCredential:
        """The credential with its `roles` and `access_rules`. Raises `NotFound`."""
        credential = find(self._store.db, APPLICATION_CREDENTIALS, credential_id)
        if credential is None:
            raise NotFound(f"Could not find application credential: {credential_id}.")
        return self._whole(credential)

    def search(self, user_id: str, filters: Iterable[Filter] = (), page: Page = ALL) -> list[ApplicationCredential]:
        found = select(self._store.db, APPLICATION_CREDENTIALS, [*filters, Filter("user_id", user_id)], page)
        return [self._whole(credential) for credential in found]

    def create(self, token: Token, asked: Record, expires_at: Micros | None) -> tuple[ApplicationCredential, str]:
        """A new credential of the token's user on the token's project, and its secret, which is shown only now.

        `asked` has a `name` and may have a `secret`, `roles`, `access_rules` and more. Roles are the token's unless
        it names some, which must be among them; what those imply is added.
        """
        if token.project is None:
            raise Forbidden("An application credential needs a project.")
        user_id = token.user.id
        if 0 <= self._limit <= rows.count_of_user(self._store.db, user_id):
            raise Forbidden(f"A user may have at most {self._limit} application credentials.")
        roles = self._roles(token, asked)
        access_rules = self._access_rules(user_id, asked.get("access_rules") or [])
        said = [(rule.service, rule.method, rule.path) for rule in access_rules]
        refuse_doubled("application_credential", f"name {asked['name']}", said)
        if token.application_credential is not None:
            parent = self.get(token.application_credential.id)
            access_rules, expires_at = _within(parent, access_rules, expires_at)
        secret: str = asked.get("secret") or secrets.token_urlsafe(64)
        credential = ApplicationCredential(
            id=new_hex_id(),
            name=asked["name"],
            description=asked.get("description"),
            user_id=user_id,
            project_id=token.project.id,
            secret_hash=self._passwords.hash(secret),
            expires_at=expires_at,
            unrestricted=bool(asked.get("unrestricted")),
        )

        def add(tx: Tx) -> None:
            insert(tx, APPLICATION_CREDENTIALS, credential)
            for role_id in roles:
                rows.add_credential_role(tx, credential.id, role_id)
            for each in access_rules:
                _attach(tx, credential.id, each)

        with names_unique("application credential", asked["name"]):
            self._store.transact(add)
        return self.get(credential.id), secret

    def delete(self, credential_id: str) -> None:
        """Remove it; its tokens end at once."""

        def change(tx: Tx) -> None:
            if not delete(tx, APPLICATION_CREDENTIALS, credential_id):
                raise NotFound(f"Could not find application credential: {credential_id}.")

        self._store.transact(change)

    def authenticate(
        self, reference: Record, user_id: str | None, owner: str, attempt: Attempt
    ) -> ApplicationCredential:
        """The credential that `{"id", "secret"}` or `{"name", "secret"}` and a user stand for.

        `owner` is what that user's wrong secrets are counted under. Raises `Unauthenticated`, after the same time,
        whatever is wrong.
        """
        credential = self._find(reference, user_id)
        name = credential.id if credential is not None else reference.get("id") or [owner, reference.get("name")]
        attempt.on(f"application credential {name}")
        secret, stored = str(reference.get("secret", "")), credential.secret_hash if credential is not None else None
        right = self._passwords.verify(secret, stored, attempt.check)
        if credential is None or not right or self._expired(credential):
            raise Unauthenticated("The application credential is not there, has expired or its secret is wrong.")
        renewed = self._passwords.renewed(secret, credential.secret_hash)
        if renewed is not None:
            self._store.db.transact(lambda tx: rows.replace_hash(tx, credential.id, credential.secret_hash, renewed))
        return credential

    def delegated(self, claims: Claims) -> Delegated:
        """What a token of a credential amounts to: those of its roles that the user still has on the project."""
        credential = find(self._store.db, APPLICATION_CREDENTIALS, claims.application_credential_id or "")
        if credential is None or credential.user_id != claims.user_id or self._expired(credential):
            raise Unauthenticated("The application credential is gone.")
        if claims.project_id != credential.project_id:
            raise Unauthenticated("The application credential is for another project.")
        db = self._store.db
        held = {role.id for role in self._assignments.project_roles(claims.user_id, credential.project_id)}
        given = self._assignments.with_implied(rows.credential_role_ids(db, credential.id))
        rules = tuple(shown_rule(rule) for rule in rows.rules_of(db, credential.id))
        return Delegated(
            [role for role in given if role.id in held],
            application_credential=ApplicationCredentialInToken(
                credential.id, credential.name, credential.unrestricted, rules
            ),
        )

    def expires_at(self, credential_id: str) -> Micros | None:
        return self.get(credential_id).expires_at

    def _find(self, reference: Record, user_id: str | None) -> ApplicationCredential | None:
        if reference.get("id"):
            return find(self._store.db, APPLICATION_CREDENTIALS, reference["id"])
        if user_id is None:
            return None
        named = [Filter("user_id", user_id), Filter("name", reference.get("name", ""))]
        return next(iter(select(self._store.db, APPLICATION_CREDENTIALS, named)), None)

    def _expired(self, credential: ApplicationCredential) -> bool:
        return credential.expires_at is not None and credential.expires_at <= self._store.clock()

    def _whole(self, credential: ApplicationCredential) -> ApplicationCredential:
        db = self._store.db
        roles = find_many(db, ROLES, rows.credential_role_ids(db, credential.id))
        return replace(credential, roles=roles, access_rules=rows.rules_of(db, credential.id))

    def _roles(self, token: Token, asked: Record) -> list[str]:
        held = [role.id for role in token.roles]
        if not asked.get("roles"):
            return held
        named = [str(one.get("id") or self._role_named(str(one.get("name")))) for one in asked["roles"]]
        refuse_doubled("application_credential", f"name {asked['name']}", named)
        found = closure(self._store.db, named)
        if not found <= set(held):
            raise Invalid("An application credential can't have a role that the token has not.")
        return sorted(found)

    def _role_named(self, name: str) -> str:
        role = role_by_name(self._store.db, name)
        if role is None:
            raise NotFound(f"Could not find role: {name}.")
        return role.id

    # -- access rules

    def _access_rules(self, user_id: str, asked: Sequence[Record]) -> list[AccessRule]:
        """Rules by id, or by what they say; those that say what an old one says are the old one."""
        db = self._store.db
        found = []
        for rule in asked:
            complete = {"service", "method", "path"} <= set(rule)
            if "id" in rule:
                known = find(db, ACCESS_RULES, rule["id"])
                if known is not None and known.user_id == user_id:
                    found.append(known)
                    continue
                if not complete:
                    raise NotFound(f"Could not find access rule: {rule['id']}.")
            if not complete:
                raise Invalid("An access rule has a service, a method and a path.")
            said = {key: rule[key] for key in ("service", "method", "path")}
            old = rows.find_rule(db, user_id, **said)
            found.append(AccessRule(id=old or new_hex_id(), user_id=user_id, **said))
        return found

    def access_rules(self, user_id: str, filters: Iterable[Filter] = ()) -> list[AccessRule]:
        """The rules that a user's credentials have or had."""
        return select(self._store.db, ACCESS_RULES, [*filters, Filter("user_id", user_id)])

    def access_rule(self, user_id: str, rule_id: str) -> AccessRule:
        rule = find(self._store.db, ACCESS_RULES, rule_id)
        if rule is None or rule.user_id != user_id:
            raise NotFound(f"Could not find access rule: {rule_id}.")
        return rule

    def delete_access_rule(self, user_id: str, rule_id: str) -> None:
        """Remove a rule that no credential uses. Raises `Forbidden` if one does."""
        self.access_rule(user_id, rule_id)

        def change(tx: Tx) -> None:
            if rows.rule_in_use(tx, rule_id):
                raise Forbidden(f"Access rule {rule_id} is in use by an application credential.")
            delete(tx, ACCESS_RULES, rule_id)

        self._store.transact(change)


def _within(
    parent: ApplicationCredential, rules: list[AccessRule], expires_at: Micros | None
) -> tuple[list[AccessRule], Micros | None]:
    """Rules and end of a credential that another one makes: its parent's, unless it asks for less.

    Raises `Forbidden` for more: Keystone lets a credential with access rules make one without any.
    """
    if parent.access_rules:
        rules = rules or list(parent.access_rules)
        if not {rule.id for rule in rules} <= {rule.id for rule in parent.access_rules}:
            raise Forbidden("An application credential can't make one that has other access rules than its own.")
    end = parent.expires_at
    if end is not None:
        expires_at = end if expires_at is None else expires_at
        if expires_at > end:
            raise Forbidden("An application credential can't make one that outlives it.")
    return rules, expires_at


def _attach(tx: Tx, credential_id: str, rule: AccessRule) -> None:
    """Give the credential the rule, which is made unless there is one that says the same."""
    known = rows.find_rule(tx, rule.user_id, rule.service, rule.method, rule.path)
    if known is None:
        insert(tx, ACCESS_RULES, rule)
    rows.attach_rule(tx, credential_id, known or rule.id)


def shown_rule(rule: AccessRule) -> Record:
    return {"id": rule.id, "service": rule.service, "method": rule.method, "path": rule.path}
