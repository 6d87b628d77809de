"""`image save`: fetch an image's data, checked, into a file or a pipe."""

import argparse
import sys
from pathlib import Path

from appliance.cli.client.arguments import add_cloud, find_image, session_of
from appliance.cli.client.download import save, stream
from appliance.errors import WrongUsage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="id or name")
    parser.add_argument("--file", metavar="FILE", default="-", help="where to put the data [- is standard output]")
    add_cloud(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.file == "-" and sys.stdout.isatty():
        raise WrongUsage("standard output is a terminal: name a file with --file, or pipe the data somewhere")
    session = session_of(arguments)
    image = find_image(session, arguments.image)
    file = Path(arguments.file)
    if arguments.file == "-":
        stream(session, image, sys.stdout.buffer)
    elif file.exists() and not file.is_file():
        with open(file, "wb") as device:
            stream(session, image, device)
    else:
        save(session, image, file)
    return 0
