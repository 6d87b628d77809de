"""`image import`: give an image its data by one of the server's import methods."""

import argparse
from typing import Any

from appliance.cli.client.arguments import add_cloud, add_output, find_image, session_of
from appliance.cli.client.images import Import, ordered, path
from appliance.cli.client.output import show_one
from appliance.cli.client.upload import open_input, send
from appliance.errors import WrongUsage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="id or name")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--uri", metavar="URI", help="the server fetches the data from this address (web-download)")
    source.add_argument("--file", metavar="FILE", help="stage this file and import it (glance-direct); - is a pipe")
    source.add_argument("--staged", action="store_true", help="import what has been staged (glance-direct)")
    source.add_argument("--copy", action="store_true", help="copy the data to more stores (copy-image)")
    parser.add_argument("--store", action="append", metavar="STORE", help="store to put it in; may be repeated")
    parser.add_argument("--all-stores", action="store_true", help="put it in every store")
    parser.add_argument("--wait", action="store_true", help="wait for the end")
    add_output(parser)
    add_cloud(parser)


def run(arguments: argparse.Namespace) -> int:
    method = _method(arguments)
    with open_input(arguments.file) as data:
        session = session_of(arguments)
        image = find_image(session, arguments.image)
        if data is not None:
            send(session, path(image["id"], "/stage"), data)
    more: dict[str, Any] = {"stores": arguments.store} if arguments.store else {}
    if arguments.all_stores:
        more["all_stores"] = True
    work = Import(session, image["id"])
    work.start(method, **more)
    image = work.wait() if arguments.wait else session.get("image", path(image["id"]))
    show_one(arguments, ordered(image))
    return 0


def _method(arguments: argparse.Namespace) -> dict[str, str]:
    if arguments.uri:
        return {"name": "web-download", "uri": arguments.uri}
    if arguments.file or arguments.staged:
        return {"name": "glance-direct"}
    if arguments.copy:
        return {"name": "copy-image"}
    raise WrongUsage("say where the data comes from: --uri, --file, --staged or --copy")
