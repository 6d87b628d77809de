"""`image`: the verbs that list images and change what is said of them; `image_data.py` has those that move data."""

import itertools
import re
from typing import Any
from urllib.parse import quote

import click
import yaml  # type: ignore[import-untyped]

from appliance.cli import image_data
from appliance.cli.client.images import (
    change,
    ordered,
    patch_path,
    path,
    with_fields,
    with_visibility,
)
from appliance.cli.client.options import Cloud, find_image, names, pairs, project_id, with_cloud, words
from appliance.cli.client.session import Session
from appliance.cli.commands import argument, exclusive, group, option, switch, verb
from appliance.cli.output import Output, confirm, note, size_text, with_output, with_quiet
from appliance.errors import Fatal, WrongUsage
from appliance.values import number

IMAGE = {"metavar": "IMAGE", "help": "id or name", "shell_complete": names("image")}

# -- list --------------------------------------------------------------------------------------------------------------

_COLUMNS = ("id", "name", "status", "size")
_LONG = (*_COLUMNS, "disk_format", "container_format", "visibility", "protected", "owner", "created_at", "tags")
_STATUSES = ("queued", "saving", "uploading", "importing", "active", "deactivated", "pending_delete")
_PAGE = 200


@verb("list", "list images")
@with_visibility("Options", "list {} images alone", ("all",))
@option("--name", help="images of this name")
@option("--status", shell_complete=words(*_STATUSES), help="images of this status: queued, active, …")
@option("--tag", multiple=True, help="images with this tag; may be repeated")
@option("--property", multiple=True, metavar="NAME=VALUE", help="images with this property")
@option(
    "--filter",
    "filters",
    multiple=True,
    metavar="FIELD=VALUE",
    help="images whose field has this value; also size>=1G, size<=10G, created_at>=2026-01-31 and the like",
)
@switch("--hidden", help="hidden images, and no others")
@option(
    "--member-status", type=click.Choice(("accepted", "pending", "rejected", "all")), metavar="STATUS", help="of shared"
    " images: accepted, pending, rejected or all",
)  # fmt: skip
@option("--sort", metavar="KEY[:DIR],…", help="order, as in name:asc,size:desc [name:asc]")
@option("--limit", type=int, metavar="COUNT", help="no more images than this")
@switch("--long", help="more columns")
@with_output
@with_cloud
def list_(cloud: Cloud, output: Output, limit: int | None, sort: str | None, long: bool, **given: Any) -> int:
    """The images that one may see."""
    query = _query(**given)
    page = _PAGE if limit is None else min(_PAGE, limit)
    query += [("sort", sort or "name:asc"), ("limit", page)]
    found = cloud.session.pages("image", "/v2/images", "images", query)
    images = [ordered(image) for image in itertools.islice(found, limit)]
    output.many(images, _LONG if long else _COLUMNS)
    return 0


def _query(
    *, tag: tuple[str, ...], property: tuple[str, ...], filters: tuple[str, ...], hidden: bool, **plain: Any
) -> list[tuple[str, Any]]:
    """The filters of a list, in the words of the API."""
    query: list[tuple[str, Any]] = [(name, value) for name, value in plain.items() if value is not None]
    query += [("os_hidden", "true")] if hidden else []
    query += [("tag", one) for one in tag]
    query += list(pairs(property, "--property").items())
    query += [_filter(one) for one in filters]
    return query


_FILTER = re.compile(r"([^<>=!]+)(>=|<=|!=|>|<|=)(.*)", re.S)
_OPERATORS = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt", "!=": "neq", "=": "eq"}
_OF_TIME = ("created_at", "updated_at")


def _filter(typed: str) -> tuple[str, str]:
    """`size>=1G` → `size_min`, `created_at<2026-01-31` → `created_at=lt:…`, anything else as it is."""
    match = _FILTER.fullmatch(typed)
    if match is None:
        raise WrongUsage(f"--filter {typed} is not of the form FIELD=VALUE")
    field, operator, value = match[1].strip(), match[2], match[3].strip()
    if operator == "=":
        return field, value
    if field in _OF_TIME:
        return field, f"{_OPERATORS[operator]}:{value}"
    if field == "size" and operator in (">=", "<="):
        try:
            return ("size_min" if operator == ">=" else "size_max"), str(number(value))
        except ValueError as error:
            raise WrongUsage(f"--filter {typed}: {error}") from error
    raise WrongUsage(f"--filter {typed}: {operator} is for created_at and updated_at, and >= and <= for size too")


# -- show, set, edit ---------------------------------------------------------------------------------------------------


@verb("show", "show an image")
@argument("image", **IMAGE)
@with_output
@with_cloud
def show(cloud: Cloud, output: Output, image: str) -> int:
    """All that is known of an image."""
    output.one(ordered(find_image(cloud.session, image)))
    return 0


