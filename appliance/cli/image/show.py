"""`image show`: all that is known of an image."""

import argparse

from appliance.cli.client.arguments import add_cloud, add_output, find_image, session_of
from appliance.cli.client.images import ordered
from appliance.cli.client.output import show_one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="id or name")
    add_output(parser)
    add_cloud(parser)


def run(arguments: argparse.Namespace) -> int:
    show_one(arguments, ordered(find_image(session_of(arguments), arguments.image)))
    return 0
