"""`user`: the users of the identity service, their passwords, and files that sign them in."""

import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import yaml  # type: ignore[import-untyped]

from appliance import client_files
from appliance.blobs.durable import Disk, replace_file
from appliance.cli.client.administrators import check_remaining, of_users, with_yes
from appliance.cli.client.credentials import data_directories
from appliance.cli.client.options import (
    Cloud,
    NewPassword,
    domain_id,
    find_identity,
    names,
    with_cloud,
    with_domain,
    with_password,
)
from appliance.cli.client.session import Session, same_address
from appliance.cli.commands import argument, group, option, switch, verb
from appliance.cli.output import Output, confirm, note, say, with_output, with_quiet
from appliance.datadir import DataDir
from appliance.errors import ApplianceError, WrongUsage

_COLUMNS = ("id", "name", "enabled")
_NOT_SHOWN = ("links", "password")
_USER = argument("user", metavar="USER", help="id or name", shell_complete=names("user"))


@verb("create", "make a user, with a random password unless one is given")
@argument("name", metavar="NAME", help="the user's name")
@option("--project", metavar="PROJECT", shell_complete=names("project"), help="the user's project, by id or name")
@option("--role", metavar="ROLE", shell_complete=names("role"), help="role to grant on that project [member]")
@option("--email", help="address for mail")
@switch("--disabled", help="let it sign in only after `user set --enabled`")
@with_domain("the user")
@with_password
@with_output
@with_cloud
def create(
    cloud: Cloud,
    output: Output,
    password: NewPassword,
    name: str,
    project: str | None,
    role: str | None,
    email: str | None,
    disabled: bool,
    domain: str | None,
) -> int:
    if role and not project:
        raise WrongUsage("--role goes with --project")
    session = cloud.session
    within = domain_id(session, domain)
    fields: dict[str, Any] = {"name": name, "enabled": not disabled, **within}
    if email:
        fields["email"] = email
    grant = ""
    if project:
        fields["default_project_id"] = find_identity(session, "project", project, **within)["id"]
        role_id = find_identity(session, "role", role or "member")["id"]
        grant = f"/projects/{fields['default_project_id']}/users/%s/roles/{role_id}"
    with password.new(name) as secret:
        document = {"user": {**fields, "password": secret}}
        user = session.call("POST", "identity", "/users", document).json()["user"]
    if grant:
        session.call("PUT", "identity", grant % quote(user["id"], safe=""))
    output.one(_shown(user))
    return 0


@verb("list", "list users")
@with_domain("the users")
@with_output
@with_cloud
def list_(cloud: Cloud, output: Output, domain: str | None) -> int:
    session = cloud.session
    users = session.pages("identity", "/users", "users", list(domain_id(session, domain).items()))
    output.many([_shown(user) for user in users], _COLUMNS)
    return 0


def _find(session: Session, user: str, domain: str | None) -> dict[str, Any]:
    return find_identity(session, "user", user, **domain_id(session, domain))


@verb("show", "show a user")
@_USER
@with_domain("the user")
@with_output
@with_cloud
def show(cloud: Cloud, output: Output, user: str, domain: str | None) -> int:
    output.one(_shown(_find(cloud.session, user, domain)))
    return 0


@verb("set", "change a user")
@_USER
@option("--name", help="its new name")
@option("--email", help="its new address for mail")
@option("--enabled/--no-enabled", default=None, help="whether it may sign in")
@with_yes
@with_domain("the user")
@with_output
@with_cloud
def set_(cloud: Cloud, output: Output, user: str, domain: str | None, yes: bool, **given: Any) -> int:
    fields = {name: value for name, value in given.items() if value is not None}
    if not fields:
        raise WrongUsage("say what to change")
    session = cloud.session
    found = _find(session, user, domain)
    if fields.get("enabled") is False:
        check_remaining(session, of_users([found["id"]]), yes=yes)
    changed = session.call("PATCH", "identity", f"/users/{quote(found['id'], safe='')}", {"user": fields})
    output.one(_shown(changed.json()["user"]))
    return 0


def _set_password(cloud: Cloud, password: NewPassword, user: str | None, domain: str | None) -> int:
    session = cloud.session
    if user:
        whose = _find(session, user, domain)
        with password.new(whose["name"]) as secret:
            fields = {"user": {"password": secret}}
            session.call("PATCH", "identity", f"/users/{quote(whose['id'], safe='')}", fields)
    else:
        token = session.token()["user"]
        whose = {**token, "domain_id": token["domain"]["id"]}
        if not session.password:
            raise WrongUsage("one's own password can be changed only with the old one: sign in with a password")
        with password.new(whose["name"]) as secret:
            document = {"user": {"original_password": session.password, "password": secret}}
            session.call("POST", "identity", f"/users/{quote(whose['id'], safe='')}/password", document)
        session.forget()
    if (whose["name"], whose["domain_id"]) == ("admin", "default"):
        for directory in data_directories(cloud.flags):
            _update_files(DataDir(directory), session, secret)
    return 0


