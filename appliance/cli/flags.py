"""The flags of verbs that work on a data directory."""

import argparse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from appliance import logs
from appliance.blobs.reserve import Reserve
from appliance.datadir import DataDir
from appliance.db.engine.base import Database
from appliance.db.engine.registry import open_database
from appliance.errors import Fatal
from appliance.image.stores import Stores, open_stores, with_recorded_stores
from appliance.settings import FIELDS, SECRETS, Settings, flag, is_switch, load, variable
from appliance.values import now


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
    given = [name for name in SECRETS if _is_secret(name, getattr(arguments, name, None))]
    return [
        f"every user of this machine can read {flag(name)} in the list of processes: say {flag(f'{name}_file')} FILE, "
        f"or set {variable(name)}"
        for name in given
    ]


def _is_secret(name: str, value: str | None) -> bool:
    """Whether it is one. The URL of a database is if there is a password in it."""
    return value is not None and (name != "database" or bool(urlsplit(value).password) or "password=" in value)


def describe(name: str) -> tuple[str, str, str, str]:
    """A setting's flag, variable, default and meaning, for the documentation."""
    field = FIELDS[name]
    default = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
    return flag(name), variable(name), default, field.metadata["meaning"]


DIRECTORY = ("data_dir", "enabled_backends", "default_backend", "log_level")
"""The settings that say which directory, and where its stores are."""


@dataclass(slots=True)
class OpenDirectory:
    """What there is in a directory, below the services."""

    settings: Settings
    directory: DataDir
    db: Database
    stores: Stores


def add_directory(parser: argparse.ArgumentParser) -> None:
    """The flags of a verb that needs no other settings."""
    add_settings(parser, DIRECTORY)


def settings_for(arguments: argparse.Namespace) -> Settings:
    """The settings of that directory; starts the log, quietly unless told otherwise."""
    settings = settings_of(arguments)
    logs.configure(arguments.log_level or "WARNING")
    return settings


@contextmanager
def owned(settings: Settings, purpose: str, *, lost_index: bool = False) -> Iterator[OpenDirectory]:
    """Own the directory and open its database and stores. Raises `Fatal` if it is in use, or is none."""
    directory = DataDir(settings.data_dir)
    if not directory.path.is_dir():
        raise Fatal(f"{directory.path} is not a data directory")
    directory.acquire(purpose)
    try:
        if not settings.database and not directory.database.is_file() and not lost_index:
            raise Fatal(f"{directory.path} has no database; `doctor --rebuild` makes one from the stored data")
        settings = with_recorded_stores(settings, directory)
        reserve = Reserve(directory.path, settings.disk_reserve)
        # These verbs give room back, or find out what is wrong, on a full disk too.
        with reserve.spending():
            reserve.admit()
            db = open_database(settings.database or directory.database, reserve)
            try:
                stores = open_stores(settings, directory, db, now, lost_index=lost_index, reserve=reserve)
                try:
                    yield OpenDirectory(settings, directory, db, stores)
                finally:
                    stores.close()
            finally:
                db.close()
    finally:
        directory.release()
