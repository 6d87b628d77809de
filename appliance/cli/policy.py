"""`policy`: who may do what, by the names that operators know from Glance and Keystone."""

from typing import Any

import click

from appliance.cli.commands import argument, group, option, verb
from appliance.cli.output import Output, with_output
from appliance.errors import Fatal
from appliance.identity.policy.rules import RULES as IDENTITY
from appliance.image.metadefs.access import RULES as METADEFS
from appliance.image.rules import POLICIES as IMAGE

_COLUMNS = ("service", "policy", "check", "scopes")
_SERVICES = ("identity", "image")


def rows() -> list[dict[str, Any]]:
    """Every policy of both services. What `check` says of the image service's is said of those who are no admins."""
    found = [
        {"service": "identity", "policy": name, "check": rule.check.text, "scopes": " ".join(sorted(rule.scopes))}
        for name, rule in IDENTITY.items()
    ]
    whom = {name: rule.text for name, rule in IMAGE.items()} | {name: f"role:{role}" for name, role in METADEFS.items()}
    found += [
        {"service": "image", "policy": name, "check": check.replace("`", "") or "role:admin", "scopes": "project"}
        for name, check in whom.items()
    ]
    return found


def _known(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [row["policy"] for row in rows() if row["policy"].startswith(incomplete)]


@verb("list", "list the policies of both services")
@argument("parts", metavar="[NAME]...", nargs=-1, shell_complete=_known, help="only those whose name contains this")
@option("--service", type=click.Choice(_SERVICES), metavar="SERVICE", help="only of this service: identity or image")
@with_output
def list_(output: Output, parts: tuple[str, ...], service: str | None) -> int:
    chosen = [
        row
        for row in rows()
        if service in (None, row["service"]) and (not parts or any(part in row["policy"] for part in parts))
    ]
    if not chosen:
        raise Fatal(f"no policy is called {' or '.join(parts)}")
    output.many(chosen, _COLUMNS)
    return 0


policy = group("policy", list_)
