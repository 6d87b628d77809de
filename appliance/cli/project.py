"""`project`: the projects of the identity service."""

import argparse
from typing import Any
from urllib.parse import quote

from appliance.cli.client.administrators import add_yes, check_remaining, on_projects
from appliance.cli.client.arguments import add_cloud, add_domain, add_output, domain_id, find_identity, session_of
from appliance.cli.client.output import show_list, show_one
from appliance.cli.verbs import Member, add_group
from appliance.errors import WrongUsage

_COLUMNS = ("id", "name", "enabled")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_group(
        parser,
        {
            "create": Member("make a project", _create_arguments, _create),
            "list": Member("list projects", _list_arguments, _list),
            "show": Member("show a project", _one_argument, _show),
            "set": Member("change a project", _set_arguments, _set),
            "delete": Member("delete projects", _delete_arguments, _delete),
        },
    )


def _create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the project's name")
    parser.add_argument("--description", default="", help="what it is for")
    add_domain(parser, "the project")
    add_output(parser)
    add_cloud(parser)


def _create(arguments: argparse.Namespace) -> int:
    session = session_of(arguments)
    domain = domain_id(session, arguments.domain)
    fields = {"name": arguments.name, "description": arguments.description, "enabled": True, **domain}
    show_one(arguments, _shown(session.call("POST", "identity", "/projects", {"project": fields}).json()["project"]))
    return 0


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mine", action="store_true", help="the projects that one may act in")
    add_domain(parser, "the projects")
    add_output(parser)
    add_cloud(parser)


def _list(arguments: argparse.Namespace) -> int:
    session = session_of(arguments)
    query = list(domain_id(session, arguments.domain).items())
    projects = session.pages("identity", "/auth/projects" if arguments.mine else "/projects", "projects", query)
    show_list(arguments, [_shown(project) for project in projects], _COLUMNS)
    return 0


def _one_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", metavar="PROJECT", help="id or name")
    add_domain(parser, "the project")
    add_output(parser)
    add_cloud(parser)


def _show(arguments: argparse.Namespace) -> int:
    session = session_of(arguments)
    domain = domain_id(session, arguments.domain)
    show_one(arguments, _shown(find_identity(session, "project", arguments.project, **domain)))
    return 0


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    _one_argument(parser)
    parser.add_argument("--name", help="its new name")
    parser.add_argument("--description", help="what it is for")
    parser.add_argument("--enabled", action=argparse.BooleanOptionalAction, default=None, help="whether it can be used")
    add_yes(parser)


def _set(arguments: argparse.Namespace) -> int:
    fields = {name: getattr(arguments, name) for name in ("name", "description", "enabled")}
    fields = {name: value for name, value in fields.items() if value is not None}
    if not fields:
        raise WrongUsage("say what to change")
    session = session_of(arguments)
    project = find_identity(session, "project", arguments.project, **domain_id(session, arguments.domain))
    if fields.get("enabled") is False:
        check_remaining(arguments, session, on_projects([project["id"]]))
    answer = session.call("PATCH", "identity", f"/projects/{quote(project['id'], safe='')}", {"project": fields})
    show_one(arguments, _shown(answer.json()["project"]))
    return 0


def _delete_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("projects", metavar="PROJECT", nargs="+", help="id or name")
    add_domain(parser, "the projects")
    add_yes(parser)
    add_cloud(parser)


def _delete(arguments: argparse.Namespace) -> int:
    session = session_of(arguments)
    domain = domain_id(session, arguments.domain)
    projects = [find_identity(session, "project", typed, **domain) for typed in arguments.projects]
    check_remaining(arguments, session, on_projects(project["id"] for project in projects))
    for project in projects:
        session.call("DELETE", "identity", f"/projects/{quote(project['id'], safe='')}")
    return 0


def _shown(project: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: project[name] for name in _COLUMNS if name in project},
        **{name: value for name, value in project.items() if name != "links"},
    }
