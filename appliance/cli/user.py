"""`user`: the users of the identity service."""

import argparse
from typing import Any
from urllib.parse import quote

from appliance import client_files
from appliance.cli.client.administrators import add_yes, check_remaining, of_users
from appliance.cli.client.arguments import (
    add_cloud,
    add_domain,
    add_output,
    add_password,
    domain_id,
    find_identity,
    new_password,
    session_of,
)
from appliance.cli.client.credentials import data_directories
from appliance.cli.client.output import say, show_list, show_one
from appliance.cli.client.session import Session, same_address
from appliance.cli.verbs import Member, add_group
from appliance.datadir import DataDir
from appliance.errors import ApplianceError, WrongUsage

_COLUMNS = ("id", "name", "enabled")
_NOT_SHOWN = ("links", "password")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_group(
        parser,
        {
            "create": Member("make a user, with a random password unless one is given", _create_arguments, _create),
            "list": Member("list users", _list_arguments, _list),
            "show": Member("show a user", _one_argument, _show),
            "set": Member("change a user", _set_arguments, _set),
            "set-password": Member(
                "give a user a new password, a random one unless told", _password_arguments, _password
            ),
            "delete": Member("delete users", _delete_arguments, _delete),
        },
    )


def _create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the user's name")
    parser.add_argument("--project", metavar="PROJECT", help="the user's project, by id or name")
    parser.add_argument("--role", metavar="ROLE", help="role to grant on that project [member]")
    parser.add_argument("--email", help="address for mail")
    parser.add_argument("--disabled", action="store_true", help="let it sign in only after `user set --enabled`")
    add_password(parser)
    add_domain(parser, "the user")
    add_output(parser)
    add_cloud(parser)


def _create(arguments: argparse.Namespace) -> int:
    if arguments.role and not arguments.project:
        raise WrongUsage("--role goes with --project")
    session = session_of(arguments)
    domain = domain_id(session, arguments.domain)
    fields: dict[str, Any] = {"name": arguments.name, "enabled": not arguments.disabled, **domain}
    if arguments.email:
        fields["email"] = arguments.email
    grant = ""
    if arguments.project:
        fields["default_project_id"] = find_identity(session, "project", arguments.project, **domain)["id"]
        role = find_identity(session, "role", arguments.role or "member")["id"]
        grant = f"/projects/{fields['default_project_id']}/users/%s/roles/{role}"
    with new_password(arguments, arguments.name) as password:
        document = {"user": {**fields, "password": password}}
        user = session.call("POST", "identity", "/users", document).json()["user"]
    if grant:
        session.call("PUT", "identity", grant % quote(user["id"], safe=""))
    show_one(arguments, _shown(user))
    return 0


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    add_domain(parser, "the users")
    add_output(parser)
    add_cloud(parser)


def _list(arguments: argparse.Namespace) -> int:
    session = session_of(arguments)
    users = session.pages("identity", "/users", "users", list(domain_id(session, arguments.domain).items()))
    show_list(arguments, [_shown(user) for user in users], _COLUMNS)
    return 0


def _one_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", help="id or name")
    add_domain(parser, "the user")
    add_output(parser)
    add_cloud(parser)


def _find(arguments: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    session = session_of(arguments)
    return session, find_identity(session, "user", arguments.user, **domain_id(session, arguments.domain))


def _show(arguments: argparse.Namespace) -> int:
    show_one(arguments, _shown(_find(arguments)[1]))
    return 0


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    _one_argument(parser)
    parser.add_argument("--name", help="its new name")
    parser.add_argument("--email", help="its new address for mail")
    parser.add_argument("--enabled", action=argparse.BooleanOptionalAction, default=None, help="whether it may sign in")
    add_yes(parser)


def _set(arguments: argparse.Namespace) -> int:
    fields = {name: getattr(arguments, name) for name in ("name", "email", "enabled")}
    fields = {name: value for name, value in fields.items() if value is not None}
    if not fields:
        raise WrongUsage("say what to change")
    session, user = _find(arguments)
    if fields.get("enabled") is False:
        check_remaining(arguments, session, of_users([user["id"]]))
    changed = session.call("PATCH", "identity", f"/users/{quote(user['id'], safe='')}", {"user": fields}).json()["user"]
    show_one(arguments, _shown(changed))
    return 0


def _password_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "user", metavar="USER", nargs="?", help="id or name [oneself, which needs the old password too]"
    )
    add_password(parser)
    add_domain(parser, "the user")
    add_cloud(parser)


def _password(arguments: argparse.Namespace) -> int:
    session = session_of(arguments)
    if arguments.user:
        user = find_identity(session, "user", arguments.user, **domain_id(session, arguments.domain))
        with new_password(arguments, user["name"]) as password:
            session.call("PATCH", "identity", f"/users/{quote(user['id'], safe='')}", {"user": {"password": password}})
    else:
        token = session.token()["user"]
        user = {**token, "domain_id": token["domain"]["id"]}
        if not session.password:
            raise WrongUsage("one's own password can be changed only with the old one: sign in with a password")
        with new_password(arguments, user["name"]) as password:
            document = {"user": {"original_password": session.password, "password": password}}
            session.call("POST", "identity", f"/users/{quote(user['id'], safe='')}/password", document)
    if (user["name"], user["domain_id"]) == ("admin", "default"):
        for directory in data_directories(arguments):
            _update_files(DataDir(directory), session, password)
    return 0


def _update_files(directory: DataDir, session: Session, password: str) -> None:
    """Bring the files for clients of an appliance of this machine up to date, if they are of the one we changed."""
    if not same_address(client_files.identity_url_of(directory) + "/v3", session.address("identity")):
        return
    try:
        for path in client_files.change_password(directory, password):
            say(f"{path} has it, too.")
    except (OSError, ApplianceError) as error:
        say(f"The files in {directory.path} still have the former password: {error}")


def _delete_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("users", metavar="USER", nargs="+", help="id or name")
    add_domain(parser, "the users")
    add_yes(parser)
    add_cloud(parser)


def _delete(arguments: argparse.Namespace) -> int:
    session = session_of(arguments)
    domain = domain_id(session, arguments.domain)
    users = [find_identity(session, "user", typed, **domain) for typed in arguments.users]
    check_remaining(arguments, session, of_users(user["id"] for user in users))
    for user in users:
        session.call("DELETE", "identity", f"/users/{quote(user['id'], safe='')}")
    return 0


def _shown(user: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: user[name] for name in _COLUMNS if name in user},
        **{name: value for name, value in user.items() if name not in _NOT_SHOWN},
    }
