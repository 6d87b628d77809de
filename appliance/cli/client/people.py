"""What the identity verbs have in common: domains as typed, and new passwords."""

import argparse
import getpass
import secrets
import sys
from dataclasses import dataclass

from appliance.cli.client.lookup import find_identity
from appliance.cli.client.output import say
from appliance.cli.client.session import Session
from appliance.errors import Fatal


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
        return _told(sys.stdin.readline().rstrip("\r\n"))
    if arguments.password_prompt:
        password = _told(getpass.getpass("New password: "))
        if getpass.getpass("Once more: ") != password:
            raise Fatal("the two differ; nothing has changed")
        return password
    return None


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password that is not in force yet."""

    text: str
    is_random: bool

    def tell(self, whose: str) -> None:
        """Say a random one, once: when it is in force and not before."""
        if self.is_random:
            say(f"The password of {whose} is {self.text} (said this once).")


def new_password(arguments: argparse.Namespace) -> NewPassword:
    """The password that the flags lead to, or a random one."""
    typed = typed_password(arguments)
    return NewPassword(typed or secrets.token_urlsafe(16), typed is None)


def _told(password: str) -> str:
    if not password:
        raise Fatal("the password is empty; nothing has changed")
    return password
