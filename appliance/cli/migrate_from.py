"""`migrate-from`: bring what a running Glance has into a running appliance."""

import argparse
from pathlib import Path

from appliance.cli.client.arguments import add_cloud, session_of
from appliance.cli.client.credentials import find
from appliance.cli.client.session import Session
from appliance.cli.migration.images import ImageMove
from appliance.cli.migration.metadefs import Notes, move
from appliance.errors import Fatal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--into", metavar="DIR", required=True, type=Path, help="data directory of the appliance, which has to run"
    )
    parser.add_argument("--owner", metavar="PROJECT_ID", help="project that is to own the images [the same as before]")
    parser.add_argument("--no-metadefs", action="store_true", help="leave the metadata definitions where they are")
    add_cloud(parser)


def run(arguments: argparse.Namespace) -> int:
    source = session_of(arguments)
    target = Session(find(argparse.Namespace(data_dir=arguments.into), {}))
    if source.address("image") == target.address("image"):
        raise Fatal("these are the credentials of the appliance itself: name the cloud to migrate from")
    notes = Notes()
    ImageMove(source, target, notes, arguments.owner).run()
    if not arguments.no_metadefs:
        move(source, target, notes)
    notes.tell()
    return 1 if notes.left else 0
