"""`serve` and `init`: what is looked at before the data directory is touched, and the run of the appliance."""

import logging
import os
import shutil
import signal
import sys
import time
from functools import partial
from pathlib import Path
from types import FrameType

from appliance import logs
from appliance.blobs.reserve import NAME as reserve_name
from appliance.cli import streams, systemd
from appliance.cli.about import with_bundled_samples
from appliance.cli.client.calls import Http, Refused
from appliance.cli.commands import verb
from appliance.cli.flags import Flags, exposed_secrets, settings_for, with_settings
from appliance.cli.machine import is_one_file
from appliance.datadir import DataDir, reason
from appliance.errors import ApplianceError, Fatal, WrongUsage
from appliance.ports import bound
from appliance.setting_sources import load
from appliance.settings import FIELDS, Settings
from appliance.startup import StartupReport
from appliance.values import MIB
from appliance.wiring import Appliance

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


log = logging.getLogger(__name__)

_RELOADED = ("log_level", "log_format", "log_file")


@verb()
@with_settings()
def serve(flags: Flags) -> int:
    settings = with_bundled_samples(load(flags))
    _start_log(settings)
    # Whatever is made from here on, by libraries and helper programs too, is for this user alone.
    os.umask(0o077)
    for warning in (*exposed_secrets(flags), *check(settings.data_dir, time.time())):
        log.warning(warning)
    started_by = os.getppid()
    with bound(settings, systemd.passed_sockets()) as sockets, Appliance(settings, sockets=sockets) as appliance:
        report = appliance.start()

        def stop(number: int, frame: FrameType | None) -> None:
            systemd.notify(STOPPING=1)
            appliance.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        # Not here and now: the signal may come in the middle of a line of the log.
        reload = partial(_reload, flags, settings, appliance)
        signal.signal(signal.SIGHUP, lambda number, frame: appliance.post(reload))
        if is_one_file():
            streams.follow()
        _print_report(report, settings)
        watchdog = systemd.Watchdog(systemd.watchdog_seconds(), lambda: _answers(appliance.places.local()[0]))
        systemd.notify(READY=1, STATUS=f"serving images at {report.image_url}")
        watchdog.start()
        appliance.run()
        watchdog.stop()
    streams.clean_up(started_by)
    return 0


def _answers(image_url: str) -> bool:
    """Whether the service answers anything at all: a refusal is a sign of life, too."""
    try:
        Http(verify=False).call("GET", f"{image_url}/healthcheck", {})
    except Refused:
        return True
    except ApplianceError:
        return False
    return True


def _reload(flags: Flags, running: Settings, appliance: Appliance) -> None:
    """Take over what can change while serving, and say what can't. Wrong settings change nothing."""
    systemd.notify_reloading()
    try:
        fresh = with_bundled_samples(load(flags))
        _start_log(fresh)
        appliance.site.reload_keys()
        appliance.https.reload()
    except ApplianceError as error:
        log.error("settings not reloaded: %s", error)
        systemd.notify(READY=1)
        return
    log.info("settings reloaded; log_level is %s", fresh.log_level)
    for name in FIELDS:
        if name not in _RELOADED and getattr(fresh, name) != getattr(running, name):
            log.warning("the new %s takes effect at the next start", name)
    systemd.notify(READY=1)


def _start_log(settings: Settings) -> None:
    try:
        logs.configure(settings.log_level, settings.log_format, settings.log_file)
    except ValueError as error:
        raise WrongUsage(str(error)) from None
    except OSError as error:
        raise Fatal(f"can't write the log to {settings.log_file}: {reason(error)}") from error


def _print_report(report: StartupReport, settings: Settings) -> None:
    """The ready lines, which scripts read, and then what a person types next."""
    print(f"image {report.image_url}")
    print(f"identity {report.identity_url}/v3")
    if report.console_url:
        print(f"console {report.console_url}")
    if report.metrics_url:
        print(f"metrics {report.metrics_url}")
    if report.admin_url:
        print(f"identity-admin {report.admin_url}/v2.0")
    if report.new_password:
        print(f"\nThe administrator is admin, with the password {report.new_password}")
        print(f"(printed this once; {report.files[0]} has it too)")
    for message in report.messages:
        print(message)
    if report.console_link:
        print("\nThis link opens the console as the administrator, once and within ten minutes:\n")
        print(f"  {report.console_link}")
    print("\n".join(_next_steps(report, settings)))
    sys.stdout.flush()


def _next_steps(report: StartupReport, settings: Settings) -> list[str]:
    """What to type in another terminal, with the files that are there."""
    sourced = [path for path in report.files if path.name == "admin-openrc"]
    if settings.identity_mode != "own":
        prepare = [f"export OS_CLIENT_CONFIG_FILE={report.files[0]} OS_CLOUD=appliance"]
        told = (
            f"The tokens of {settings.keystone_url} are taken here. A user of that Keystone types in another terminal:"
        )
        user = "--os-username USER --os-project-name PROJECT "
    elif report.files:
        prepare = [f"source {sourced[0]}"] if sourced else [f"export OS_CLIENT_CONFIG_FILE={report.files[0]}"]
        prepare = prepare if sourced else [f"{prepare[0]} OS_CLOUD=appliance"]
        told, user = "Now type in another terminal:", ""
    else:
        return [
            f"\nThere are no credentials in {settings.data_dir}: sign in with those that you have kept. Without any,",
            f"stop the appliance and run `glance-appliance identity bootstrap --data-dir {settings.data_dir}`.\n",
        ]
    public = "" if user else "--public "
    image = f"image create --disk-format qcow2 --container-format bare {public}--file disk.img my-image"
    commands = [*prepare, f"openstack {user}image list", f"openstack {user}{image}"]
    return [f"\n{told}\n", *(f"  {command}" for command in commands), ""]


@verb()
@with_settings()
def init(flags: Flags) -> int:
    settings = settings_for(flags)
    for warning in exposed_secrets(flags):
        log.warning(warning)
    if settings.identity_mode == "edge":
        raise Fatal("an edge site has no first users of its own: start it, and it copies those of its centre")
    with Appliance(settings) as appliance:
        report = appliance.init()
    print(f"{settings.data_dir} is ready for `serve`")
    if report.new_password:
        print(f"the administrator is admin, with the password {report.new_password}")
        print(f"(printed this once; {report.files[0]} has it too)")
    for message in report.messages:
        print(message)
    return 0
