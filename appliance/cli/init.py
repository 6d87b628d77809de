"""`init`: prepare a data directory ahead of the first start."""

import argparse
import logging

from appliance import logs
from appliance.cli.flags import add_settings, exposed_secrets, settings_of
from appliance.errors import Fatal
from appliance.wiring import Appliance

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    logs.configure(arguments.log_level or "WARNING")
    for warning in exposed_secrets(arguments):
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
