"""`clouds.yaml` and `admin-openrc`: what clients need to reach the appliance of a data directory.

Both hold the administrator's password and are there, whole and durable, before the password is in force: whoever pulls
the plug during the first start finds a way in. What the operator adds to them stays whenever that is possible.
"""

import json
import re
import secrets
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from appliance.blobs import durable
from appliance.datadir import DataDir

CLOUD = "appliance"
ADMIN = "admin"

_CLOUDS = """\
# What OpenStack clients need to reach this appliance: `export OS_CLIENT_CONFIG_FILE={clouds}`, `OS_CLOUD=appliance`.
clouds:
  appliance:
    auth:
      auth_url: {auth_url}
      username: admin
      password: {password}
      project_name: admin
      user_domain_name: Default
      project_domain_name: Default
    region_name: {region}
    identity_api_version: 3
    image_api_version: 2
    interface: public
"""

_OPENRC = """\
# What OpenStack clients need to reach this appliance: `source {openrc}`.
export OS_AUTH_URL={auth_url}
export OS_USERNAME=admin
export OS_PASSWORD={password}
export OS_PROJECT_NAME=admin
export OS_USER_DOMAIN_NAME=Default
export OS_PROJECT_DOMAIN_NAME=Default
export OS_REGION_NAME={region}
export OS_IDENTITY_API_VERSION=3
export OS_IMAGE_API_VERSION=2
unset OS_CLOUD OS_TOKEN OS_SYSTEM_SCOPE OS_TRUST_ID
"""

_ELSEWHERE = """\
# The images of this appliance for users of the Keystone at auth_url: `export OS_CLIENT_CONFIG_FILE={clouds}`,
# `OS_CLOUD=appliance`. Add username, password and project_name of a user of that Keystone below, or give them to the
# client as flags. Later starts change nothing here but the two addresses.
clouds:
  appliance:
    auth:
      auth_url: {auth_url}
      user_domain_name: Default
      project_domain_name: Default
    image_endpoint_override: {image_url}
    identity_api_version: 3
    image_api_version: 2
"""


def _yaml_auth(text: str) -> dict[str, Any]:
    """The `auth` part of our cloud."""
    try:
        auth = yaml.safe_load(text)["clouds"][CLOUD]["auth"]
    except (yaml.YAMLError, KeyError, TypeError):
        return {}
    return auth if isinstance(auth, dict) else {}


