"""`serve`: start the appliance and stay until told to stop."""

import argparse
import signal
import sys
from types import FrameType

from appliance import logs
from appliance.bootstrap import Welcome
from appliance.cli.flags import add_settings, settings_of
from appliance.wiring import Appliance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    logs.configure(settings.log_level)
    with Appliance(settings) as appliance:
        welcome = appliance.start()

        def stop(number: int, frame: FrameType | None) -> None:
            appliance.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        _greet(welcome)
        appliance.run()
    return 0


def _greet(welcome: Welcome) -> None:
    """The ready lines, which scripts read, and then what a person types next."""
    print(f"image {welcome.image_url}")
    print(f"identity {welcome.identity_url}/v3")
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
