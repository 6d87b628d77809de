"""`config`: the settings in force, where each comes from, and what is wrong with them."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import click

from appliance.cli.commands import argument, group, switch, verb
from appliance.cli.flags import Flags, with_settings
from appliance.cli.output import Output, note, with_output
from appliance.errors import WrongUsage
from appliance.setting_sources import convert, load, parsed, settings_file, sources
from appliance.settings import ENVIRONMENT_PREFIX, FIELDS, SECRETS, VARIABLES, describe, flag, sections, variable

_HIDDEN = "(secret)"
_PASSWORD = re.compile(r"//[^/@\s]*:[^/@\s]+@|[:?& ]\w*(password|secret|token|key)=\S", re.IGNORECASE)


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in FIELDS if name.startswith(incomplete)]


def shown(name: str, value: Any) -> str | int:
    """A setting's value as others may see it: a secret, or a URL with a password in it, is hidden."""
    values = value if isinstance(value, tuple) else (value,)
    if name in SECRETS and value or any(_PASSWORD.search(str(one)) for one in values):
        return _HIDDEN
    return value if isinstance(value, bool | int) else ",".join(map(str, values))


@verb("show", "show the settings in force, and where each comes from")
@argument("names", metavar="[SETTING]...", nargs=-1, shell_complete=_names, help="only these settings")
@switch("--changed", help="only those that are not at their default")
@with_output
@with_settings("data_dir")
def show(flags: Flags, output: Output, names: tuple[str, ...], changed: bool) -> int:
    for name in names:
        if name not in FIELDS:
            raise WrongUsage(f"there is no setting {name}; `config show` lists all")
    settings, told = load(flags), sources(flags)
    rows: list[dict[str, Any]] = []
    for section, members in sections().items():
        for name in members:
            if (names and name not in names) or (changed and name not in told):
                continue
            value = shown(name, getattr(settings, name))
            flag_name, variable_name, default, meaning = describe(name)
            rows.append(
                {
                    "setting": name,
                    "value": value,
                    "source": told.get(name, "default"),
                    "section": section,
                    "flag": flag_name,
                    "variable": variable_name,
                    "default": default,
                    "meaning": meaning,
                }
            )
    output.many(rows, ("setting", "value", "source"))
    return 0


@verb("check", "say what is wrong with the settings: names that are unknown, values that don't fit")
@with_settings("data_dir")
def check(flags: Flags) -> int:
    found = _problems(flags)
    if not found:
        try:
            load(flags)
        except WrongUsage as error:
            found = [str(error)]
    for problem in found:
        print(problem)
    if not found:
        file = settings_file(flags, os.environ)
        print("nothing is wrong with the settings")
        note(f"{file} was read." if file.is_file() else f"There is no {file}, and there need not be one.")
    return 1 if found else 0


def _problems(flags: Flags) -> list[str]:
    """Every unknown variable and key, and every value that does not fit, each in a sentence."""
    environment = os.environ
    found = [f"there is no setting {name}{_meant(name, VARIABLES)}" for name in _unknown_variables(environment)]
    for name in FIELDS:
        for value, where in ((flags.get(name), flag(name)), (environment.get(variable(name)), variable(name))):
            found += _refused(name, value, where) if value is not None else []
    file = settings_file(flags, environment)
    try:
        values = parsed(file)
    except WrongUsage as error:
        return [*found, str(error)]
    for name, value in values.items():
        if name in FIELDS:
            found += _refused(name, value, f"{name} in {file}")
        else:
            found.append(f"{file} has an unknown setting: {name}{_meant(name, FIELDS)}")
    return found


def _unknown_variables(environment: Mapping[str, str]) -> list[str]:
    return sorted(name for name in environment if name.startswith(ENVIRONMENT_PREFIX) and name not in VARIABLES)


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else ""


def _refused(name: str, value: Any, where: str) -> list[str]:
    try:
        convert(name, value, where)
    except WrongUsage as error:
        return [str(error)]
    return []


config = group("config", show, check)
