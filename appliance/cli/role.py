"""`role`: which roles there are, who has them, and giving and taking them."""

import argparse
from typing import Any

from appliance.cli.client.administrators import add_yes, by_grant, check_remaining
from appliance.cli.client.arguments import add_cloud, add_output, find_identity, session_of
from appliance.cli.client.output import show_list
from appliance.cli.client.session import Session
from appliance.cli.verbs import Member, add_group

_COLUMNS = ("id", "name", "domain_id")
_HOLDERS = ("role", "user", "group", "project", "domain", "system", "inherited")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_group(
        parser,
        {
            "list": Member("list roles", _list_arguments, _list),
            "holders": Member("list who has which role where", _holders_arguments, _holders),
            "grant": Member("give a role to a user or group", _grant_arguments, _grant),
            "revoke": Member("take a role from a user or group", _revoke_arguments, _revoke),
        },
    )


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    add_output(parser)
    add_cloud(parser)


def _list(arguments: argparse.Namespace) -> int:
    roles = session_of(arguments).pages("identity", "/roles", "roles", [])
    rows = [{name: value for name, value in role.items() if name != "links"} for role in roles]
    show_list(arguments, rows, _COLUMNS)
    return 0


def _holders_arguments(parser: argparse.ArgumentParser) -> None:
    for kind in ("user", "project", "role"):
        parser.add_argument(f"--{kind}", metavar=kind.upper(), help=f"only of this {kind}, by id or name")
    parser.add_argument("--effective", action="store_true", help="count in what groups and other roles imply")
    add_output(parser)
    add_cloud(parser)


def _holders(arguments: argparse.Namespace) -> int:
    session = session_of(arguments)
    query: list[tuple[str, Any]] = [("include_names", "true")]
    for kind, name in (("user", "user.id"), ("project", "scope.project.id"), ("role", "role.id")):
        if typed := getattr(arguments, kind):
            query.append((name, find_identity(session, kind, typed)["id"]))
    if arguments.effective:
        query.append(("effective", "true"))
    rows = [_holder(row) for row in session.pages("identity", "/role_assignments", "role_assignments", query)]
    rows.sort(key=lambda row: [str(row[name]) for name in ("project", "domain", "user", "group", "role")])
    show_list(arguments, rows, _HOLDERS)
    return 0


def _holder(row: dict[str, Any]) -> dict[str, Any]:
    scope = row["scope"]
    named = {"role": row["role"], "user": row.get("user"), "group": row.get("group")}
    named |= {"project": scope.get("project"), "domain": scope.get("domain")}
    names = {kind: thing.get("name") or thing["id"] if thing else "" for kind, thing in named.items()}
    return {**names, "system": "system" in scope, "inherited": bool(scope.get("OS-INHERIT:inherited_to"))}


def _grant_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", metavar="ROLE", help="id or name")
    holder = parser.add_mutually_exclusive_group(required=True)
    holder.add_argument("--user", metavar="USER", help="id or name")
    holder.add_argument("--group", metavar="GROUP", help="id or name")
    scope = parser.add_mutually_exclusive_group(required=True)
    scope.add_argument("--project", metavar="PROJECT", help="on this project, by id or name")
    scope.add_argument("--domain", metavar="DOMAIN", help="on this domain, by id or name")
    scope.add_argument("--system", action="store_true", help="on the whole system")
    add_cloud(parser)


def _revoke_arguments(parser: argparse.ArgumentParser) -> None:
    _grant_arguments(parser)
    add_yes(parser)


def _grant(arguments: argparse.Namespace) -> int:
    session = session_of(arguments)
    session.call("PUT", "identity", _grant_path(session, arguments))
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    session = session_of(arguments)
    path = _grant_path(session, arguments)
    check_remaining(arguments, session, by_grant(path))
    session.call("DELETE", "identity", path)
    return 0


def _grant_path(session: Session, arguments: argparse.Namespace) -> str:
    def id_of(kind: str) -> str:
        return str(find_identity(session, kind, getattr(arguments, kind))["id"])

    scope = "project" if arguments.project else "domain"
    where = "/system" if arguments.system else f"/{scope}s/{id_of(scope)}"
    holder = "user" if arguments.user else "group"
    return f"{where}/{holder}s/{id_of(holder)}/roles/{id_of('role')}"
