"""`image delete`: delete images."""

import argparse

from appliance.cli.client.arguments import add_cloud, find_image, session_of
from appliance.cli.client.images import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="id or name")
    add_cloud(parser)


def run(arguments: argparse.Namespace) -> int:
    session = session_of(arguments)
    # All are looked up before the first goes: a typo deletes nothing.
    for image in [find_image(session, typed) for typed in arguments.images]:
        session.call("DELETE", "image", path(image["id"]))
    return 0
