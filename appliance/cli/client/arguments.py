"""The flags that every verb of the client takes: which cloud, and how to print."""

import argparse
from collections.abc import Sequence

from appliance.cli.client.credentials import find
from appliance.cli.client.flags import AUTH, OTHER
from appliance.cli.client.session import Session
from appliance.errors import WrongUsage

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
