"""`init`: prepare a data directory ahead of the first start."""

import argparse

from appliance import logs
from appliance.cli.flags import add_settings, settings_of
from appliance.errors import Fatal
from appliance.wiring import Appliance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    logs.configure(arguments.log_level or "WARNING")
    if settings.identity_mode == "edge":
        raise Fatal("an edge site has no first users of its own: start it, and it copies those of its centre")
    with Appliance(settings) as appliance:
        welcome = appliance.init()
    print(f"{settings.data_dir} is ready for `serve`")
    if welcome.new_password:
        print(f"the administrator is admin, with the password {welcome.new_password}")
        print(f"(printed this once; {welcome.clouds} has it too)")
    for sentence in welcome.notes:
        print(sentence)
    return 0
