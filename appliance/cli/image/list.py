"""`image list`: the images that one may see."""

import argparse
import itertools
from typing import Any

from appliance.cli.client.arguments import add_cloud, add_output, pairs, session_of
from appliance.cli.client.images import VISIBILITIES, ordered
from appliance.cli.client.output import show_list

_COLUMNS = ("id", "name", "status", "size")
_LONG = (*_COLUMNS, "disk_format", "container_format", "visibility", "protected", "owner", "created_at", "tags")
_PAGE = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    visible = parser.add_mutually_exclusive_group()
    for visibility in (*VISIBILITIES, "all"):
        what = "all images, the community's too" if visibility == "all" else f"{visibility} images alone"
        visible.add_argument(
            f"--{visibility}", dest="visibility", action="store_const", const=visibility, help=f"list {what}"
        )
    parser.add_argument("--name", help="images of this name")
    parser.add_argument("--status", help="images of this status: queued, active, …")
    parser.add_argument("--tag", action="append", help="images with this tag; may be repeated")
    parser.add_argument("--property", action="append", metavar="NAME=VALUE", help="images with this property")
    parser.add_argument("--hidden", action="store_true", help="hidden images, and no others")
    parser.add_argument("--member-status", choices=("accepted", "pending", "rejected", "all"), help="of shared images")
    parser.add_argument("--sort", metavar="KEY[:DIR],…", help="order, as in name:asc,size:desc [name:asc]")
    parser.add_argument("--limit", type=int, metavar="COUNT", help="no more images than this")
    parser.add_argument("--long", action="store_true", help="more columns")
    add_output(parser)
    add_cloud(parser)


def run(arguments: argparse.Namespace) -> int:
    query: list[tuple[str, Any]] = [
        (name, value)
        for name, value in (
            ("name", arguments.name),
            ("status", arguments.status),
            ("visibility", arguments.visibility),
            ("member_status", arguments.member_status),
            ("os_hidden", "true" if arguments.hidden else None),
        )
        if value is not None
    ]
    query += [("tag", tag) for tag in arguments.tag or ()]
    query += list(pairs(arguments.property, "--property").items())
    page = _PAGE if arguments.limit is None else min(_PAGE, arguments.limit)
    query += [("sort", arguments.sort or "name:asc"), ("limit", page)]
    found = session_of(arguments).pages("image", "/v2/images", "images", query)
    images = [ordered(image) for image in itertools.islice(found, arguments.limit)]
    show_list(arguments, images, _LONG if arguments.long else _COLUMNS)
    return 0
