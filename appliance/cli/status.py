"""`status`: is there an appliance on this machine, where, and how is it?"""

import argparse
import os
import shutil
from pathlib import Path
from typing import Any

from appliance.cli.client.administrators import stale_password
from appliance.cli.client.arguments import add_output
from appliance.cli.client.calls import Http
from appliance.cli.client.output import show_one, size_text
from appliance.cli.machine import DATA_DIR, UNIT
from appliance.datadir import DataDir
from appliance.errors import ApplianceError, Fatal
from appliance.settings import load

_STOPPED = "stopped"
_HEALTH = {"image": "/healthcheck?detailed", "identity": ""}
"""What each service answers without a token."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", metavar="DIR", help=f"data directory [var, else {DATA_DIR}]")
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask the services themselves: whoever can read the directory needs no password to know how it is."""
    directory = DataDir(_directory(arguments.data_dir))
    holder = directory.holder() or ""
    found: dict[str, Any] = {"data_dir": str(directory.path), "state": holder or _STOPPED}
    healthy = False
    if holder:
        services = {
            name: _asked(address, _HEALTH[name]) for name, address in directory.told().items() if name in _HEALTH
        }
        found.update(services)
        healthy = bool(services) and all(answer.endswith("answers") for answer in services.values())
    usage = shutil.disk_usage(directory.path)
    found["free"] = f"{size_text(usage.free)} of {size_text(usage.total)}"
    if UNIT.exists():
        found["unit"] = str(UNIT)
    # Only while it runs: a look into a database that is at rest would leave files of ours beside it.
    if holder and (stale := stale_password(directory)):
        found["credentials"] = stale
    show_one(arguments, found)
    return 0 if healthy else 1


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
        answer = Http().call("GET", address + path, {"Accept": "application/json"})
        parts = (answer.json() or {}).get("parts", {})
    except ApplianceError as error:
        return f"{address}: {error}"
    troubles = dict.fromkeys(trouble for trouble in parts.values() if trouble != "OK")
    return f"{address}: {'; '.join(troubles)}" if troubles else f"{address} answers"
