"""`identity`: the identity service's own maintenance."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance import client_files
from appliance.cli.flags import DIRECTORY, add_directory, add_settings, owned, settings_for
from appliance.cli.verbs import Member, add_group
from appliance.datadir import DataDir
from appliance.db.records import Filter
from appliance.errors import Fatal
from appliance.identity.service import Identity
from appliance.identity.tokens.keyring import Keyring
from appliance.settings import Settings, load, read_secret
from appliance.values import now

_SECOND = 1_000_000
_ADDRESS = ("host", "image_port", "identity_port", "single_port")
"""The settings that say where clients find the identity service, for files that are not there yet."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_group(
        parser,
        {
            "bootstrap": Member(
                "make whatever an administrator lacks to get in, while the appliance is stopped",
                _bootstrap_arguments,
                _bootstrap,
            ),
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


def _new_password_arguments(parser: argparse.ArgumentParser, otherwise: str) -> None:
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--password-file", metavar="FILE", help=f"its first line is the password{otherwise}")
    given.add_argument("--random", action="store_true", help="make one up and print it")


def _bootstrap_arguments(parser: argparse.ArgumentParser) -> None:
    _new_password_arguments(parser, " [the one that clouds.yaml has, if it is right, else a random one]")
    add_settings(parser, (*DIRECTORY, *_ADDRESS, "region"))


def _bootstrap(arguments: argparse.Namespace) -> int:
    """What `keystone-manage bootstrap` is. A second one changes nothing."""
    settings = settings_for(arguments)
    password = _given_password(arguments)
    with _own_identity(settings, "identity bootstrap") as (directory, identity):
        known = client_files.password_of(directory)
        if password is None and not (known and identity.is_password_of_admin(known)):
            password = client_files.new_password()
        if password is not None:
            _write_files(settings, directory, password)
        identity.restore_administrator(password, settings.region)
        if password is None:
            print(f"the administrator is admin, with the password in {directory.clouds}")
        elif arguments.password_file:
            print(f"the administrator is admin, with the password in {arguments.password_file}")
        else:
            print(f"the administrator is admin, with the password {password}")
        _print_files(directory)
    return 0


def _password_arguments(parser: argparse.ArgumentParser) -> None:
    _new_password_arguments(parser, " [one line of standard input]")
    add_settings(parser, (*DIRECTORY, *_ADDRESS, "region"))


def _set_password(arguments: argparse.Namespace) -> int:
    settings = settings_for(arguments)
    password = _given_password(arguments)
    if password is None:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Fatal("no password was given on standard input")
    with _own_identity(settings, "identity set-admin-password") as (directory, identity):
        found = identity.users.search([Filter("name", "admin"), Filter("domain_id", "default")])
        if not found:
            raise Fatal("there is no user admin in the domain default; `identity bootstrap` makes one")
        identity.users.update(found[0].id, {"password": password, "enabled": True})
        _write_files(settings, directory, password)
        print(f"the password of admin is now {password}" if arguments.random else "the password of admin is set")
        _print_files(directory)
    return 0


def _given_password(arguments: argparse.Namespace) -> str | None:
    if arguments.random:
        return client_files.new_password()
    return read_secret(Path(arguments.password_file)) if arguments.password_file else None


@contextmanager
def _own_identity(settings: Settings, purpose: str) -> Iterator[tuple[DataDir, Identity]]:
    """The identity service of a stopped appliance that has one of its own."""
    if settings.identity_mode != "own":
        raise Fatal(f"the users of this appliance are those of {settings.keystone_url}: change them there")
    with owned(settings, purpose) as opened:
        yield opened.directory, Identity(opened.db, opened.directory.keys, settings, now)


def _write_files(settings: Settings, directory: DataDir, password: str) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    port, mount = (settings.image_port, "/identity") if settings.single_port else (settings.identity_port, "")
    client_files.set_password(directory, f"http://{host}:{port}{mount}", settings.region, password)


def _print_files(directory: DataDir) -> None:
    print(f"{directory.clouds} and {directory.openrc.name} beside it have it")
