"""`policy`: who may do what, by the names that operators know from Glance and Keystone, and as their files say."""

from collections.abc import Mapping
from typing import Any

import click

from appliance.cli.commands import argument, group, option, verb
from appliance.cli.flags import Flags, with_settings
from appliance.cli.output import Output, with_output
from appliance.errors import Fatal, WrongUsage
from appliance.identity.policy.checks import Looked
from appliance.identity.policy.rules import RULES as IDENTITY
from appliance.identity.policy.rules import identity_policies
from appliance.image.policies import RULES as IMAGE
from appliance.image.policies import ImagePolicies
from appliance.image.protections import rules_named
from appliance.policy.rules import Listed, PolicyRules
from appliance.setting_sources import load
from appliance.settings import Settings

_COLUMNS = ("service", "policy", "check", "scopes", "source")
_SERVICES = ("identity", "image")
_FILES = ("data_dir", "policy_file", "identity_policy_file", "property_protection_file")
_SETTINGS = (*_FILES, "property_protection_rule_format")


def _services(settings: Settings) -> dict[str, PolicyRules]:
    return {
        "identity": identity_policies(settings),
        "image": ImagePolicies(settings, rules_named(settings)).rules,
    }


def _rows(services: Mapping[str, PolicyRules]) -> list[tuple[dict[str, Any], Listed]]:
    return [
        (
            {
                "service": service,
                "policy": rule.name,
                "check": rule.text or "@",
                "scopes": " ".join(sorted(rule.scopes)),
                "source": rule.source,
            },
            rule,
        )
        for service, rules in services.items()
        for rule in rules.listed()
    ]


def _known(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in (*IDENTITY, *IMAGE) if name.startswith(incomplete)]


@verb("list", "list the policies of both services, and where each comes from")
@argument("parts", metavar="[NAME]...", nargs=-1, shell_complete=_known, help="only those whose name contains this")
@option("--service", type=click.Choice(_SERVICES), metavar="SERVICE", help="only of this service: identity or image")
@with_output
@with_settings(*_SETTINGS)
def list_(flags: Flags, output: Output, parts: tuple[str, ...], service: str | None) -> int:
    chosen = [
        row
        for row, rule in _rows(_services(load(flags)))
        if service in (None, row["service"]) and (not parts or any(part in rule.name for part in parts))
    ]
    if not chosen:
        raise Fatal(f"no policy is called {' or '.join(parts)}")
    output.many(chosen, _COLUMNS)
    return 0


@verb("check", "try the policies, those of the files included: may somebody do this? Nothing needs to run")
@argument("names", metavar="[POLICY]...", nargs=-1, shell_complete=_known, help="these policies; all, unless named")
@option(
    "--as",
    "who",
    multiple=True,
    metavar="CHECK",
    help="what the caller's token has, as role:NAME, project_id:ID, user_id:ID, domain_id:ID, system_scope:all; again "
    "for more. A token has every role that its roles imply: name them, too",
)
@option(
    "--target",
    "about",
    multiple=True,
    metavar="NAME=VALUE",
    help="what is known of the thing acted upon, as visibility=public or target.user.domain_id=default; again for more",
)
@with_output
@with_settings(*_SETTINGS)
def check(flags: Flags, output: Output, names: tuple[str, ...], who: tuple[str, ...], about: tuple[str, ...]) -> int:
    services = _services(load(flags))
    caller, target = _caller(who), Looked(dict(_pair(one, "=") for one in about))
    scope = "system" if caller["system_scope"] else "domain" if caller["domain_id"] else "project"
    for name in names:
        if not any(name in rules for rules in services.values()):
            raise WrongUsage(f"there is no policy {name}; `policy list` has all")
    rows = []
    for row, rule in _rows(services):
        if rule.name in names or not names:
            passes = services[row["service"]].rule(rule.name)(caller, target)
            takes = not rule.scopes or scope in rule.scopes
            answer = "yes" if passes and takes else "no" if takes else f"no: not with a token of the {scope}"
            rows.append(row | {"allowed": answer})
    output.many(rows, ("service", "policy", "allowed", "source", "check"))
    return 1 if names and any(row["allowed"] != "yes" for row in rows) else 0


def _caller(who: tuple[str, ...]) -> dict[str, Any]:
    """Credentials, as both services tell them to their rules."""
    plain = ("user_id", "user_domain_id", "project_id", "project_domain_id", "domain_id", "system_scope")
    found: dict[str, Any] = {name: None for name in plain}
    given = [_pair(one, ":") for one in who]
    found |= {name: value for name, value in given if name not in ("role", "rule")}
    found["roles"] = frozenset(value.lower() for name, value in given if name == "role")
    found["service_roles"] = ()
    project_domain = {"id": found["project_id"], "domain": {"id": found["project_domain_id"]}}
    found["token"] = {
        "user": {"id": found["user_id"], "domain": {"id": found["user_domain_id"]}},
        "domain": {"id": found["domain_id"]},
        "project": project_domain,
    }
    return found


def _pair(text: str, separator: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    if not found or not name:
        raise WrongUsage(f"{text!r} is not NAME{separator}VALUE")
    return name, value


policy = group("policy", list_, check)
