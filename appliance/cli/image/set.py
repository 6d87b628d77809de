"""`image set`: change what is said of an image, or put it out of use and back."""

import argparse
from typing import Any

from appliance.cli.client.arguments import add_cloud, add_output, find_image, session_of
from appliance.cli.client.images import add_fields, change, fields_of, ordered, patch_path, path
from appliance.cli.client.output import show_one
from appliance.errors import WrongUsage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="id or name")
    parser.add_argument("--name", help="its new name")
    parser.add_argument("--owner", metavar="PROJECT", help="id of the project that owns it from now on")
    add_fields(parser)
    group = parser.add_argument_group("removals")
    group.add_argument("--remove-property", action="append", metavar="NAME", help="drop a property; may be repeated")
    group.add_argument("--remove-tag", action="append", metavar="TAG", help="drop a tag; may be repeated")
    use = parser.add_mutually_exclusive_group()
    use.add_argument("--deactivate", dest="action", action="store_const", const="deactivate", help="bar its data")
    use.add_argument("--reactivate", dest="action", action="store_const", const="reactivate", help="open it again")
    add_output(parser)
    add_cloud(parser)


def run(arguments: argparse.Namespace) -> int:
    fields = fields_of(arguments)
    fields.update({name: getattr(arguments, name) for name in ("name", "owner") if getattr(arguments, name)})
    gone = arguments.remove_property or []
    if not (fields or gone or arguments.tag or arguments.remove_tag or arguments.action):
        raise WrongUsage("say what to change")
    session = session_of(arguments)
    image = find_image(session, arguments.image)
    operations: list[dict[str, Any]] = [
        {"op": "replace" if name in image else "add", "path": patch_path(name), "value": value}
        for name, value in fields.items()
    ]
    operations += [{"op": "remove", "path": patch_path(name)} for name in gone]
    if arguments.tag or arguments.remove_tag:
        tags = {*image["tags"], *(arguments.tag or ())} - {*(arguments.remove_tag or ())}
        operations.append({"op": "replace", "path": "/tags", "value": sorted(tags)})
    if operations:
        image = change(session, image["id"], operations)
    if arguments.action:
        session.call("POST", "image", path(image["id"], f"/actions/{arguments.action}"))
        image = session.get("image", path(image["id"]))
    show_one(arguments, ordered(image))
    return 0
