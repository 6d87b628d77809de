"""Where the values of settings come from.

Flags win over the environment, which wins over systemd's credentials, which win over the settings file, which wins over
the default. A secret can come from a file of its own (`admin_password_file`) at each of these levels.
"""

import os
import tomllib
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from appliance.errors import WrongUsage
from appliance.settings import ENVIRONMENT_PREFIX, FIELDS, SECRETS, TYPES, Settings, flag, variable
from appliance.values import number, read_secret


def load(flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that flags, environment, systemd's credentials and file give together, the first of them first.

    `flags` maps setting names to the text given, or to True for a switch; None means not given. The file is
    `appliance.toml` in the data directory, or the one that `config` in `flags` or `APPLIANCE_CONFIG` names.
    Raises `WrongUsage` for an unknown key or a value that does not fit.
    """
    return Settings(**_merged(level for _, level in _levels(flags, environment)))


def sources(flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Where the value of each setting that is not a default comes from."""
    found: dict[str, str] = {}
    for source, level in _levels(flags, environment):
        found = {**dict.fromkeys(level, source), **found}
    return found


def settings_file(flags: Mapping[str, Any], environment: Mapping[str, str]) -> Path:
    """The settings file that these would be read from. Raises `WrongUsage` for one that is named and is not there."""
    named = flags.get("config") or environment.get(f"{ENVIRONMENT_PREFIX}CONFIG")
    if named:
        if not Path(named).is_file():
            raise WrongUsage(f"{named} is not a file")
        return Path(named)
    given = flags.get("data_dir") or environment.get(variable("data_dir"))
    return Path(given or Settings().data_dir) / "appliance.toml"


def _levels(flags: Mapping[str, Any], environment: Mapping[str, str] | None) -> list[tuple[str, dict[str, Any]]]:
    """What each source gives, with its name, the first of them first."""
    environment = os.environ if environment is None else environment
    given = _given(flags, environment)
    file = settings_file(flags, environment)
    values = {name: convert(name, value, f"{name} in {file}") for name, value in _read(file).items()}
    levels = [*zip(("flag", "variable"), given, strict=True), ("credential", _credentials(environment))]
    return [(source, _with_secrets(level)) for source, level in (*levels, (str(file), values))]


def check(flags: Mapping[str, Any]) -> None:
    """Raise `WrongUsage` for a flag whose value does not fit. Looks at no file."""
    Settings(**_merged(_given(flags, {})))


def _given(flags: Mapping[str, Any], environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the flags give, and what the environment does."""
    return [
        {name: convert(name, flags[name], flag(name)) for name in FIELDS if flags.get(name) is not None},
        {
            name: convert(name, environment[variable(name)], variable(name))
            for name in FIELDS
            if variable(name) in environment
        },
    ]


def _merged(levels: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Several levels as one; the first that gives a setting wins."""
    found: dict[str, Any] = {}
    for level in levels:
        found = {**level, **found}
    return found


def _credentials(environment: Mapping[str, str]) -> dict[str, Any]:
    """What `LoadCredential=` in a unit gives: a file for a secret, under the name of its setting."""
    directory = environment.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return {}
    return {f"{name}_file": str(Path(directory) / name) for name in SECRETS if (Path(directory) / name).is_file()}


def _with_secrets(level: Mapping[str, Any]) -> dict[str, Any]:
    """One level with the secrets that its files hold."""
    found = dict(level)
    for name in SECRETS:
        file = found.get(f"{name}_file")
        if not file:
            continue
        if found.get(name):
            raise WrongUsage(f"{name} and {name}_file can't both be given")
        found[name] = read_secret(Path(file))
    return found


def _read(file: Path) -> dict[str, Any]:
    values = parsed(file)
    for name in values:
        if name not in FIELDS:
            raise WrongUsage(f"{file} has an unknown setting: {name}")
    return values


def parsed(file: Path) -> dict[str, Any]:
    """What a settings file says, whatever its keys; nothing if there is none. Raises `WrongUsage` if it is no TOML."""
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUsage(f"{file}: {error}") from error


def convert(name: str, value: Any, where: str) -> Any:
    """A setting's value from what a flag, a variable or a file gives. Raises `WrongUsage` if it does not fit."""
    kind = TYPES[name]
    if get_origin(kind) is types.UnionType:
        kind = next(part for part in get_args(kind) if part is not type(None))
    try:
        if kind is bool:
            return _switch(value)
        if kind is int:
            return number(value)
        if kind is Path:
            return Path(str(value))
        if get_origin(kind) is tuple:
            return tuple(str(part) for part in (value.split(",") if isinstance(value, str) else value) if part)
        return str(value)
    except (ValueError, TypeError) as error:
        raise WrongUsage(f"{where} can't be {value!r}: {error}") from error


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("say true or false")
