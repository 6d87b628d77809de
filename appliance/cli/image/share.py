"""`image share`: who else may use an image, and what those say to it."""

import argparse
from typing import Any
from urllib.parse import quote

from appliance.cli.client.arguments import add_cloud, add_output, find_image, project_id, session_of
from appliance.cli.client.images import path
from appliance.cli.client.output import show_list
from appliance.cli.client.session import Session
from appliance.errors import Fatal, WrongUsage

_COLUMNS = ("image_id", "member_id", "status")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="id or name")
    parser.add_argument("projects", metavar="PROJECT", nargs="*", help="share it with these projects")
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--remove", action="store_true", help="share it with these projects no longer")
    for verb, status in (("accept", "accepted"), ("reject", "rejected"), ("reset", "pending")):
        doing.add_argument(
            f"--{verb}", dest="status", action="store_const", const=status, help=f"as a member: answer “{status}”"
        )
    add_output(parser)
    add_cloud(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.remove and not arguments.projects:
        raise WrongUsage("say which projects to remove")
    session = session_of(arguments)
    image = find_image(session, arguments.image)
    members = path(image["id"], "/members")
    projects = [project_id(session, typed) for typed in arguments.projects]
    if arguments.status and not projects:
        projects = [_own_project(session)]
    for project in projects:
        one = f"{members}/{quote(project, safe='')}"
        if arguments.status:
            session.call("PUT", "image", one, {"status": arguments.status})
        elif arguments.remove:
            session.call("DELETE", "image", one)
        else:
            session.call("POST", "image", members, {"member": project})
    rows: list[dict[str, Any]] = session.get("image", members)["members"]
    show_list(arguments, rows, _COLUMNS)
    return 0


def _own_project(session: Session) -> str:
    project = session.token().get("project")
    if not project:
        raise Fatal("the credentials name no project that could answer")
    return str(project["id"])
