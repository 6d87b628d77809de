"""`role`: which roles there are, who has them, and giving and taking them."""

import functools
from collections.abc import Callable
from typing import Any

from appliance.cli.client.administrators import by_grant, check_remaining, with_yes
from appliance.cli.client.options import Cloud, find_identity, names, with_cloud
from appliance.cli.client.session import Session
from appliance.cli.commands import argument, exclusive, group, option, switch, verb
from appliance.cli.output import Output, with_output

_COLUMNS = ("id", "name", "domain_id")
_HOLDERS = ("role", "user", "group", "project", "domain", "system", "inherited")


@verb("list", "list roles")
@with_output
@with_cloud
def list_(cloud: Cloud, output: Output) -> int:
    roles = cloud.session.pages("identity", "/roles", "roles", [])
    output.many([{name: value for name, value in role.items() if name != "links"} for role in roles], _COLUMNS)
    return 0


@verb("holders", "list who has which role where")
@option("--user", metavar="USER", shell_complete=names("user"), help="only of this user, by id or name")
@option("--project", metavar="PROJECT", shell_complete=names("project"), help="only of this project, by id or name")
@option("--role", metavar="ROLE", shell_complete=names("role"), help="only of this role, by id or name")
@switch("--effective", help="count in what groups and other roles imply")
@with_output
@with_cloud
def holders(cloud: Cloud, output: Output, effective: bool, **given: str | None) -> int:
    session = cloud.session
    query: list[tuple[str, Any]] = [("include_names", "true")]
    for kind, name in (("user", "user.id"), ("project", "scope.project.id"), ("role", "role.id")):
        if typed := given[kind]:
            query.append((name, find_identity(session, kind, typed)["id"]))
    if effective:
        query.append(("effective", "true"))
    rows = [_holder(row) for row in session.pages("identity", "/role_assignments", "role_assignments", query)]
    rows.sort(key=lambda row: [str(row[name]) for name in ("project", "domain", "user", "group", "role")])
    output.many(rows, _HOLDERS)
    return 0


def _holder(row: dict[str, Any]) -> dict[str, Any]:
    scope = row["scope"]
    named = {"role": row["role"], "user": row.get("user"), "group": row.get("group")}
    named |= {"project": scope.get("project"), "domain": scope.get("domain")}
    called = {kind: thing.get("name") or thing["id"] if thing else "" for kind, thing in named.items()}
    return {**called, "system": "system" in scope, "inherited": bool(scope.get("OS-INHERIT:inherited_to"))}


def _with_grant(function: Callable[..., Any]) -> Callable[..., Any]:
    """What is given or taken: a role, to whom, and where."""
    wrapped = exclusive("user", "group", required=True)(function)
    wrapped = exclusive("project", "domain", "system", required=True)(wrapped)
    options = (
        argument("role", metavar="ROLE", help="id or name", shell_complete=names("role")),
        option("--user", metavar="USER", shell_complete=names("user"), help="id or name"),
        option("--group", metavar="GROUP", shell_complete=names("group"), help="id or name"),
        option("--project", metavar="PROJECT", shell_complete=names("project"), help="on this project, by id or name"),
        option("--domain", metavar="DOMAIN", shell_complete=names("domain"), help="on this domain, by id or name"),
        switch("--system", help="on the whole system"),
    )
    return functools.reduce(lambda made, add: add(made), reversed(options), wrapped)


@verb("grant", "give a role to a user or group")
@_with_grant
@with_cloud
def grant(cloud: Cloud, **given: Any) -> int:
    cloud.session.call("PUT", "identity", _path(cloud.session, given))
    return 0


@verb("revoke", "take a role from a user or group")
@_with_grant
@with_yes
@with_cloud
def revoke(cloud: Cloud, yes: bool, **given: Any) -> int:
    path = _path(cloud.session, given)
    check_remaining(cloud.session, by_grant(path), yes=yes)
    cloud.session.call("DELETE", "identity", path)
    return 0


def _path(session: Session, given: dict[str, Any]) -> str:
    """Where a grant is below `/v3`."""

    def id_of(kind: str) -> str:
        return str(find_identity(session, kind, given[kind])["id"])

    scope = "project" if given["project"] else "domain"
    where = "/system" if given["system"] else f"/{scope}s/{id_of(scope)}"
    holder = "user" if given["user"] else "group"
    return f"{where}/{holder}s/{id_of(holder)}/roles/{id_of('role')}"


role = group("role", list_, holders, grant, revoke)
