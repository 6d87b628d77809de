"""Settings as flags: every verb that opens a data directory takes them the same way."""

import argparse
from collections.abc import Iterable

from appliance.settings import FIELDS, SECRETS, Settings, flag, is_switch, load, variable


def add_settings(parser: argparse.ArgumentParser, names: Iterable[str] | None = None) -> None:
    """Add a flag for each of the settings `names`, or for all of them."""
    group = parser.add_argument_group("settings", "each is also a variable APPLIANCE_… and a key of appliance.toml")
    group.add_argument("--config", metavar="FILE", help="settings file [DATA_DIR/appliance.toml]")
    for name in names or FIELDS:
        default = FIELDS[name].default
        shown = ",".join(default) if isinstance(default, tuple) else default
        meaning = f"{FIELDS[name].metadata['meaning']} [{shown}]".replace("%", "%%")
        if is_switch(name):
            group.add_argument(flag(name), action=argparse.BooleanOptionalAction, default=None, help=meaning)
        else:
            group.add_argument(flag(name), metavar=name.upper().rsplit("_", 1)[-1], help=meaning)


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings that this command line, the environment and the file give."""
    return load(vars(arguments))


def exposed_secrets(arguments: argparse.Namespace) -> list[str]:
    """A warning for each secret that is in the command line, where every user of the machine can read it."""
    given = [name for name in SECRETS if getattr(arguments, name, None) is not None]
    return [
        f"every user of this machine can read {flag(name)} in the list of processes: say {flag(f'{name}_file')} FILE, "
        f"or set {variable(name)}"
        for name in given
    ]


def describe(name: str) -> tuple[str, str, str, str]:
    """A setting's flag, variable, default and meaning, for the documentation."""
    field = FIELDS[name]
    default = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
    return flag(name), variable(name), default, field.metadata["meaning"]
