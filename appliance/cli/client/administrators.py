"""Guards of the way in: the last administrator, and files with a password that has changed."""

import argparse
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from appliance import client_files
from appliance.cli.client.calls import Refused
from appliance.cli.client.session import Session
from appliance.datadir import DataDir
from appliance.db.engine.files import looking
from appliance.errors import ApplianceError, Fatal
from appliance.identity.auth.passwords import Passwords
from appliance.identity.bootstrap import ADMIN, DEFAULT_DOMAIN, has_password


def stale_password(directory: DataDir) -> str:
    """A sentence if it is not; empty if it is, and where that can't be known. Counts as no attempt to log in."""
    try:
        password = client_files.password_of(directory)
        if not password:
            return ""
        with looking(directory.database) as reader:
            if has_password(reader, Passwords(), ADMIN, DEFAULT_DOMAIN, password):
                return ""
    except (OSError, ApplianceError):
        return ""
    return (
        f"the password in {directory.clouds} is not the one of admin; `identity set-admin-password`, while the "
        "appliance is stopped, sets a new one and writes it there"
    )


Assignment = dict[str, Any]


def add_yes(parser: argparse.ArgumentParser) -> None:
    """The flag that goes on all the same."""
    parser.add_argument("--yes", action="store_true", help="do it even if no administrator is left afterwards")


def check_remaining(arguments: argparse.Namespace, session: Session, ends: Callable[[Assignment], bool]) -> None:
    """Raise `Fatal` if what `ends` says of each assignment of the role admin would leave none of them in effect."""
    if arguments.yes:
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
