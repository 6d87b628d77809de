"""Write the generated parts of the documentation: the tables of settings, verbs and routes.

Each stands between two marks in its file, `<!-- NAME -->` and `<!-- /NAME -->`. `make docs` writes them, and a test
fails when one is out of date.
"""

import functools
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from appliance.cli.commands import commands  # noqa: E402
from appliance.identity.policy.rules import RULES as IDENTITY_POLICIES  # noqa: E402
from appliance.image.policies import RULES as IMAGE_POLICIES  # noqa: E402
from appliance.policy.rules import Default  # noqa: E402
from appliance.settings import FIELDS, Settings, describe  # noqa: E402
from appliance.wiring import Appliance  # noqa: E402


def settings_table() -> str:
    """One line a setting."""
    lines = ["| flag | variable | default | meaning |", "|---|---|---|---|"]
    for name in FIELDS:
        flag, variable, default, meaning = describe(name)
        lines.append(f"| `{flag}` | `{variable}` | {f'`{default}`' if default else ''} | {meaning} |")
    return "\n".join(lines)


def verbs_table() -> str:
    """One line a verb."""
    lines = ["| command | what it does |", "|---|---|"]
    lines += [f"| `glance-appliance {name}` | {ctx.command.short_help} |" for name, ctx in commands()]
    return "\n".join(lines)


def routes_table(service: str) -> str:
    """One line a path of a service, in the order of its table, with the methods that it takes."""
    methods: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as directory:
        with Appliance(Settings(data_dir=Path(directory), legacy=True)) as appliance:
            for route in appliance.services.routes[service]:
                path = re.sub(r"<(\w+)(?::[^>]*)?>", r"{\1}", route.path)
                methods.setdefault(path, []).append(route.method)
    lines = [f"| `{path}` | {' '.join(takes)} |" for path, takes in methods.items()]
    return "\n".join(["| path | methods |", "|---|---|", *lines])


def identity_policies_table() -> str:
    return _policies(IDENTITY_POLICIES, "identity", "identity-v2", "identity-v2-admin")


def image_policies_table() -> str:
    return _policies(IMAGE_POLICIES, "image", "image-v1")


def _policies(policies: Mapping[str, Default], *services: str) -> str:
    """One line a policy: its default, the scopes of tokens that it takes, and the routes that name it."""
    routes = _routes_by_policy(*services)
    lines = ["| policy | default | scopes | named by |", "|---|---|---|---|"]
    for name, policy in policies.items():
        scopes = " ".join(sorted(policy.scopes))
        lines.append(f"| `{name}` | `{policy.text or '@'}` | {scopes} | {routes.get(name, '')} |")
    return "\n".join(lines)


def _routes_by_policy(*services: str) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as directory:
        with Appliance(Settings(data_dir=Path(directory), legacy=True)) as appliance:
            for route in (route for service in services for route in appliance.services.routes[service]):
                path = re.sub(r"<(\w+)(?::[^>]*)?>", r"{\1}", route.path)
                for policy in route.policies:
                    found.setdefault(policy, []).append(f"`{route.method} {path}`")
    return {policy: "<br>".join(dict.fromkeys(routes)) for policy, routes in found.items()}


PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "docs/operations.md": {"settings": settings_table, "verbs": verbs_table},
    "docs/api-coverage.md": {
        "image": lambda: routes_table("image"),
        "identity": lambda: routes_table("identity"),
        "image-v1": lambda: routes_table("image-v1"),
        "identity-v2": lambda: routes_table("identity-v2"),
        "identity-v2-admin": lambda: routes_table("identity-v2-admin"),
    },
    "docs/policies.md": {"identity": identity_policies_table, "image": image_policies_table},
}


def rendered(file: str) -> tuple[str, str]:
    """The file as it is, and as it should be."""
    text = (ROOT / file).read_text()
    fresh = text
    for name, make in PARTS[file].items():
        body = make()
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
        fresh, count = marks.subn(functools.partial(_between, body), fresh)
        if count != 1:
            raise SystemExit(f"{file} lacks the marks of {name}")
    return text, fresh


def _between(body: str, marks: re.Match[str]) -> str:
    return f"{marks[1]}{body}\n{marks[2]}"


if __name__ == "__main__":
    for each in PARTS:
        (ROOT / each).write_text(rendered(each)[1])
