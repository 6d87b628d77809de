"""What `serve` looks at before it touches its data directory, so that what is wrong is said in one clear sentence."""

import os
import shutil
import time
from pathlib import Path

from appliance.blobs.reserve import NAME as reserve_name
from appliance.datadir import DataDir
from appliance.errors import Fatal
from appliance.values import MIB

ROOM_TO_BEGIN = 16 * MIB
"""Less than this, and a first start can't even make its database."""
ROOM_TO_START = MIB
"""Less than this, and a database that is there can't be opened, for SQLite needs files beside it."""
ROOM_TO_WORK = 256 * MIB
MINUTES, DAY = 300, 86400
"""Seconds by which a clock may be behind: with a warning, and at all."""


def check(data_dir: Path, now: float) -> list[str]:
    """Warnings about the directory, its disk and the clock. Raises `Fatal` where going on would do harm."""
    directory = DataDir(data_dir)
    if data_dir.exists() and not data_dir.is_dir():
        raise Fatal(f"{data_dir} can't be the data directory: it is a file")
    _check_owner(directory)
    if holder := directory.holder():
        raise Fatal(f"{directory.path} is in use by {holder}")
    return [warning for warning in (_check_clock(directory, now), _check_room(directory)) if warning]


def _check_owner(directory: DataDir) -> None:
    """A directory that another user has served from: some of its files can't be written."""
    for path in (directory.path, directory.database, directory.blobs, directory.keys):
        if path.exists() and not os.access(path, os.W_OK):
            if os.statvfs(path).f_flag & os.ST_RDONLY:
                raise Fatal(
                    f"{path} is on a file system that is mounted read-only: mount it for writing (after an error the "
                    "kernel may have made it read-only: see its log)"
                )
            raise Fatal(
                f"{path} can't be written by this user (id {os.geteuid()}); it belongs to the user with id "
                f"{path.stat().st_uid}"
            )


def _check_clock(directory: DataDir, now: float) -> str:
    """A clock that is behind the last use of the directory: tokens and their revocations would be out of order."""
    used = [
        path.stat().st_mtime
        for path in (directory.path / "lock", directory.database, directory.path / "appliance.db-wal")
        if path.exists()
    ]
    behind = max(used, default=now) - now
    if behind < MINUTES:
        return ""
    told = (
        f"the clock says {_text(now)}, which is behind the last use of {directory.path} at {_text(max(used))}: "
        "set the clock, or if it was wrong then and is right now, `touch` the files in the directory"
    )
    if behind >= DAY:
        raise Fatal(told)
    return told


def _check_room(directory: DataDir) -> str:
    there = next(path for path in (directory.path, *directory.path.parents) if path.exists())
    reserve = directory.path / reserve_name
    free = shutil.disk_usage(there).free + (reserve.stat().st_size if reserve.is_file() else 0)
    needed = ROOM_TO_START if directory.database.exists() else ROOM_TO_BEGIN
    if free < needed:
        raise Fatal(
            f"the disk of {directory.path} is full: it has {free // MIB} MiB free, and a start needs {needed // MIB}"
        )
    if free < ROOM_TO_WORK:
        return f"the disk of {directory.path} is nearly full: {free // MIB} MiB are free"
    return ""


def _text(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))
