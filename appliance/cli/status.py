"""`status`: is there an appliance on this machine, where, and how is it?"""

import argparse
import os
import shutil
from pathlib import Path
from typing import Any

from appliance.cli.client.arguments import add_output
from appliance.cli.client.calls import Http
from appliance.cli.client.credentials import find
from appliance.cli.client.output import show_one, size_text
from appliance.cli.client.session import Session
from appliance.cli.systemd import DATA_DIR, UNIT
from appliance.datadir import DataDir
from appliance.errors import ApplianceError, Fatal
from appliance.settings import load

_STOPPED = "stopped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", metavar="DIR", help=f"data directory [var, else {DATA_DIR}]")
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    directory = _directory(arguments.data_dir)
    holder = DataDir(directory).holder() or ""
    found: dict[str, Any] = {"data_dir": str(directory), "state": holder or _STOPPED}
    healthy = False
    if holder:
        services = _services(directory)
        found.update(services)
        healthy = bool(services) and all(said.endswith("answers") for said in services.values())
    usage = shutil.disk_usage(directory)
    found["free"] = f"{size_text(usage.free)} of {size_text(usage.total)}"
    if UNIT.exists():
        found["unit"] = str(UNIT)
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


def _services(directory: Path) -> dict[str, str]:
    """Each service's address and whether it answers there."""
    cloud = argparse.Namespace(data_dir=directory)
    try:
        session = Session(find(cloud, {}))
    except ApplianceError as error:
        return {"identity": f"unknown: {error}"}
    found = {"identity": _asked(session.address("identity"), "")}
    try:
        found["image"] = _asked(session.address("image"), "/healthcheck?detailed")
    except ApplianceError as error:
        found["image"] = f"unknown: {error}"
    return found


def _asked(address: str, path: str) -> str:
    try:
        answer = Http().call("GET", address + path, {"Accept": "application/json"})
        parts = (answer.json() or {}).get("parts", {})
    except ApplianceError as error:
        return f"{address}: {error}"
    troubles = dict.fromkeys(trouble for trouble in parts.values() if trouble != "OK")
    return f"{address}: {'; '.join(troubles)}" if troubles else f"{address} answers"
