"""`identity`: the identity service's own upkeep."""

import argparse
import os
import signal
import sys

from appliance.bootstrap import new_password
from appliance.cli.directory import add_directory, owned, settings_for
from appliance.cli.verbs import Member, add_group
from appliance.datadir import DataDir
from appliance.db.records import Filter
from appliance.errors import Fatal
from appliance.identity.keyring import Keyring
from appliance.identity.service import Identity
from appliance.settings import load
from appliance.values import now

_SECOND = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_group(
        parser,
        {
            "rotate-keys": Member("sign tokens with a new key; those in use stay valid", add_directory, _rotate),
            "set-admin-password": Member(
                "give the user admin a new password while the appliance is stopped", _password_arguments, _set_password
            ),
        },
    )


def _rotate(arguments: argparse.Namespace) -> int:
    """The keys are files of their own: a running appliance is told by SIGHUP to read them again."""
    directory = DataDir(settings_for(arguments).data_dir)
    if not directory.keys.is_dir():
        raise Fatal(f"{directory.path} has no token keys")
    complete = load({"data_dir": str(directory.path)})
    at = now()
    Keyring(directory.keys, at).rotate(at, (complete.token_lifetime + complete.allow_expired_window) * _SECOND)
    pid = directory.holder_pid()
    if pid is not None:
        os.kill(pid, signal.SIGHUP)
    print("tokens are signed with a new key; those in use stay valid until they end")
    return 0


def _password_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--random", action="store_true", help="make one up and print it, instead of reading one line")
    add_directory(parser)


def _set_password(arguments: argparse.Namespace) -> int:
    settings = settings_for(arguments)
    password = new_password() if arguments.random else sys.stdin.readline().rstrip("\n")
    if not password:
        raise Fatal("no password was given on standard input")
    with owned(settings, "identity set-admin-password") as opened:
        identity = Identity(opened.db, opened.directory.keys, settings, now)
        found = identity.users.search([Filter("name", "admin"), Filter("domain_id", "default")])
        if not found:
            raise Fatal("there is no user admin in the domain default")
        identity.users.update(found[0]["id"], {"password": password, "enabled": True})
    print(f"the password of admin is now {password}" if arguments.random else "the password of admin is set")
    print("clouds.yaml and admin-openrc in the data directory still hold the former one")
    return 0
