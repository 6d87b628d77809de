"""`serve`: start the appliance and stay until told to stop."""

import argparse
import logging
import os
import signal
import sys
import time
from types import FrameType

from appliance import logs
from appliance.bootstrap import Welcome
from appliance.cli import parent, preflight
from appliance.cli.bundled import with_bundled_samples
from appliance.cli.flags import add_settings, settings_of
from appliance.cli.systemd import is_one_file
from appliance.errors import ApplianceError, WrongUsage
from appliance.settings import FIELDS, Settings
from appliance.wiring import Appliance

log = logging.getLogger(__name__)

_RELOADED = "log_level"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = with_bundled_samples(settings_of(arguments))
    _start_log(settings.log_level)
    # Whatever is made from here on, by libraries and helper programs too, is for this user alone.
    os.umask(0o077)
    for warning in preflight.check(settings.data_dir, time.time()):
        log.warning(warning)
    started_by = os.getppid()
    with Appliance(settings) as appliance:
        welcome = appliance.start()

        def stop(number: int, frame: FrameType | None) -> None:
            appliance.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGHUP, lambda number, frame: _reload(arguments, settings, appliance))
        if is_one_file():
            parent.follow()
        _greet(welcome)
        appliance.run()
    parent.clean_up(started_by)
    return 0


def _reload(arguments: argparse.Namespace, running: Settings, appliance: Appliance) -> None:
    """Take over what can change while serving, and say what can't. Wrong settings change nothing."""
    try:
        fresh = with_bundled_samples(settings_of(arguments))
        _start_log(fresh.log_level)
        appliance.identity.keyring.reload()
    except ApplianceError as error:
        log.error("settings not reloaded: %s", error)
        return
    log.info("settings reloaded; log_level is %s", fresh.log_level)
    for name in FIELDS:
        if name != _RELOADED and getattr(fresh, name) != getattr(running, name):
            log.warning("the new %s takes effect at the next start", name)


def _start_log(level: str) -> None:
    try:
        logs.configure(level)
    except ValueError:
        raise WrongUsage(f"log_level can't be {level!r}: say DEBUG, INFO, WARNING or ERROR") from None


def _greet(welcome: Welcome) -> None:
    """The ready lines, which scripts read, and then what a person types next."""
    print(f"image {welcome.image_url}")
    print(f"identity {welcome.identity_url}/v3")
    if welcome.admin_url:
        print(f"identity-admin {welcome.admin_url}/v2.0")
    if welcome.new_password:
        print(f"\nThe administrator is admin, with the password {welcome.new_password}")
        print(f"(printed this once; {welcome.clouds} has it too)")
    for sentence in welcome.notes:
        print(sentence)
    print(
        "\nNow type in another terminal:\n\n"
        f"  source {welcome.openrc}\n"
        "  openstack image list\n"
        "  openstack image create --disk-format qcow2 --container-format bare --public --file disk.img my-image\n"
    )
    sys.stdout.flush()
