"""`status`: is there an appliance on this machine, where, and how is it?"""

import os
import shutil
import ssl
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from appliance import client_files
from appliance.certificates import Facts, facts
from appliance.cli.client.calls import Http
from appliance.cli.commands import option, verb
from appliance.cli.machine import DATA_DIR, UNIT
from appliance.cli.output import Output, size_text, with_output
from appliance.datadir import DataDir
from appliance.db.engine.files import looking
from appliance.errors import ApplianceError, Fatal
from appliance.https import ending, now_utc
from appliance.identity.auth.passwords import Passwords
from appliance.identity.bootstrap import ADMIN, DEFAULT_DOMAIN, has_password
from appliance.setting_sources import load

_STOPPED = "stopped"
_HEALTH = {"image": "/healthcheck?detailed", "identity": ""}
"""What each service answers without a token."""
_SECONDS = 2.0


@verb()
@option("--data-dir", metavar="DIR", type=click.Path(), help=f"data directory [var, else {DATA_DIR}]")
@option(
    "--watch",
    metavar="[SECONDS]",
    is_flag=False,
    flag_value=_SECONDS,
    type=click.FloatRange(min=0.1),
    help="show it again and again, until Ctrl-C [2]",
)
@with_output
def status(output: Output, data_dir: str | None, watch: float | None) -> int:
    """Ask the services themselves: whoever can read the directory needs no password to know how it is."""
    while True:
        found, healthy = state_of(DataDir(_directory(data_dir)))
        if watch is not None and sys.stdout.isatty():
            # From the top of an empty screen.
            print("\033[H\033[2J", end="")
        output.one(found)
        if watch is None:
            return 0 if healthy else 1
        sys.stdout.flush()
        time.sleep(watch)


def state_of(directory: DataDir) -> tuple[dict[str, Any], bool]:
    """What is known of the appliance of a directory, and whether its services answer."""
    holder = directory.holder() or ""
    found: dict[str, Any] = {"data_dir": str(directory.path), "state": holder or _STOPPED}
    healthy = False
    if holder:
        services = {
            name: _asked(address, _HEALTH[name]) for name, address in directory.told().items() if name in _HEALTH
        }
        found.update(services)
        found.update(_certificate(directory))
        healthy = bool(services) and all(answer.endswith("answers") for answer in services.values())
    usage = shutil.disk_usage(directory.path)
    found["free"] = f"{size_text(usage.free)} of {size_text(usage.total)}"
    if UNIT.exists():
        found["unit"] = str(UNIT)
    # Only while it runs: a look into a database that is at rest would leave files of ours beside it.
    if holder and (stale := stale_password(directory)):
        found["credentials"] = stale
    return found, healthy


def _directory(typed: str | None) -> Path:
    settings = load({"data_dir": typed})
    candidates = [settings.data_dir] if typed else [settings.data_dir, DATA_DIR]
    for candidate in candidates:
        if (candidate / "lock").exists():
            return candidate.absolute()
    for candidate in candidates:
        if candidate.is_dir() and not os.access(candidate, os.R_OK | os.X_OK):
            raise Fatal(f"{candidate} is not for you to look into: try it with sudo")
    raise Fatal(f"there is no appliance in {' or '.join(str(candidate) for candidate in candidates)}")


def _asked(address: str, path: str) -> str:
    try:
        # Nothing secret is said, and the address need not be what the certificate is for.
        answer = Http(verify=False).call("GET", address + path, {"Accept": "application/json"})
        parts = (answer.json() or {}).get("parts", {})
    except ApplianceError as error:
        return f"{address}: {error}"
    troubles = dict.fromkeys(trouble for trouble in parts.values() if trouble != "OK")
    return f"{address}: {'; '.join(troubles)}" if troubles else f"{address} answers"


def certificate(directory: DataDir) -> Facts | None:
    """What the certificate says that the running service shows; None if it shows none. Raises `Fatal`."""
    parts = urlsplit(directory.told().get("image", ""))
    if parts.scheme != "https" or not parts.hostname:
        return None
    try:
        pem = ssl.get_server_certificate((parts.hostname, parts.port or 443), timeout=_SECONDS)
    except OSError as error:
        raise Fatal(f"the certificate at {parts.netloc} can't be had: {error}") from error
    return facts(pem.encode())


def _certificate(directory: DataDir) -> dict[str, str]:
    try:
        said = certificate(directory)
    except Fatal as error:
        return {"certificate": str(error)}
    return {"certificate": ending(said, now_utc())} if said else {}


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
