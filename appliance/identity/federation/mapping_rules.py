"""The language of mappings: from what an identity provider says of somebody to who they are here.

A rule applies if all of its `remote` requirements are met. Those without a condition, and those with a blacklist or a
whitelist, also give values, which its `local` part refers to as {0}, {1} and so on. What is filled in there stays a
value: it can't become a list, another domain, or one of the roles that a mapping has to name itself.
"""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from appliance.db.records import Record
from appliance.errors import Invalid
from appliance.identity.federation.mapping_schema import check_projects
from appliance.patterns import OperatorPattern

Assertion = Mapping[str, Sequence[str]]
"""What is said of a user: the values of each attribute."""

EPHEMERAL = "ephemeral"
LOCAL = "local"
_JSON = "JSON:"
_REFERENCE = re.compile(r"\{\{|\}\}|\{(\d+)\}|[{}]")
_ALONE = re.compile(r"\{(\d+)\}")


@dataclass
class Mapped:
    """What the rules that apply say together."""

    user: Record = field(default_factory=dict)
    group_ids: list[str] = field(default_factory=list)
    group_names: list[Record] = field(default_factory=list)
    """Each with a name and a domain."""
    projects: list[Record] = field(default_factory=list)
    claimed_roles: set[str] = field(default_factory=set)
    """The roles among those of the projects whose names the provider said, not the mapping."""

    def shown(self) -> Record:
        """As Keystone's `mapping_engine` prints it."""
        return {
            "user": self.user,
            "group_ids": self.group_ids,
            "group_names": self.group_names,
            "projects": self.projects,
        }


def evaluate(rules: Sequence[Record], version: str, assertion: Assertion) -> Mapped:
    """Apply the rules of a mapping. Raises `Invalid` if none applies, or one that does says nothing sensible."""
    applied: list[Record] = []
    mapped = Mapped()
    for rule in rules:
        values = _values(rule["remote"], assertion)
        if values is not None:
            applied += [_Filler(values, version, mapped).fill(local) for local in rule["local"]]
    if not applied:
        raise Invalid("Could not map any federated user properties to identity values.")
    for local in applied:
        _take(mapped, local, version)
    mapped.user.setdefault("type", EPHEMERAL)
    if version != "1.0" and not mapped.user.get("domain") and applied[-1].get("domain"):
        mapped.user["domain"] = applied[-1]["domain"]
    return mapped


# -- what is required --------------------------------------------------------------------------------------------------


def _values(requirements: Sequence[Record], assertion: Assertion) -> list[list[str]] | None:
    """The values that the local part may refer to; None if a requirement is not met."""
    found: list[list[str]] = []
    for requirement in requirements:
        said = list(assertion.get(requirement["type"], ()))
        if not said:
            return None
        name = next((one for one in ("any_one_of", "not_any_of", "blacklist", "whitelist") if one in requirement), None)
        if name is None:
            found.append(said)
            continue
        matching = _matching(requirement[name], said, regex=requirement.get("regex", False))
        if name in ("any_one_of", "not_any_of"):
            if bool(matching) is (name == "not_any_of"):
                return None
        else:
            found.append([one for one in said if (one in matching) is (name == "whitelist")])
    return found


def _matching(wanted: Sequence[Any], said: Sequence[str], *, regex: bool) -> list[str]:
    if not regex:
        return [one for one in said if one in wanted]
    return [one for one in said if any([_occurs(expression, one) for expression in wanted])]


def _occurs(expression: str, text: str) -> bool:
    """Raises `Invalid` for a text that is too long to tell: no answer would be right for every condition."""
    pattern = _pattern(expression)
    if len(text) > pattern.longest_within:
        raise Invalid(f"A value is too long to be matched with {expression!r}.")
    return pattern.occurs(text)


@lru_cache(maxsize=256)
def _pattern(expression: str) -> OperatorPattern:
    return OperatorPattern(expression)


# -- what it makes of somebody -----------------------------------------------------------------------------------------


