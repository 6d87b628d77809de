"""`licenses`: what the executable is made of, and the licences of all of it."""

import argparse
import sys

from appliance.cli.bundled import licences


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(_: argparse.Namespace) -> int:
    sys.stdout.write(licences())
    return 0
