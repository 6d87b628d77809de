"""From what a person typed to the thing that is meant: its id first, then its name."""

from typing import Any
from urllib.parse import quote

from appliance.cli.client.calls import Refused
from appliance.cli.client.session import Session
from appliance.errors import Fatal

_NOT_BY_ID = (400, 403, 404)
"""Answers to a look-up by id that leave room for a name."""


def find_image(session: Session, typed: str) -> dict[str, Any]:
    """The image with this id or name, hidden ones included."""
    try:
        image: dict[str, Any] = session.get("image", f"/v2/images/{quote(typed, safe='')}")
        return image
    except Refused as error:
        if error.status not in _NOT_BY_ID:
            raise
    found: list[dict[str, Any]] = []
    for more in ([], [("os_hidden", "true")], [("visibility", "community")]):
        if not found:
            found = list(session.pages("image", "/v2/images", "images", [("name", _as_filter(typed)), *more]))
    return _only(found, "image", typed)


def _as_filter(name: str) -> str:
    """A name as the value of a filter: quoted, so that a colon in it is not taken for an operator."""
    return f'in:"{name}"' if ":" in name and '"' not in name else name


def find_identity(session: Session, kind: str, typed: str, **narrow: str) -> dict[str, Any]:
    """The `user`, `project`, `role`, `domain` or `group` with this id or name."""
    try:
        thing: dict[str, Any] = session.get("identity", f"/{kind}s/{quote(typed, safe='')}")[kind]
        return thing
    except Refused as error:
        if error.status not in _NOT_BY_ID:
            raise
    found = session.get("identity", f"/{kind}s", {"name": typed, **narrow})[f"{kind}s"]
    return _only(found, kind, typed)


def project_id(session: Session, typed: str) -> str:
    """A project's id. Who may not look projects up has to type the id, which is then taken as it is."""
    own = session.token().get("project") or {}
    if typed in (own.get("id"), own.get("name")):
        return str(own["id"])
    try:
        return str(find_identity(session, "project", typed)["id"])
    except Refused as error:
        if error.status == 403:
            return typed
        raise


def _only(found: list[dict[str, Any]], kind: str, typed: str) -> dict[str, Any]:
    if not found:
        raise Fatal(f"there is no {kind} {typed}")
    if len(found) > 1:
        ids = ", ".join(str(thing["id"]) for thing in found)
        raise Fatal(f"{len(found)} {kind}s are called {typed}; say which one by its id: {ids}")
    return found[0]
