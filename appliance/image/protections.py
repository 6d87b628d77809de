"""Protected properties: who may create, read, change and delete which extra properties, by an operator's file.

The file is an INI file as Glance has it: each section is a regular expression for names of properties, and the first
one that matches counts. A name that none matches is nobody's. What it names are roles, or rules of the policy file.
The service's own properties are not subject to it.
"""

import configparser
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.db.image.images import ImageRecord
from appliance.errors import Forbidden, WrongUsage
from appliance.image.policies import credentials
from appliance.image.rules import INTERNAL
from appliance.patterns import OperatorPattern
from appliance.policy.rules import PolicyRules
from appliance.settings import Settings
from appliance.values import Caller

OPERATIONS = ("create", "read", "update", "delete")
_ALL, _NOBODY = "@", "!"


@dataclass(frozen=True, slots=True)
class _ByRoles:
    """For whoever has one of some roles."""

    roles: frozenset[str]

    def lets(self, caller: Caller) -> bool:
        if _NOBODY in self.roles:
            return False
        return _ALL in self.roles or not self.roles.isdisjoint(caller.roles | caller.service_roles)


@dataclass(frozen=True, slots=True)
class _ByRule:
    """For whom a rule of the policy file lets. Nothing is known of what it is about, as in the original."""

    name: str
    rules: PolicyRules

    def lets(self, caller: Caller) -> bool:
        return self.rules.rule(self.name)(credentials(caller), {})


_Permission = _ByRoles | _ByRule


@dataclass(frozen=True, slots=True)
class _Section:
    names: OperatorPattern
    permissions: Mapping[str, _Permission]


class Protections:
    """The sections of one file, or none at all."""

    def __init__(self, settings: Settings, rules: PolicyRules) -> None:
        """Raises `WrongUsage` for a file that can't be meant: better no service than unprotected properties."""
        self._sections: list[_Section] | None = None
        if settings.property_protection_rule_format not in ("roles", "policies"):
            raise WrongUsage("property_protection_rule_format is roles or policies")
        if settings.property_protection_file:
            by_rules = settings.property_protection_rule_format == "policies"
            self._sections = _read(Path(settings.property_protection_file), rules if by_rules else None)

    def allows(self, caller: Caller, operation: str, name: str) -> bool:
        """Whether the caller may do this to a property of this name."""
        if self._sections is None or name.startswith(INTERNAL):
            return True
        section = next((section for section in self._sections if section.names.occurs(name)), None)
        return section is not None and section.permissions[operation].lets(caller)

    def check(self, caller: Caller, operation: str, *names: str) -> None:
        """Raise `Forbidden` unless the caller may do this to all of these."""
        for name in names:
            if not self.allows(caller, operation, name):
                raise Forbidden(f"Property '{name}' is reserved.")

    def hide(self, caller: Caller, image: ImageRecord) -> frozenset[str]:
        """Take what the caller may not read out of a record; the names of what was taken."""
        if self._sections is None:
            return frozenset()
        hidden = frozenset(name for name in image.properties if not self.allows(caller, "read", name))
        if hidden:
            image.properties = {name: value for name, value in image.properties.items() if name not in hidden}
        return hidden

    def readable(self, caller: Caller, names: Iterable[str]) -> bool:
        """Whether the caller may read all of these properties."""
        return all(self.allows(caller, "read", name) for name in names)


def rules_named(settings: Settings) -> dict[str, str]:
    """The rules that the file asks for, each with where. Raises `WrongUsage` for a file that can't be meant."""
    if not settings.property_protection_file or settings.property_protection_rule_format != "policies":
        return {}
    file = Path(settings.property_protection_file)
    named: dict[str, str] = {}
    for section, options in _parsed(file).items():
        for operation in OPERATIONS:
            name = options.get(operation, "").strip()
            if name not in ("", _ALL, _NOBODY) and "," not in name:
                named.setdefault(name, f"property_protection_file: [{section}] in {file}: {operation}")
    return named


def _read(file: Path, rules: PolicyRules | None) -> list[_Section]:
    return [_section(file, name, options, rules) for name, options in _parsed(file).items()]


def _parsed(file: Path) -> dict[str, Mapping[str, str]]:
    """The file's sections."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.read_text(), str(file))
    except OSError as error:
        raise WrongUsage(f"property_protection_file: {file} can't be read: {error.strerror}") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise WrongUsage(f"property_protection_file: {file} is no file of rules: {reason}") from error
    return {name: parser[name] for name in parser.sections()}


def _section(file: Path, section: str, options: Mapping[str, str], rules: PolicyRules | None) -> _Section:
    where = f"property_protection_file: [{section}] in {file}"
    try:
        names = OperatorPattern(section)
    except ValueError as error:
        raise WrongUsage(f"{where}: {error}") from error
    permissions: dict[str, _Permission] = {}
    for operation in OPERATIONS:
        if operation not in options:
            raise WrongUsage(f"{where} does not say who may {operation}")
        if rules is None:
            permissions[operation] = _by_roles(options[operation], f"{where}: {operation}")
        else:
            permissions[operation] = _by_rule(options[operation].strip(), rules, f"{where}: {operation}")
    return _Section(names, permissions)


def _by_roles(text: str, where: str) -> _ByRoles:
    roles = frozenset(role.strip().lower() for role in text.split(",") if role.strip())
    if {_ALL, _NOBODY} <= roles:
        raise WrongUsage(f"{where} is for all and for nobody")
    return _ByRoles(roles)


def _by_rule(name: str, rules: PolicyRules, where: str) -> _Permission:
    if name in ("", _ALL, _NOBODY):
        return _by_roles(name, where)
    if "," in name:
        raise WrongUsage(f"{where} names several policies; join them in the policy file")
    return _ByRule(name, rules)
