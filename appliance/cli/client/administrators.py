"""Guards of the way in: the last administrator does not go unasked."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from appliance.cli.client.calls import Refused
from appliance.cli.client.session import Session
from appliance.cli.commands import switch
from appliance.errors import Fatal

Assignment = dict[str, Any]


def with_yes(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flag that goes on all the same."""
    return switch("-y", "--yes", help="don't ask, and do it even if no administrator is left afterwards")(function)


def check_remaining(session: Session, ends: Callable[[Assignment], bool], *, yes: bool) -> None:
    """Raise `Fatal` if what `ends` says of each assignment of the role admin would leave none of them in effect."""
    if yes:
        return
    try:
        held = _administrators(session)
    except Refused:
        # Who may not look can't be told; whether they may act is the service's to say.
        return
    if held and all(ends(assignment) for assignment in held):
        raise Fatal(
            "nobody with the role admin would be left, so nothing has changed; say --yes if that is meant "
            "(`glance-appliance identity bootstrap` brings an administrator back)"
        )


def of_users(ids: Iterable[str]) -> Callable[[Assignment], bool]:
    """Assignments that end with these users."""
    gone = set(ids)
    return lambda assignment: assignment["user"]["id"] in gone


def on_projects(ids: Iterable[str]) -> Callable[[Assignment], bool]:
    """Assignments that end with these projects."""
    gone = set(ids)
    return lambda assignment: (assignment["scope"].get("project") or {}).get("id") in gone


def by_grant(path: str) -> Callable[[Assignment], bool]:
    """Assignments that come of one grant, named by its path below `/v3`."""
    return lambda assignment: urlsplit(assignment["links"]["assignment"]).path.endswith(path)


def _administrators(session: Session) -> list[Assignment]:
    """The assignments of the role admin to enabled users on what is enabled, those by groups included."""
    roles = session.get("identity", "/roles", {"name": "admin"})["roles"]
    if not roles:
        return []
    query = {"role.id": roles[0]["id"], "effective": ""}
    assignments = session.get("identity", "/role_assignments", query)["role_assignments"]
    users = {user["id"] for user in session.pages("identity", "/users", "users", [("enabled", "true")])}
    projects = {one["id"] for one in session.pages("identity", "/projects", "projects", [("enabled", "true")])}
    return [
        assignment
        for assignment in assignments
        if assignment["user"]["id"] in users
        and ("project" not in assignment["scope"] or assignment["scope"]["project"]["id"] in projects)
    ]
