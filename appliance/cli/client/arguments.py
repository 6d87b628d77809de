"""The arguments of the client's verbs, and the resources that names stand for."""

import argparse
import getpass
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from appliance.cli.client.calls import Refused, Unreachable
from appliance.cli.client.credentials import AUTH, OTHER, find
from appliance.cli.client.output import say
from appliance.cli.client.session import Session
from appliance.errors import Fatal, WrongUsage

FORMATS = ("table", "json", "value")


def add_cloud(parser: argparse.ArgumentParser) -> None:
    """Flags that say whom to ask, and as whom."""
    group = parser.add_argument_group("cloud", "each --os-… is also a variable OS_… and a part of clouds.yaml")
    group.add_argument("--data-dir", metavar="DIR", help="be the administrator of the appliance in this directory")
    group.add_argument("--os-cloud", metavar="NAME", help="cloud of clouds.yaml to use")
    for name, meaning in {**AUTH, **OTHER}.items():
        group.add_argument("--os-" + name.replace("_", "-"), metavar=name.rsplit("_", 1)[-1].upper(), help=meaning)
    group.add_argument("--insecure", action="store_true", help="accept any certificate")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Flags that say how to print."""
    group = parser.add_argument_group("output")
    group.add_argument("-f", "--format", choices=FORMATS, default="table", help="table, json or bare values [table]")
    group.add_argument("-c", "--column", action="append", metavar="NAME", help="only this column; may be repeated")


def session_of(arguments: argparse.Namespace) -> Session:
    """A session for the cloud that this command line means."""
    return Session(find(arguments))


def pairs(given: Sequence[str] | None, flag: str) -> dict[str, str]:
    """`k=v` texts as a mapping."""
    found = {}
    for text in given or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise WrongUsage(f"{flag} {text} is not of the form NAME=VALUE")
        found[key] = value
    return found


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


def add_domain(parser: argparse.ArgumentParser, what: str) -> None:
    """A flag for the domain of what the verb is about."""
    parser.add_argument("--domain", metavar="DOMAIN", help=f"domain of {what}, by id or name [one's own]")


def domain_id(session: Session, typed: str | None) -> dict[str, str]:
    """The domain as a filter or a field; nothing if none was typed."""
    return {"domain_id": str(find_identity(session, "domain", typed)["id"])} if typed else {}


def add_password(parser: argparse.ArgumentParser) -> None:
    """Flags for a new password. There is none that takes it as it is: other users could read it in the process list."""
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--password-prompt", action="store_true", help="ask for the password")
    given.add_argument("--password-stdin", action="store_true", help="read the password from standard input")


def typed_password(arguments: argparse.Namespace) -> str | None:
    """The password that the flags lead to; None without any."""
    if arguments.password_stdin:
        return _told(_line())
    if arguments.password_prompt:
        password = _told(getpass.getpass("New password: "))
        if getpass.getpass("Once more: ") != password:
            raise Fatal("the two differ; nothing has changed")
        return password
    return None


@contextmanager
def new_password(arguments: argparse.Namespace, whose: str) -> Iterator[str]:
    """The password that the flags lead to, or a random one, which is said once: when the block has set it."""
    password = typed_password(arguments)
    if password is not None:
        yield password
        return
    password = secrets.token_urlsafe(16)
    try:
        yield password
    except Unreachable:
        say(f"The password of {whose} may be {password} by now: the server did not answer (said this once).")
        raise
    say(f"The password of {whose} is {password} (said this once).")


def _line() -> str:
    """One line of standard input."""
    try:
        line = sys.stdin.readline().rstrip("\r\n")
        # Bytes that are no text of the locale may have been let through as halves of surrogate pairs.
        line.encode()
    except UnicodeError as error:
        raise Fatal("what came on standard input is not text; nothing has changed") from error
    return line


def _told(password: str) -> str:
    if not password:
        raise Fatal("the password is empty; nothing has changed")
    return password
