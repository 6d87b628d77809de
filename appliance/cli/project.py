"""`project`: the projects of the identity service."""

from typing import Any
from urllib.parse import quote

from appliance.cli.client.administrators import check_remaining, on_projects, with_yes
from appliance.cli.client.options import Cloud, domain_id, find_identity, names, with_cloud, with_domain
from appliance.cli.commands import argument, group, option, switch, verb
from appliance.cli.output import Output, confirm, with_output
from appliance.errors import WrongUsage

_COLUMNS = ("id", "name", "enabled")
_PROJECT = argument("project", metavar="PROJECT", help="id or name", shell_complete=names("project"))


@verb("create", "make a project")
@argument("name", metavar="NAME", help="the project's name")
@option("--description", default="", help="what it is for")
@with_domain("the project")
@with_output
@with_cloud
def create(cloud: Cloud, output: Output, name: str, description: str, domain: str | None) -> int:
    session = cloud.session
    fields = {"name": name, "description": description, "enabled": True, **domain_id(session, domain)}
    output.one(_shown(session.call("POST", "identity", "/projects", {"project": fields}).json()["project"]))
    return 0


@verb("list", "list projects")
@switch("--mine", help="the projects that one may act in")
@with_domain("the projects")
@with_output
@with_cloud
def list_(cloud: Cloud, output: Output, mine: bool, domain: str | None) -> int:
    session = cloud.session
    query = list(domain_id(session, domain).items())
    projects = session.pages("identity", "/auth/projects" if mine else "/projects", "projects", query)
    output.many([_shown(one) for one in projects], _COLUMNS)
    return 0


@verb("show", "show a project")
@_PROJECT
@with_domain("the project")
@with_output
@with_cloud
def show(cloud: Cloud, output: Output, project: str, domain: str | None) -> int:
    session = cloud.session
    output.one(_shown(find_identity(session, "project", project, **domain_id(session, domain))))
    return 0


@verb("set", "change a project")
@_PROJECT
@option("--name", help="its new name")
@option("--description", help="what it is for")
@option("--enabled/--no-enabled", default=None, help="whether it can be used")
@with_yes
@with_domain("the project")
@with_output
@with_cloud
def set_(cloud: Cloud, output: Output, project: str, domain: str | None, yes: bool, **given: Any) -> int:
    fields = {name: value for name, value in given.items() if value is not None}
    if not fields:
        raise WrongUsage("say what to change")
    session = cloud.session
    found = find_identity(session, "project", project, **domain_id(session, domain))
    if fields.get("enabled") is False:
        check_remaining(session, on_projects([found["id"]]), yes=yes)
    changed = session.call("PATCH", "identity", f"/projects/{quote(found['id'], safe='')}", {"project": fields})
    output.one(_shown(changed.json()["project"]))
    return 0


@verb("delete", "delete projects")
@argument("projects", metavar="PROJECT...", nargs=-1, required=True, help="id or name", shell_complete=names("project"))
@with_domain("the projects")
@with_yes
@with_cloud
def delete(cloud: Cloud, projects: tuple[str, ...], domain: str | None, yes: bool) -> int:
    session = cloud.session
    within = domain_id(session, domain)
    found = [find_identity(session, "project", typed, **within) for typed in projects]
    check_remaining(session, on_projects(one["id"] for one in found), yes=yes)
    told = ", ".join(one["name"] for one in found)
    confirm(f"Delete the {'projects' if len(found) > 1 else 'project'} {told}?", yes=yes)
    for one in found:
        session.call("DELETE", "identity", f"/projects/{quote(one['id'], safe='')}")
    return 0


def _shown(project: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: project[name] for name in _COLUMNS if name in project},
        **{name: value for name, value in project.items() if name != "links"},
    }


project = group("project", create, list_, show, set_, delete)