def _shell_auth(text: str) -> dict[str, Any]:
    """The same by what a shell exports."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return {}
    return {name.removeprefix("OS_").lower(): value for name, _, value in (word.partition("=") for word in words)}


@dataclass(frozen=True, slots=True)
class _Syntax:
    """How one of the two files is written and read."""

    template: str
    url: str
    password: str
    quote: Callable[[str], str]
    auth: Callable[[str], dict[str, Any]]
    authority: str
    """The line that names the authority of the certificates, its value left out."""
    before_authority: str
    """The line that it comes behind."""


_YAML = _Syntax(
    _CLOUDS,
    r"(?m)^(\s+auth_url: ).*$",
    r"(?m)^(\s+password: ).*$",
    json.dumps,
    _yaml_auth,
    "    cacert: ",
    r"(?m)^  appliance:[ ]*\n",
)
_SHELL = _Syntax(
    _OPENRC,
    r"(?m)^(export OS_AUTH_URL=).*$",
    r"(?m)^(export OS_PASSWORD=).*$",
    shlex.quote,
    _shell_auth,
    "export OS_CACERT=",
    r"(?m)^export OS_AUTH_URL=.*\n",
)
_IMAGE_URL = r"(?m)^(\s+image_endpoint_override: ).*$"


def new_password() -> str:
    """A password that nobody has had before: 128 bits, free of characters that a shell or YAML would read."""
    return secrets.token_urlsafe(16).replace("-", "x").replace("_", "y")


def write(directory: DataDir, identity_url: str, region: str, password: str, authority: str = "") -> None:
    """Write both files anew, mode 0600, durable when this returns. `authority` is the file that https is trusted by."""
    for path, syntax in _both(directory):
        text = syntax.template.format(
            auth_url=f"{identity_url}/v3",
            password=syntax.quote(password),
            region=region,
            clouds=directory.clouds,
            openrc=directory.openrc,
        )
        _replace(path, _with_authority(text, syntax, authority, directory))


def refresh(directory: DataDir, identity_url: str, authority: str = "") -> None:
    """Bring the address and the authority in the files up to date, in those that are there."""
    for path, syntax in _both(directory):
        if text := _text(path):
            text = _with(text, syntax.url, f"{identity_url}/v3")
            _replace(path, _with_authority(text, syntax, authority, directory))


def write_for_keystone(directory: DataDir, identity_url: str, image_url: str) -> Path | None:
    """Write a `clouds.yaml` for users of somebody else's Keystone, or bring its addresses up to date.

    One that is for users of our own identity service is kept beside it under another name, which is returned.
    """
    auth_url = f"{identity_url}/v3"
    path = directory.clouds
    text = _text(path)
    if re.search(_IMAGE_URL, text):
        _replace(path, _with(_with(text, _YAML.url, auth_url), _IMAGE_URL, image_url))
        return None
    aside = None
    if text:
        aside = path.with_name("clouds.yaml.own")
        _replace(aside, text)
    _replace(path, _ELSEWHERE.format(auth_url=auth_url, image_url=image_url, clouds=path))
    return aside


def change_password(directory: DataDir, password: str) -> list[Path]:
    """Put the administrator's new password into the files, wherever they hold one. Gives those that now have it."""
    done = []
    for path, syntax in _both(directory):
        text = _text(path)
        changed = _with(text, syntax.password, syntax.quote(password))
        # A file that was edited beyond what the pattern understands stays as it is.
        if syntax.auth(text).get("username") == ADMIN and syntax.auth(changed).get("password") == password:
            _replace(path, changed)
            done.append(path)
    return done


def set_password(directory: DataDir, identity_url: str, region: str, password: str) -> None:
    """Have both files hold the administrator's new password: changed where they hold an old one, else made anew."""
    if len(change_password(directory, password)) < 2:
        write(directory, identity_url_of(directory) or identity_url, region, password)


def password_of(directory: DataDir) -> str | None:
    """The administrator's password by `clouds.yaml`; None if that names no administrator or no password."""
    auth = _yaml_auth(_text(directory.clouds))
    return str(auth["password"]) if auth.get("username") == ADMIN and auth.get("password") else None


def identity_url_of(directory: DataDir) -> str:
    """Where the identity service was when the files were written, without a version; empty if they do not say."""
    for path, syntax in _both(directory):
        if found := syntax.auth(_text(path)).get("auth_url"):
            return str(found).rstrip("/").removesuffix("/v3")
    return ""


def _both(directory: DataDir) -> tuple[tuple[Path, _Syntax], ...]:
    return (directory.clouds, _YAML), (directory.openrc, _SHELL)


def _text(path: Path) -> str:
    """What a file says; nothing if it is not there or is no text."""
    try:
        return path.read_text()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def _with(text: str, line: str, value: str) -> str:
    """The text with the end of the first such line replaced."""
    return re.sub(line, lambda match: match[1] + value, text, count=1)


def _with_authority(text: str, syntax: _Syntax, authority: str, directory: DataDir) -> str:
    """The text with that file named. Where there is none, ours is taken out, and one that the operator named stays."""
    line = re.compile(rf"(?m)^{re.escape(syntax.authority)}(.*)\n")
    there = line.search(text)
    if not authority:
        ours = there is not None and str(directory.tls) in there[1]
        return line.sub("", text, count=1) if ours else text
    wanted = f"{syntax.authority}{syntax.quote(authority)}\n"
    if there is not None:
        return text[: there.start()] + wanted + text[there.end() :]
    return re.sub(syntax.before_authority, lambda before: before[0] + wanted, text, count=1)


def _replace(path: Path, text: str) -> None:
    if _text(path) != text:
        durable.replace_file(durable.Disk(), path, text.encode())
