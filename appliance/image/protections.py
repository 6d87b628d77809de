"""Protected properties: who may create, read, change and delete which extra properties, by an operator's file.

The file is an INI file as Glance has it: each section is a regular expression for names of properties, and the first
one that matches counts. A name that none matches is nobody's. The service's own properties are not subject to it.
"""

from collections.abc import Iterable, Mapping
from configparser import Error, RawConfigParser
from dataclasses import dataclass
from pathlib import Path

from appliance.db.image.images import ImageRecord
from appliance.errors import Forbidden, WrongUsage
from appliance.image.rules import INTERNAL
from appliance.patterns import OperatorPattern
from appliance.settings import Settings
from appliance.values import Caller

OPERATIONS = ("create", "read", "update", "delete")
_ALL, _NOBODY = "@", "!"


@dataclass(frozen=True, slots=True)
class _Rule:
    names: OperatorPattern
    roles: Mapping[str, frozenset[str]]

    def allows(self, operation: str, caller: Caller) -> bool:
        roles = self.roles[operation]
        return _NOBODY not in roles and (_ALL in roles or not roles.isdisjoint(caller.roles | caller.service_roles))


class Protections:
    """The rules of one file, or none at all."""

    def __init__(self, settings: Settings) -> None:
        """Raises `WrongUsage` for a file that can't be meant: better no service than unprotected properties."""
        self._rules: list[_Rule] | None = None
        if settings.property_protection_rule_format != "roles":
            raise WrongUsage(
                "property_protection_rule_format: the appliance has no policy file, so it can only be roles"
            )
        if settings.property_protection_file:
            self._rules = _read(Path(settings.property_protection_file))

    def allows(self, caller: Caller, operation: str, name: str) -> bool:
        """Whether the caller may do this to a property of this name."""
        if self._rules is None or name.startswith(INTERNAL):
            return True
        rule = next((rule for rule in self._rules if rule.names.occurs(name)), None)
        return rule is not None and rule.allows(operation, caller)

    def check(self, caller: Caller, operation: str, *names: str) -> None:
        """Raise `Forbidden` unless the caller may do this to all of these."""
        for name in names:
            if not self.allows(caller, operation, name):
                raise Forbidden(f"Property '{name}' is reserved.")

    def hide(self, caller: Caller, image: ImageRecord) -> frozenset[str]:
        """Take what the caller may not read out of a record; the names of what was taken."""
        if self._rules is None:
            return frozenset()
        hidden = frozenset(name for name in image.properties if not self.allows(caller, "read", name))
        if hidden:
            image.properties = {name: value for name, value in image.properties.items() if name not in hidden}
        return hidden

    def readable(self, caller: Caller, names: Iterable[str]) -> bool:
        """Whether the caller may read all of these properties."""
        return all(self.allows(caller, "read", name) for name in names)


def _read(file: Path) -> list[_Rule]:
    parser = RawConfigParser()
    try:
        parser.read_string(file.read_text(), str(file))
    except OSError as error:
        raise WrongUsage(f"property_protection_file: {file} can't be read: {error.strerror}") from error
    except (Error, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise WrongUsage(f"property_protection_file: {file} is no file of rules: {reason}") from error
    return [_rule(file, name, parser[name]) for name in parser.sections()]


def _rule(file: Path, section: str, options: Mapping[str, str]) -> _Rule:
    where = f"property_protection_file: [{section}] in {file}"
    try:
        names = OperatorPattern(section)
    except ValueError as error:
        raise WrongUsage(f"{where}: {error}") from error
    roles = {}
    for operation in OPERATIONS:
        if operation not in options:
            raise WrongUsage(f"{where} does not say who may {operation}")
        roles[operation] = frozenset(role.strip().lower() for role in options[operation].split(",") if role.strip())
        if {_ALL, _NOBODY} <= roles[operation]:
            raise WrongUsage(f"{where}: {operation} is for all and for nobody")
    return _Rule(names, roles)
