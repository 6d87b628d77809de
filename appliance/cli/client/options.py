"""The options of the client's verbs: which cloud to ask, new passwords, and the resources that names stand for."""

import functools
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from appliance.cli.client.calls import Refused, Unreachable
from appliance.cli.client.credentials import AUTH, OTHER, cloud_names, find
from appliance.cli.client.session import Session, TokenCache
from appliance.cli.commands import collecting, exclusive, folded_help, option, switch
from appliance.cli.output import say
from appliance.errors import ApplianceError, Fatal, WrongUsage
from appliance.values import read_secret

Function = Callable[..., Any]


class Cloud:
    """The cloud that a command line means. Nothing is looked for before the verb asks for the session."""

    def __init__(self, flags: Mapping[str, Any]) -> None:
        self.flags = flags

    @functools.cached_property
    def session(self) -> Session:
        """Calls as the user that the flags, the environment or clouds.yaml name."""
        return Session(find(self.flags), TokenCache())


def with_cloud(function: Function) -> Function:
    """Flags that say whom to ask, and as whom; the verb gets a `Cloud`."""
    names = ("data_dir", "os_cloud", *(f"os_{name}" for name in (*AUTH, *OTHER)), "insecure")
    wrapped = collecting("cloud", names, Cloud)(function)
    options: list[Function] = [
        option(
            "--data-dir",
            metavar="DIR",
            section="Cloud",
            type=click.Path(),
            help="be the administrator of the appliance in this directory",
        ),
        option(
            "--os-cloud", metavar="NAME", section="Cloud", shell_complete=_clouds, help="cloud of clouds.yaml to use"
        ),
        *(
            option(
                "--os-" + name.replace("_", "-"),
                metavar=name.rsplit("_", 1)[-1].upper(),
                section="Cloud",
                folded=True,
                help=f"{meaning}; also OS_{name.upper()}",
            )
            for name, meaning in {**AUTH, **OTHER}.items()
        ),
        switch("--insecure", section="Cloud", folded=True, help="accept any certificate"),
        folded_help("Cloud"),
    ]
    return functools.reduce(lambda made, add: add(made), reversed(options), wrapped)


def pairs(given: Sequence[str], flag: str) -> dict[str, str]:
    """`k=v` texts as a mapping."""
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise WrongUsage(f"{flag} {text} is not of the form NAME=VALUE")
        found[key] = value
    return found


# -- what names stand for ----------------------------------------------------------------------------------------------

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


def with_domain(what: str) -> Callable[[Function], Function]:
    """A flag for the domain of what the verb is about."""
    return option(
        "--domain",
        metavar="DOMAIN",
        shell_complete=names("domain"),
        help=f"domain of {what}, by id or name [one's own]",
    )


def domain_id(session: Session, typed: str | None) -> dict[str, str]:
    """The domain as a filter or a field; nothing if none was typed."""
    return {"domain_id": str(find_identity(session, "domain", typed)["id"])} if typed else {}


# -- completion --------------------------------------------------------------------------------------------------------

Complete = Callable[[click.Context, click.Parameter, str], list[str]]

_LISTS = {
    "image": ("image", ("/v2/images?limit=200",), "images"),
    "store": ("image", ("/v2/info/stores",), "stores"),
    "project": ("identity", ("/projects", "/auth/projects"), "projects"),
    **{kind: ("identity", (f"/{kind}s",), f"{kind}s") for kind in ("user", "role", "domain", "group")},
}
"""Each kind of thing with its service, the places to look in until one is not barred, and the key."""


def names(kind: str) -> Complete:
    """Completes the names of things of a kind, if the cloud can be asked without asking the person."""
    service, paths, key = _LISTS[kind]

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        flags = {name: value for name, value in ctx.params.items() if name.startswith("os_") or name == "data_dir"}
        try:
            session = Session(find(flags), TokenCache(), may_ask=False)
            found = _first(session, service, paths)[key]
        except ApplianceError:
            return []
        labels = {str(thing.get("name") or thing["id"]) for thing in found}
        if incomplete:
            labels |= {str(thing["id"]) for thing in found}
        return sorted(label for label in labels if label.startswith(incomplete))

    return complete


def _first(session: Session, service: str, paths: Sequence[str]) -> Any:
    """What is at the first path that these credentials may look at."""
    for path in paths[:-1]:
        try:
            return session.get(service, path)
        except Refused:
            continue
    return session.get(service, paths[-1])


def _clouds(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    try:
        return [name for name in cloud_names() if name.startswith(incomplete)]
    except ApplianceError:
        return []


def words(*known: str) -> Complete:
    """Completes words that are usual, where others are allowed as well."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        return [word for word in known if word.startswith(incomplete)]

    return complete


# -- new passwords -----------------------------------------------------------------------------------------------------


def with_password(function: Function) -> Function:
    """Flags for a new password; the verb gets a `NewPassword`.

    There is none that takes it as it is: other users could read it in the list of processes.
    """
    wrapped = collecting("password", _PASSWORD, lambda given: NewPassword(**given))(function)
    wrapped = exclusive(*_PASSWORD)(wrapped)
    options: list[Function] = [
        switch("--random", section="Password", help="make one up and print it once"),
        switch("--password-prompt", section="Password", help="ask for it"),
        switch("--password-stdin", section="Password", help="read one line of standard input"),
        option(
            "--password-file",
            metavar="FILE",
            section="Password",
            type=click.Path(),
            help="its first line is the password",
        ),
    ]
    return functools.reduce(lambda made, add: add(made), reversed(options), wrapped)


_PASSWORD = ("random", "password_prompt", "password_stdin", "password_file")


class NewPassword:
    """The password that the flags lead to."""

    def __init__(
        self,
        random: bool = False,
        password_prompt: bool = False,
        password_stdin: bool = False,
        password_file: str | None = None,
    ) -> None:
        self.is_random = random
        self.file = password_file
        self._prompt = password_prompt
        self._stdin = password_stdin

    def typed(self, *, otherwise: str = "") -> str | None:
        """What was typed or is in a file; None for a random one, and without any flag.

        `otherwise` says where it comes from without a flag: `stdin` asks on a terminal, and reads a line elsewhere.
        """
        if self.file:
            return read_secret(Path(self.file))
        if self._prompt or (otherwise == "stdin" and not self._given() and sys.stdin.isatty()):
            return _asked_twice()
        if self._stdin or (otherwise == "stdin" and not self._given()):
            return _required(_line())
        return None

    def _given(self) -> bool:
        return self.is_random or self._prompt or self._stdin or bool(self.file)

    @contextmanager
    def new(self, whose: str) -> Iterator[str]:
        """The password that was typed, or a random one, which is said once: when the block has set it."""
        password = self.typed()
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


def _asked_twice() -> str:
    password = _required(str(click.prompt("New password", hide_input=True, err=True, default="", show_default=False)))
    if click.prompt("Once more", hide_input=True, err=True, default="", show_default=False) != password:
        raise Fatal("the two differ; nothing has changed")
    return password


def _line() -> str:
    """One line of standard input."""
    try:
        line = sys.stdin.readline().rstrip("\r\n")
        # Bytes that are no text of the locale may have been let through as halves of surrogate pairs.
        line.encode()
    except UnicodeError as error:
        raise Fatal("what came on standard input is not text; nothing has changed") from error
    return line


def _required(password: str) -> str:
    if not password:
        raise Fatal("the password is empty; nothing has changed")
    return password
