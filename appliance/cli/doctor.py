"""`doctor`: find out what does not fit in a data directory, repair what can be, rebuild a lost database."""

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from appliance.blobs.durable import Disk
from appliance.blobs.verify import Finding
from appliance.cli.client.administrators import stale_password
from appliance.cli.flags import OpenDirectory, add_directory, owned, settings_for
from appliance.datadir import DataDir
from appliance.db.engine.files import salvage
from appliance.errors import Corrupt, Fatal
from appliance.identity.bootstrap import administrators, has_users
from appliance.image.stores import store_directories, with_recorded_stores
from appliance.maintenance.doctor import Doctor
from appliance.settings import Settings
from appliance.startup import no_administrator
from appliance.values import now

_DAMAGED = "database-damaged"
_WHAT_TO_DO = (
    "restore a backup to a new directory, or run `doctor --rebuild`: it makes a new database from the stored data, and "
    "keeps the damaged one beside it"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deep", action="store_true", help="read every stored byte, too")
    parser.add_argument("--repair", action="store_true", help="give back what nothing names")
    parser.add_argument(
        "--rebuild", action="store_true", help="put a lost or damaged database aside and make one from the stored data"
    )
    add_directory(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_for(arguments)
    if arguments.rebuild:
        _rebuild(settings)
    try:
        kinds = _examine(arguments, settings)
    except Corrupt as error:
        print(f"database-damaged: {error}")
        kinds = Counter({_DAMAGED: 1})
    count = kinds.total()
    print(f"{count} findings" if count else "nothing is wrong")
    if kinds[_DAMAGED]:
        print(_WHAT_TO_DO)
    return 1 if count else 0


def _examine(arguments: argparse.Namespace, settings: Settings) -> Counter[str]:
    """Tell what does not fit; says how much there is of each kind."""
    kinds: Counter[str] = Counter()
    with owned(settings, "doctor") as opened:
        doctor = Doctor(opened.db, opened.stores, now)
        if arguments.repair:
            for done in doctor.repair():
                print(done)
        for finding in chain(doctor.examine(deep=arguments.deep), _access(settings, opened)):
            print(f"{finding.kind}: {finding.text}")
            kinds[finding.kind] += 1
    return kinds


def _access(settings: Settings, opened: OpenDirectory) -> Iterator[Finding]:
    """Whether an administrator can get in, if there have been users here yet."""
    if settings.identity_mode != "own" or not has_users(opened.db):
        return
    directory = opened.directory
    if not administrators(opened.db):
        yield Finding("no-administrator", no_administrator(directory))
    elif stale := stale_password(directory):
        yield Finding("stale-password", stale)


def _rebuild(settings: Settings) -> None:
    if settings.database:
        raise Fatal(
            "`doctor --rebuild` makes a database file from the stored data, and the rows are on a database server: "
            "restore them there, or run it without --database."
        )
    directory = DataDir(settings.data_dir)
    _check_stores(settings, directory)
    directory.acquire("doctor")
    try:
        aside = _put_aside(directory)
    finally:
        directory.release()
    with owned(settings, "doctor", lost_index=True) as opened:
        former = salvage(aside) if aside else {}
        recovery = Doctor(opened.db, opened.stores, now).rebuild(former)
    print(f"{len(recovery.images)} images are back")
    if recovery.as_before:
        print(f"{recovery.as_before} of them as the former database still told: status, visibility, owner, protection")
    if others := len(recovery.images) - recovery.as_before:
        print(
            f"{others} of them are private and active, whatever they were before: an admin can hand them out, and has "
            "to deactivate again what was deactivated"
        )
    if recovery.images:
        print("members of shared images are not in the stored data: share them again")
    if aside:
        print(f"the former database is kept as {aside}")
    if recovery.deleted:
        print(f"{recovery.deleted} deleted uploads stay deleted")
    if recovery.incomplete:
        print(f"{recovery.incomplete} uploads lack some of their data and are lost")
    for damage in recovery.damage:
        print(damage)
    print("users, projects and passwords are not in the stored data: the next start makes a new administrator")


def _check_stores(settings: Settings, directory: DataDir) -> None:
    """Raise `Fatal` unless every store is there: a rebuild without one would let its images go in silence."""
    stores = store_directories(with_recorded_stores(settings, directory), directory)
    missing = [name for name, path in stores.items() if not path.is_dir()]
    if missing == list(stores):
        raise Fatal(f"{directory.path} has no stored data to make a database from: is it the right directory?")
    for name in missing:
        raise Fatal(
            f"{stores[name]}, the directory of the store {name}, is not there: mount its disk, or make an empty "
            "directory in its place if its data is lost"
        )


def _put_aside(directory: DataDir) -> Path | None:
    """Move the database away, so that a new one can be made; its write-ahead log belongs to it."""
    if not directory.database.is_file():
        return None
    disk = Disk()
    aside = directory.path / time.strftime("appliance.db.damaged-%Y%m%dT%H%M%S")
    try:
        for suffix in ("-wal", "-shm", ""):
            path = directory.path / f"appliance.db{suffix}"
            if path.exists():
                disk.rename(path, aside.with_name(aside.name + suffix))
        disk.sync_directory(directory.path)
    except OSError as error:
        raise Fatal(f"can't put the database aside: {os.strerror(error.errno or 0)}") from error
    return aside
