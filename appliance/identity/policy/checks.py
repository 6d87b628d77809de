"""How rules are written and applied: small checks on a token and a target, joined by `any_of` and `all_of`.

A target is what is known of the thing acted upon, under names such as `user.id` or `project.domain_id`. A name that is
missing from it never matches. Rules have the names that Keystone's policy has for them: `identity:get_user`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from appliance.errors import Forbidden
from appliance.identity.tokens.token import Token

Target = Mapping[str, str | None]
Test = Callable[[Token, Target], bool]


@dataclass(frozen=True, slots=True)
class Check:
    """A test, and its text in the language of policy files."""

    text: str
    test: Test

    def __call__(self, token: Token, target: Target) -> bool:
        return self.test(token, target)


def check(text: str) -> Callable[[Test], Check]:
    """Make a check of a function."""
    return lambda test: Check(text, test)


NOTHING: Target = {}


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may do one thing, and with tokens of which scopes."""

    check: Check
    scopes: frozenset[str]


SYSTEM_OR_PROJECT = frozenset({"system", "project"})
ANY_SCOPE = frozenset({"system", "domain", "project"})
PROJECT = frozenset({"project"})


@check("@")
def anyone(token: Token, target: Target) -> bool:
    return True


def role(name: str) -> Check:
    return Check(f"role:{name}", lambda token, target: token.has_role(name))


def any_of(*checks: Check) -> Check:
    text = " or ".join(one.text for one in checks)
    return Check(text, lambda token, target: any(one(token, target) for one in checks))


def all_of(*checks: Check) -> Check:
    text = " and ".join(f"({one.text})" if " or " in one.text else one.text for one in checks)
    return Check(text, lambda token, target: all(one(token, target) for one in checks))


def user_is(name: str) -> Check:
    """The caller is the user that the target names so."""
    return Check(f"user_id:%({name})s", lambda token, target: target.get(name) == token.user.id)


def in_project(name: str) -> Check:
    """The token's project is the one that the target names so."""
    return Check(
        f"project_id:%({name})s",
        lambda token, target: token.project is not None and target.get(name) == token.project.id,
    )


def in_domain(*names: str) -> Check:
    """The token's scope is the domain that the target names so, each time."""
    return Check(
        " and ".join(f"domain_id:%({name})s" for name in names),
        lambda token, target: token.domain is not None and all(target.get(n) == token.domain.id for n in names),
    )


def project_in_domain(name: str) -> Check:
    """The token's project is in the domain that the target names so."""
    return Check(
        f"project_domain_id:%({name})s",
        lambda token, target: token.project is not None and target.get(name) == token.project.domain.id,
    )


admin = role("admin")
service = role("service")
system = Check("system_scope:all", lambda token, target: token.system)
system_reader = all_of(role("reader"), system)
system_admin = all_of(role("admin"), system)
of_domain = Check("not domain_id:None", lambda token, target: token.domain is not None)
outside_domains = Check("domain_id:None", lambda token, target: token.domain is None)


def scope_of(token: Token) -> str:
    """An unscoped token counts as one of a project, as oslo.policy has it."""
    if token.system:
        return "system"
    return "domain" if token.domain is not None else "project"


def allowed(rules: Mapping[str, Rule], token: Token, action: str, target: Target = NOTHING) -> bool:
    rule = rules[action]
    return scope_of(token) in rule.scopes and rule.check(token, target)


def enforce(rules: Mapping[str, Rule], token: Token, action: str, target: Target = NOTHING) -> None:
    """Raise `Forbidden` unless the rule of `action` lets the token do it to the target."""
    if not allowed(rules, token, action, target):
        raise Forbidden(f"You are not authorized to perform the requested action: {action}.")
