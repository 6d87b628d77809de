"""The table of verbs, and the parser made of it.

A verb is a module of this folder (`migrate-from` is `migrate_from.py`) with `add_arguments(parser)` and
`run(arguments) -> exit code`. One that groups others (`image create`) calls `add_group` in its `add_arguments` and has
no `run`. Modules are loaded by name, here alone: a client's verb must not wait for the server's half to load.
"""

import argparse
import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol, cast

from appliance import __version__

PROGRAM = "glance-appliance"

VERBS: dict[str, str] = {
    "serve": "serve the image and identity APIs from a data directory",
    "init": "prepare a data directory ahead of the first start",
    "status": "say whether an appliance runs on this machine, where, and how much room it has",
    "install": "run the appliance as a service of this machine, from every boot on",
    "uninstall": "undo install; images and settings stay",
    "backup": "copy a data directory, in use or not; the next time only what is new",
    "migrate-from": "bring the images and metadata definitions of a running Glance into a running appliance",
    "restore": "make a data directory of a backup, and read every byte of it back",
    "doctor": "find out what does not fit in a data directory, repair it, rebuild a lost database",
    "store": "show what the stores hold and save; collect, scrub and move them",
    "identity": "rotate the token keys, or give the administrator a new password",
    "image": "create, list, change, save, import, share and delete images",
    "user": "create, list, change and delete users",
    "project": "create, list and delete projects",
    "role": "list, grant and revoke roles",
    "token": "issue and revoke tokens",
    "completion": "print the completion for a shell: bash, zsh or fish",
    "help": "explain a topic or a verb",
    "version": "print the version of the appliance and of its parts",
    "licenses": "print the licences of all that the executable is made of",
}
"""Each verb with its one line of help, in the order in which they are shown."""

AddArguments = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace], int]


class Verb(Protocol):
    """What a verb's module has. A group's has no `run`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


class Member(NamedTuple):
    """One verb of a group."""

    help: str
    add_arguments: AddArguments
    run: Run


def load(name: str) -> Verb:
    """The module of a verb."""
    return cast(Verb, importlib.import_module("appliance.cli." + name.replace("-", "_")))


def is_group(name: str) -> bool:
    """Whether a verb has others below it."""
    return not hasattr(load(name), "run")


def build_parser(names: Iterable[str] | None = None) -> argparse.ArgumentParser:
    """The parser of the whole command line; or one that knows every verb, but the arguments of `names` alone."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="An OpenStack image service with its identity service, in one process.",
        epilog=f"`{PROGRAM} help first-steps` is a place to begin. --data-dir, --os-cloud and the other flags of the "
        "cloud may also come before the verb.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    loaded = set(VERBS if names is None else names)
    for name, line in VERBS.items():
        subparser = verbs.add_parser(name, help=line, description=sentence(line), allow_abbrev=False)
        if name not in loaded:
            continue
        verb = load(name)
        verb.add_arguments(subparser)
        if hasattr(verb, "run"):
            subparser.set_defaults(run=verb.run)
    return parser


def add_group(parser: argparse.ArgumentParser, members: Mapping[str, Member]) -> None:
    """Make `parser` one of a group of verbs."""
    verbs = parser.add_subparsers(dest="subverb", metavar="VERB", required=True)
    for name, member in members.items():
        subparser = verbs.add_parser(name, help=member.help, description=sentence(member.help), allow_abbrev=False)
        member.add_arguments(subparser)
        subparser.set_defaults(run=member.run)


def sentence(text: str) -> str:
    """A line of help as a sentence."""
    return text[:1].upper() + text[1:] + "."
