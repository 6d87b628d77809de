"""A data directory opened by a verb that works on it while nothing serves from it."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from appliance import logs
from appliance.blobs.reserve import Reserve
from appliance.cli.flags import add_settings, settings_of
from appliance.datadir import DataDir
from appliance.db.database import Database
from appliance.errors import Fatal
from appliance.image.store_record import with_recorded_stores
from appliance.image.store_setup import open_stores
from appliance.image.stores import Stores
from appliance.settings import Settings
from appliance.values import now

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
        if not directory.database.is_file() and not lost_index:
            raise Fatal(f"{directory.path} has no database; `doctor --rebuild` makes one from the stored data")
        settings = with_recorded_stores(settings, directory)
        reserve = Reserve(directory.path, settings.disk_reserve)
        # These verbs give room back, or find out what is wrong, on a full disk too.
        with reserve.spending():
            reserve.admit()
            db = Database(directory.database, reserve)
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
