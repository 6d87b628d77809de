"""`identity`: the identity service's own maintenance."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from click import File

from appliance import client_files
from appliance.cli.client.options import NewPassword, with_password
from appliance.cli.commands import group, option, verb
from appliance.cli.directory import owned
from appliance.cli.flags import DIRECTORY, Flags, settings_for, with_directory, with_settings
from appliance.datadir import DataDir
from appliance.db.records import Filter
from appliance.errors import Fatal, Invalid
from appliance.identity.federation.mapping_rules import evaluate
from appliance.identity.federation.mapping_schema import DEFAULT_VERSION, check_mapping
from appliance.identity.federation.openid import assertion_of
from appliance.identity.service import Identity
from appliance.identity.tokens.keyring import Keyring
from appliance.setting_sources import load
from appliance.settings import Settings
from appliance.values import now

_SECOND = 1_000_000
_ADDRESS = ("host", "image_port", "identity_port", "single_port")
"""The settings that say where clients find the identity service, for files that are not there yet."""


@verb("rotate-keys", "sign tokens with a new key; those in use stay valid")
@with_directory
def rotate_keys(flags: Flags) -> int:
    """The keys are files of their own: a running appliance is told by SIGHUP to read them again."""
    directory = DataDir(settings_for(flags).data_dir)
    if not directory.keys.is_dir():
        raise Fatal(f"{directory.path} has no token keys")
    complete = load({"data_dir": str(directory.path)})
    pid = directory.holder_pid()
    if complete.site_key_file and pid is None:
        raise Fatal("the keys are shared with other nodes, through the database: start this node first, or do it there")
    at = now()
    Keyring(directory.keys, at).rotate(at, (complete.token_lifetime + complete.allow_expired_window) * _SECOND)
    if pid is not None:
        os.kill(pid, signal.SIGHUP)
    print("tokens are signed with a new key; those in use stay valid until they end")
    return 0


@verb("bootstrap", "make whatever an administrator lacks to get in, while the appliance is stopped")
@with_password
@with_settings(*DIRECTORY, *_ADDRESS, "region")
def bootstrap(flags: Flags, password: NewPassword) -> int:
    """What `keystone-manage bootstrap` is. A second one changes nothing."""
    settings = settings_for(flags)
    secret = client_files.new_password() if password.is_random else password.typed()
    typed = secret is not None and not password.is_random
    with _own_identity(settings, "identity bootstrap") as (directory, identity):
        known = client_files.password_of(directory)
        if secret is None and not (known and identity.is_password_of_admin(known)):
            secret = client_files.new_password()
        if secret is not None:
            _write_files(settings, directory, secret)
        identity.restore_administrator(secret, settings.region)
        if secret is None or typed:
            print(f"the administrator is admin, with the password in {password.file or directory.clouds}")
        else:
            print(f"the administrator is admin, with the password {secret}")
        _print_files(directory)
    return 0


@verb("set-admin-password", "give the user admin a new password while the appliance is stopped")
@with_password
@with_settings(*DIRECTORY, *_ADDRESS, "region")
def set_admin_password(flags: Flags, password: NewPassword) -> int:
    """One that is typed, is in a file or is made up; without a flag one line of standard input."""
    settings = settings_for(flags)
    secret = client_files.new_password() if password.is_random else password.typed(otherwise="stdin")
    assert secret is not None
    with _own_identity(settings, "identity set-admin-password") as (directory, identity):
        found = identity.users.search([Filter("name", "admin"), Filter("domain_id", "default")])
        if not found:
            raise Fatal("there is no user admin in the domain default; `identity bootstrap` makes one")
        identity.users.update(found[0].id, {"password": secret, "enabled": True})
        _write_files(settings, directory, secret)
        print(f"the password of admin is now {secret}" if password.is_random else "the password of admin is set")
        _print_files(directory)
    return 0


@verb("test-mapping", "show what the rules of a mapping make of what an identity provider says")
@option("--rules", type=File(), required=True, metavar="FILE", help="JSON file of rules, or of a mapping")
@option(
    "--input",
    "said",
    type=File(),
    required=True,
    metavar="FILE",
    help="what is said: claims in JSON, or lines NAME: VALUE",
)
@option("--prefix", default="", metavar="TEXT", help="look only at names that begin so")
@option("--mapping-schema-version", "version", metavar="VERSION", help="of the rules, unless the mapping says: 1.0")
def test_mapping(rules: IO[str], said: IO[str], prefix: str, version: str | None) -> int:
    """What `keystone-manage mapping_engine` is, and by the same options. Needs no data directory."""
    mapping = _json(rules)
    mapping = {"rules": mapping} if isinstance(mapping, list) else mapping
    if not isinstance(mapping, dict):
        raise Fatal(f"{rules.name} has neither a list of rules nor a mapping")
    version = version or mapping.get("schema_version") or DEFAULT_VERSION
    try:
        check_mapping({**mapping, "schema_version": version})
        mapped = evaluate(mapping["rules"], version, _assertion(said, prefix))
    except Invalid as error:
        raise Fatal(str(error)) from error
    print(json.dumps(mapped.shown(), indent=2))
    return 0


def _json(file: IO[str]) -> Any:
    try:
        return json.loads(file.read())
    except ValueError as error:
        raise Fatal(f"{file.name} is no JSON: {error}") from error


def _assertion(file: IO[str], prefix: str) -> dict[str, list[str]]:
    """Claims as a token has them, or lines in which a semicolon separates values, as Keystone's tool reads them."""
    text = file.read()
    if text.lstrip().startswith("{"):
        file.seek(0)
        found = assertion_of(_json(file))
    else:
        found = {}
        for number, line in enumerate(text.splitlines(), 1):
            name, colon, value = line.partition(":")
            if line.strip() and not colon:
                raise Fatal(f"line {number} of {file.name} is not NAME: VALUE")
            if line.strip():
                found[name.strip()] = value.strip().split(";")
    return {name: values for name, values in found.items() if name.startswith(prefix)}


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
    scheme = "https" if settings.tls_cert else "http"
    client_files.set_password(directory, f"{scheme}://{host}:{port}{mount}", settings.region, password)


def _print_files(directory: DataDir) -> None:
    print(f"{directory.clouds} and {directory.openrc.name} beside it have it")


identity = group("identity", bootstrap, rotate_keys, set_admin_password, test_mapping)
