"""`image create`: make an image, and give it its data in the same breath."""

import argparse
from typing import Any

from appliance.cli.client.arguments import add_cloud, add_output, session_of
from appliance.cli.client.images import Import, add_fields, fields_of, ordered, path, upload
from appliance.cli.client.output import say, show_one
from appliance.cli.client.session import Session
from appliance.cli.client.upload import Input, open_input
from appliance.errors import ApplianceError, WrongUsage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the image's name")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--file", metavar="FILE", help="the image's data; - is standard input")
    source.add_argument("--uri", metavar="URI", help="let the server fetch the data from this address")
    parser.add_argument("--id", metavar="UUID", help="the image's id [the server chooses one]")
    parser.add_argument("--wait", action="store_true", help="with --uri: wait until the server has the data")
    add_fields(parser)
    add_output(parser)
    add_cloud(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.wait and not arguments.uri:
        raise WrongUsage("--wait goes with --uri")
    with open_input(arguments.file) as data:
        show_one(arguments, ordered(_create(arguments, data)))
    return 0


def _create(arguments: argparse.Namespace, data: Input | None) -> dict[str, Any]:
    session = session_of(arguments)
    document = {"name": arguments.name, **fields_of(arguments)}
    if arguments.id:
        document["id"] = arguments.id
    if arguments.tag:
        document["tags"] = arguments.tag
    document.setdefault("container_format", "bare")
    document.setdefault("disk_format", data.disk_format if data else "raw")
    image: dict[str, Any] = session.call("POST", "image", "/v2/images", document).json()
    try:
        return _fill(session, image, data, arguments)
    except BaseException:
        # Nobody has any use for an image without the data that it was made for.
        _remove(session, image["id"])
        raise


def _remove(session: Session, image_id: str) -> None:
    try:
        session.call("DELETE", "image", path(image_id))
    except ApplianceError as error:
        say(f"The image {image_id} is left without its data: {error}")


def _fill(session: Session, image: dict[str, Any], data: Input | None, arguments: argparse.Namespace) -> dict[str, Any]:
    if data is not None:
        return upload(session, image["id"], data)
    if arguments.uri:
        work = Import(session, image["id"])
        work.start({"name": "web-download", "uri": arguments.uri})
        if arguments.wait:
            return work.wait()
    return image
