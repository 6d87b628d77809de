"""How rules are written and applied: small checks on a token and a target, joined by `any_of` and `all_of`.

A target is what is known of the thing acted upon, under names such as `user.id` or `project.domain_id`. A name that is
missing from it never matches. Rules have the names that Keystone's policy has for them: `identity:get_user`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from appliance.errors import Forbidden
from appliance.identity.token import Token

Target = Mapping[str, str | None]
Check = Callable[[Token, Target], bool]

NOTHING: Target = {}


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may do one thing, and with tokens of which scopes."""

    check: Check
    scopes: frozenset[str]


SYSTEM_OR_PROJECT = frozenset({"system", "project"})
ANY_SCOPE = frozenset({"system", "domain", "project"})
PROJECT = frozenset({"project"})


def anyone(token: Token, target: Target) -> bool:
    return True


def admin(token: Token, target: Target) -> bool:
    return token.has_role("admin")


def system_reader(token: Token, target: Target) -> bool:
    return token.system and token.has_role("reader")


def system_admin(token: Token, target: Target) -> bool:
    return token.system and token.has_role("admin")


def service(token: Token, target: Target) -> bool:
    return token.has_role("service")


def any_of(*checks: Check) -> Check:
    return lambda token, target: any(check(token, target) for check in checks)


def all_of(*checks: Check) -> Check:
    return lambda token, target: all(check(token, target) for check in checks)


def role(name: str) -> Check:
    return lambda token, target: token.has_role(name)


def user_is(name: str) -> Check:
    """The caller is the user that the target names so."""
    return lambda token, target: target.get(name) == token.user.id


def in_project(name: str) -> Check:
    """The token's project is the one that the target names so."""
    return lambda token, target: token.project is not None and target.get(name) == token.project.id


def in_domain(*names: str) -> Check:
    """The token's scope is the domain that the target names so, each time."""
    return lambda token, target: token.domain is not None and all(target.get(n) == token.domain.id for n in names)


def project_in_domain(name: str) -> Check:
    """The token's project lies in the domain that the target names so."""
    return lambda token, target: token.project is not None and target.get(name) == token.project.domain.id


def outside_domains(token: Token, target: Target) -> bool:
    """The token's scope is no domain."""
    return token.domain is None


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