class _Filler:
    """Fills values into the local part of one rule."""

    def __init__(self, values: Sequence[Sequence[str]], version: str, mapped: Mapped) -> None:
        self._values = values
        self._version = version
        self._mapped = mapped

    def fill(self, local: Record) -> Record:
        return {key: self._filled(key, value) for key, value in local.items()}

    def _filled(self, key: str, value: Any) -> Any:
        if key in ("groups", "group_ids"):
            return self._several(value)
        if key == "projects_json":
            return self._listed_projects(value)
        if key == "projects":
            return [self._project(project) for project in value]
        if isinstance(value, dict):
            return {name: self._filled(name, part) for name, part in value.items()}
        return self._text(value)

    def _project(self, project: Record) -> Record:
        filled: Record = {name: self._filled(name, part) for name, part in project.items() if name != "roles"}
        filled["roles"] = [{"name": self._text(role["name"])} for role in project["roles"]]
        claimed = [role["name"] for role in project["roles"] if _REFERENCE.search(role["name"])]
        self._mapped.claimed_roles |= {self._text(name) for name in claimed}
        return filled

    def _text(self, template: str) -> str:
        """One value stands for itself, several are written as a list."""

        def replaced(match: re.Match[str]) -> str:
            if match[0] in ("{{", "}}"):
                return match[0][0]
            values = self._referred(match)
            return values[0] if len(values) == 1 else str(values)

        return _REFERENCE.sub(replaced, template)

    def _several(self, template: str) -> list[str]:
        """A reference alone stands for all of its values; a list in Python's notation for its parts."""
        if match := _ALONE.fullmatch(template):
            return self._referred(match)
        try:
            parts = ast.literal_eval(template)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            parts = template
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            parts = [template]
        return [self._text(part) for part in parts]

    def _listed_projects(self, template: str) -> list[Record]:
        """Projects as the provider lists them, in JSON."""
        match = re.match(r"\{?(\d+)\}?", template)
        if match is None:
            raise Invalid(f"projects_json refers to one value, as in {{0}}; it can't be {template!r}.")
        try:
            projects = json.loads(self._text(f"{{{match[1]}}}"))
        except (ValueError, RecursionError) as error:
            raise Invalid("What projects_json refers to is no JSON.") from error
        check_projects(projects, self._version)
        self._mapped.claimed_roles |= {role["name"] for project in projects for role in project["roles"]}
        return list(projects)

    def _referred(self, match: re.Match[str]) -> list[str]:
        if match[1] is None or int(match[1]) >= len(self._values):
            raise Invalid(f"The mapping refers to {match[0]}, which no remote part of its rule gives.")
        return list(self._values[int(match[1])])


def _take(mapped: Mapped, local: Record, version: str) -> None:
    """Add what one local part says. The first user counts, and the last list of projects."""
    if local.get("user") and not mapped.user:
        mapped.user = dict(local["user"])
    group = local.get("group", {})
    ids = [group["id"]] if "id" in group else []
    names = [group] if "name" in group else []
    if "groups" in local:
        names += _groups(local)
    mapped.group_ids += [one for one in [*ids, *local.get("group_ids", ())] if one not in mapped.group_ids]
    mapped.group_names += [one for one in names if one not in mapped.group_names]
    if "projects" in local or "projects_json" in local:
        domain = local.get("domain") if version != "1.0" else None
        projects = [*local.get("projects", ()), *local.get("projects_json", ())]
        mapped.projects = [_in_domain(project, domain) for project in projects]


def _in_domain(project: Record, domain: Record | None) -> Record:
    return project if project.get("domain") or not domain else {**project, "domain": domain}


def _groups(local: Record) -> list[Record]:
    """Groups of the rule's domain; in a rule without one, each says in JSON which it is."""
    if "domain" in local:
        return [{"name": name, "domain": local["domain"]} for name in local["groups"]]
    groups = []
    for text in local["groups"]:
        try:
            group = json.loads(text.removeprefix(_JSON)) if text.startswith(_JSON) else None
        except (ValueError, RecursionError):
            group = None
        if not isinstance(group, dict) or not isinstance(group.get("domain"), dict):
            raise Invalid("Invalid rule. Both 'groups' and 'domain' keywords must be specified.")
        domain = {name: str(group["domain"][name]) for name in ("id", "name") if name in group["domain"]}
        groups.append({"name": str(group.get("name")), "domain": domain})
    return groups
