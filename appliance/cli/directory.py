"""A data directory that a verb works on by itself, below the services."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from appliance.blobs.reserve import Reserve
from appliance.datadir import DataDir
from appliance.db.engine.base import Database
from appliance.db.engine.registry import open_database
from appliance.db.transfer import refuse_moved
from appliance.errors import Fatal
from appliance.image.store_settings import with_recorded_stores
from appliance.image.stores import Stores, open_stores
from appliance.settings import Settings
from appliance.values import now


@dataclass(slots=True)
class OpenDirectory:
    """What there is in a directory, open for work."""

    settings: Settings
    directory: DataDir
    db: Database
    stores: Stores


@contextmanager
def owned(settings: Settings, purpose: str, *, lost_index: bool = False, frees: bool = True) -> Iterator[OpenDirectory]:
    """Own the directory and open its database and stores. Raises `Fatal` if it is in use, or is none.

    What `frees` room, or finds out what is wrong, goes on when the disk is full.
    """
    directory = DataDir(settings.data_dir)
    if not directory.path.is_dir():
        raise Fatal(f"{directory.path} is not a data directory")
    directory.acquire(purpose)
    try:
        if not settings.database and not directory.database.is_file() and not lost_index:
            raise Fatal(f"{directory.path} has no database; `doctor --rebuild` makes one from the stored data")
        settings = with_recorded_stores(settings, directory)
        reserve = Reserve(directory.path, settings.disk_reserve)
        with reserve.spending() if frees else nullcontext():
            reserve.admit()
            db = open_database(settings.database or directory.database, reserve)
            try:
                refuse_moved(db)
                stores = open_stores(settings, directory, db, now, lost_index=lost_index, reserve=reserve)
                try:
                    yield OpenDirectory(settings, directory, db, stores)
                finally:
                    stores.close()
            finally:
                db.close()
    finally:
        directory.release()
