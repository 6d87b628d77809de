"""The settings as flags, in the sections of the settings table."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import click

from appliance import logs
from appliance.cli.commands import collecting, option
from appliance.setting_sources import load
from appliance.settings import FIELDS, SECRETS, Settings, describe, flag, is_switch, sections, variable

Flags = Mapping[str, Any]
"""What the flags give: a setting's name with its text, True or False; None if it was not given."""


def with_settings(*chosen: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A flag for each of the settings `chosen`, or for all of them; the verb gets them as `flags`."""
    names = chosen or tuple(FIELDS)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        wrapped = collecting("flags", ("config", *names), dict)(function)
        options = [
            option(
                "--config",
                metavar="FILE",
                type=click.Path(),
                section="Settings",
                help="settings file [DATA_DIR/appliance.toml]; each flag below is also a key of it and a variable "
                "APPLIANCE_…",
            ),
            *(_setting(name, "Settings" if chosen else title) for title, part in _by_section(names) for name in part),
        ]
        return functools.reduce(lambda made, add: add(made), reversed(options), wrapped)

    return decorate


def _by_section(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    wanted = set(names)
    for title, members in sections().items():
        yield title, [name for name in members if name in wanted]


_FILES = ("_dir", "_file", "_path", "sample_images")


def _setting(name: str, section: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    _, _, default, meaning = describe(name)
    said = f"{meaning} [{default}]" if default else meaning
    if is_switch(name):
        said = f"{meaning} [{'on' if FIELDS[name].default else 'off'}]"
        return option(f"{flag(name)}/{flag('no_' + name)}", name, default=None, section=section, help=said)
    kind = click.Path() if name.endswith(_FILES) else None
    return option(flag(name), name, metavar=name.upper().rsplit("_", 1)[-1], type=kind, section=section, help=said)


def exposed_secrets(flags: Flags) -> list[str]:
    """A warning for each secret that is in the command line, where every user of the machine can read it."""
    given = [name for name in SECRETS if _is_secret(name, flags.get(name))]
    return [
        f"every user of this machine can read {flag(name)} in the list of processes: say {flag(f'{name}_file')} FILE, "
        f"or set {variable(name)}"
        for name in given
    ]


def _is_secret(name: str, value: str | None) -> bool:
    """Whether it is one. The URL of a database is if there is a password in it."""
    return value is not None and (name != "database" or bool(urlsplit(value).password) or "password=" in value)


DIRECTORY = ("data_dir", "database", "enabled_backends", "default_backend", "store_url", "store_options", "log_level")
"""The settings that say which directory, and where its stores are."""


with_directory = with_settings(*DIRECTORY)
"""The flags of a verb that needs no other settings."""


def settings_for(flags: Flags) -> Settings:
    """The settings that flags, environment and file give; starts the log, quietly unless told otherwise."""
    settings = load(flags)
    logs.configure(flags.get("log_level") or "WARNING")
    return settings