@verb("set", "change an image")
@argument("image", **IMAGE)
@option("--name", help="its new name")
@option(
    "--project",
    "--owner",
    "owner",
    metavar="PROJECT",
    shell_complete=names("project"),
    help="project that owns it from now on, by id or name",
)
@with_fields
@option("--remove-property", multiple=True, metavar="NAME", section="Removals", help="drop a property; may be repeated")
@option("--remove-tag", multiple=True, metavar="TAG", section="Removals", help="drop a tag; may be repeated")
@switch("--deactivate", section="Use", help="bar everybody but administrators from its data")
@switch("--reactivate", section="Use", help="open it again")
@exclusive("deactivate", "reactivate", to="action")
@with_output
@with_cloud
def set_(
    cloud: Cloud,
    output: Output,
    image: str,
    name: str | None,
    owner: str | None,
    fields: dict[str, Any],
    tag: tuple[str, ...],
    remove_property: tuple[str, ...],
    remove_tag: tuple[str, ...],
    action: str | None,
) -> int:
    """Change what is said of an image, or put it out of use and back."""
    if not (fields or name or owner or remove_property or tag or remove_tag or action):
        raise WrongUsage("say what to change")
    session = cloud.session
    found = find_image(session, image)
    fields |= {"name": name} if name else {}
    fields |= {"owner": project_id(session, owner)} if owner else {}
    operations: list[dict[str, Any]] = [_put(found, field, value) for field, value in fields.items()]
    operations += [{"op": "remove", "path": patch_path(gone)} for gone in remove_property]
    if tag or remove_tag:
        operations.append(_put(found, "tags", sorted({*found["tags"], *tag} - {*remove_tag})))
    if operations:
        found = change(session, found["id"], operations)
    if action:
        session.call("POST", "image", path(found["id"], f"/actions/{action}"))
        found = session.get("image", path(found["id"]))
    output.one(ordered(found))
    return 0


def _put(image: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    return {"op": "replace" if name in image else "add", "path": patch_path(name), "value": value}


_FIXED = (
    *("id", "status", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "created_at", "updated_at"),
    *("self", "file", "schema", "direct_url", "locations", "stores"),
)
_ABOUT = "# Change what is below, save and leave the editor. A property whose line is removed is dropped.\n"


@verb("edit", "change an image in an editor")
@argument("image", **IMAGE)
@with_output
@with_cloud
def edit(cloud: Cloud, output: Output, image: str) -> int:
    """Open what can be changed of an image in the editor of VISUAL or EDITOR."""
    session = cloud.session
    found = find_image(session, image)
    before = {name: value for name, value in ordered(found).items() if name not in _FIXED}
    typed = click.edit(_ABOUT + yaml.safe_dump(before, sort_keys=False, allow_unicode=True), extension=".yaml")
    after = before if typed is None else _parsed(typed)
    operations = [_put(found, name, value) for name, value in after.items() if before.get(name) != value]
    operations += [{"op": "remove", "path": patch_path(name)} for name in before if name not in after]
    if operations:
        found = change(session, found["id"], operations)
    else:
        note("Nothing has changed.")
    output.one(ordered(found))
    return 0


def _parsed(typed: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(typed)
    except yaml.YAMLError as error:
        raise Fatal(f"what was saved is not YAML, so nothing has changed: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise Fatal("what was saved has no fields; nothing has changed")
    return {str(name): value for name, value in document.items()}


# -- share, delete -----------------------------------------------------------------------------------------------------

_ANSWERS = {"accept": "accepted", "reject": "rejected", "reset": "pending"}


@verb("share", "let other projects use an image")
@argument("image", **IMAGE)
@argument(
    "projects", metavar="[PROJECT]...", nargs=-1, shell_complete=names("project"), help="share it with these projects"
)
@switch("--remove", help="share it with these projects no longer")
@switch("--accept", help="as a member: answer “accepted”")
@switch("--reject", help="as a member: answer “rejected”")
@switch("--reset", help="as a member: answer “pending”")
@exclusive("remove", "accept", "reject", "reset", to="action")
@with_output
@with_cloud
def share(cloud: Cloud, output: Output, image: str, projects: tuple[str, ...], action: str | None) -> int:
    """Say who else may use an image, or what those say to it."""
    if action == "remove" and not projects:
        raise WrongUsage("say which projects to remove")
    session = cloud.session
    members = path(find_image(session, image)["id"], "/members")
    ids = [project_id(session, typed) for typed in projects]
    if action in _ANSWERS and not ids:
        ids = [_own_project(session)]
    for project in ids:
        one = f"{members}/{quote(project, safe='')}"
        if action is None:
            session.call("POST", "image", members, {"member": project})
        elif action == "remove":
            session.call("DELETE", "image", one)
        else:
            session.call("PUT", "image", one, {"status": _ANSWERS[action]})
    output.many(session.get("image", members)["members"], ("image_id", "member_id", "status"))
    return 0


def _own_project(session: Session) -> str:
    project = session.token().get("project")
    if not project:
        raise Fatal("the credentials name no project that could answer")
    return str(project["id"])


@verb("delete", "delete images")
@argument("images", metavar="IMAGE...", nargs=-1, required=True, help="id or name", shell_complete=names("image"))
@switch("-y", "--yes", help="don't ask")
@with_quiet
@with_cloud
def delete(cloud: Cloud, images: tuple[str, ...], yes: bool) -> int:
    """Delete images, after a question on a terminal."""
    session = cloud.session
    # All are looked up before the first goes: a typo deletes nothing.
    found = [find_image(session, typed) for typed in images]
    told = ", ".join(f"{image.get('name') or image['id']} ({size_text(image.get('size') or 0)})" for image in found)
    confirm(f"Delete {told}?", yes=yes)
    for image in found:
        session.call("DELETE", "image", path(image["id"]))
    return 0


image = group(
    "image",
    image_data.create,
    list_,
    show,
    set_,
    edit,
    image_data.save,
    image_data.import_,
    image_data.copy,
    share,
    delete,
)