def _password_verb(name: str, line: str) -> click.Command:
    """`passwd` is what other systems call it."""
    argued = argument(
        "user", metavar="[USER]", required=False, help="id or name [oneself]", shell_complete=names("user")
    )
    return verb(name, line)(argued(with_password(with_domain("the user")(with_cloud(_set_password)))))


set_password = _password_verb("set-password", "give a user a new password, a random one unless told")
passwd = _password_verb("passwd", "the same as set-password")


def _update_files(directory: DataDir, session: Session, password: str) -> None:
    """Bring the files for clients of an appliance of this machine up to date, if they are of the one we changed."""
    if not same_address(client_files.identity_url_of(directory) + "/v3", session.address("identity")):
        return
    try:
        for path in client_files.change_password(directory, password):
            note(f"{path} has it, too.")
    except (OSError, ApplianceError) as error:
        say(f"The files in {directory.path} still have the former password: {error}")


@verb("delete", "delete users")
@argument("users", metavar="USER...", nargs=-1, required=True, help="id or name", shell_complete=names("user"))
@with_domain("the users")
@with_yes
@with_cloud
def delete(cloud: Cloud, users: tuple[str, ...], domain: str | None, yes: bool) -> int:
    session = cloud.session
    found = [_find(session, typed, domain) for typed in users]
    check_remaining(session, of_users(user["id"] for user in found), yes=yes)
    confirm(f"Delete the {'users' if len(found) > 1 else 'user'} {', '.join(u['name'] for u in found)}?", yes=yes)
    for user in found:
        session.call("DELETE", "identity", f"/users/{quote(user['id'], safe='')}")
    return 0


def _shown(user: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: user[name] for name in _COLUMNS if name in user},
        **{name: value for name, value in user.items() if name not in _NOT_SHOWN},
    }


# -- files that sign a user in -----------------------------------------------------------------------------------------


def _file_verb(name: str, line: str, made: Any) -> click.Command:
    @verb(name, line)
    @_USER
    @option(
        "--project",
        metavar="PROJECT",
        required=True,
        shell_complete=names("project"),
        help="project to act in, by id or name",
    )
    @option("--file", metavar="FILE", type=click.Path(), help="write it there, for oneself alone [standard output]")
    @with_domain("the user")
    @with_password
    @with_quiet
    @with_cloud
    def run(cloud: Cloud, password: NewPassword, user: str, project: str, domain: str | None, file: str | None) -> int:
        if password.is_random:
            raise WrongUsage("the password is not changed here; `user set-password` makes up a new one")
        secret = password.typed()
        session = cloud.session
        whose = _find(session, user, domain)
        where = find_identity(session, "project", project)
        text = made(session, whose, where, secret)
        if file:
            replace_file(Disk(), Path(file).absolute(), text.encode())
        else:
            click.echo(text, nl=False)
        return 0

    return run


def _environment(session: Session, user: dict[str, Any], project: dict[str, Any]) -> dict[str, str]:
    """What signs a user in, but the password."""
    return {
        "auth_url": session.address("identity"),
        "username": user["name"],
        "project_name": project["name"],
        **{f"{kind}_domain_id": thing["domain_id"] for kind, thing in (("user", user), ("project", project))},
    }


def _openrc(session: Session, user: dict[str, Any], project: dict[str, Any], secret: str | None) -> str:
    lines = [f"# What OpenStack clients need to act as {user['name']} in {project['name']}: source this file."]
    lines += [
        f"export OS_{name.upper()}={shlex.quote(value)}" for name, value in _environment(session, user, project).items()
    ]
    if secret is None:
        lines.append(f"read -rsp {shlex.quote('Password of ' + user['name'] + ': ')} OS_PASSWORD && echo")
        lines.append("export OS_PASSWORD")
    else:
        lines.append(f"export OS_PASSWORD={shlex.quote(secret)}")
    lines += [f"export OS_REGION_NAME={shlex.quote(session.region)}"] if session.region else []
    lines += ["export OS_IDENTITY_API_VERSION=3", "export OS_IMAGE_API_VERSION=2"]
    lines.append("unset OS_CLOUD OS_TOKEN OS_SYSTEM_SCOPE OS_TRUST_ID")
    return "".join(f"{line}\n" for line in lines)


def _clouds(session: Session, user: dict[str, Any], project: dict[str, Any], secret: str | None) -> str:
    auth = {**_environment(session, user, project), **({"password": secret} if secret else {})}
    cloud: dict[str, Any] = {"auth": auth, **({"region_name": session.region} if session.region else {})}
    cloud |= {"identity_api_version": 3, "image_api_version": 2, "interface": "public"}
    return str(yaml.safe_dump({"clouds": {user["name"]: cloud}}, sort_keys=False, allow_unicode=True))


openrc = _file_verb("openrc", "print a file to source in a shell, which signs a user in", _openrc)
clouds = _file_verb("clouds", "print a clouds.yaml that signs a user in", _clouds)

user = group("user", create, list_, show, set_, set_password, passwd, delete, openrc, clouds)
