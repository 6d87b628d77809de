"""`serve`: start the appliance and stay until told to stop; and `init`: prepare its directory ahead of that."""

import logging
import os
import signal
import sys
import time
from functools import partial
from types import FrameType

from appliance import logs
from appliance.cli import preflight, streams, systemd
from appliance.cli.about import with_bundled_samples
from appliance.cli.client.calls import Http, Refused
from appliance.cli.commands import verb
from appliance.cli.flags import Flags, exposed_secrets, settings_for, with_settings
from appliance.cli.machine import is_one_file
from appliance.datadir import reason
from appliance.errors import ApplianceError, Fatal, WrongUsage
from appliance.ports import bound
from appliance.settings import FIELDS, Settings, load
from appliance.startup import StartupReport
from appliance.wiring import Appliance

log = logging.getLogger(__name__)

_RELOADED = ("log_level", "log_format", "log_file")


@verb()
@with_settings()
def serve(flags: Flags) -> int:
    settings = with_bundled_samples(load(flags))
    _start_log(settings)
    # Whatever is made from here on, by libraries and helper programs too, is for this user alone.
    os.umask(0o077)
    for warning in (*exposed_secrets(flags), *preflight.check(settings.data_dir, time.time())):
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
        appliance.identity.keyring.reload()
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
