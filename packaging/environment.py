"""Make a virtual environment from pinned releases: `environment.py DIRECTORY --pins FILE [--project PYPROJECT]`.

Runs under any Python 3.11 or later with nothing installed. With `--project`, what `pyproject.toml` asks for (and its
`dev` extra) is installed at the versions that the pins give; without it, everything that the pins name. The directory
is complete when its stamp exists, and a second run with the same pins does nothing.
"""

import argparse
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

STAMP = ".complete"


class CannotMake(Exception):
    """Why there is no environment, in a sentence."""


def wanted(pins: Path, project: Path | None) -> list[str]:
    """The arguments that tell pip what to install."""
    if project is None:
        return ["--requirement", str(pins)]
    table = tomllib.loads(project.read_text())["project"]
    names: list[str] = table["dependencies"] + table["optional-dependencies"]["dev"]
    return ["--constraint", str(pins), *names]


def fingerprint(pins: Path, project: Path | None) -> str:
    """What the stamp must say: this Python and these requirements."""
    told = [sys.version, pins.read_text(), *wanted(pins, project)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def pip_for(directory: Path) -> list[str]:
    """The command that runs pip for the environment: its own, or another Python's if there is no ensurepip."""
    python = str(directory / "bin" / "python")
    if importlib.util.find_spec("ensurepip") is not None:
        done = subprocess.run([python, "-m", "ensurepip", "--default-pip"], capture_output=True, text=True)
        if done.returncode == 0:
            return [python, "-m", "pip"]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--python", python]
    raise CannotMake(
        f"{sys.executable} has neither ensurepip nor pip: install python3-venv (Debian, Ubuntu) or python3-pip, "
        "or name another Python with `make PYTHON=/path/to/python3.11`."
    )


def make(directory: Path, pins: Path, project: Path | None) -> None:
    """Build the environment anew, stamp last."""
    shutil.rmtree(directory, ignore_errors=True)
    venv.EnvBuilder(symlinks=True).create(directory)
    command = [*pip_for(directory), "install", "--quiet", "--disable-pip-version-check", *wanted(pins, project)]
    if subprocess.run(command, stdin=subprocess.DEVNULL).returncode != 0:
        raise CannotMake(f"pip could not install what {pins} names (its message is above); run make again to retry.")
    (directory / STAMP).write_text(fingerprint(pins, project))


def main() -> int:
    """Make the environment if it is not there as asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--pins", type=Path, required=True)
    parser.add_argument("--project", type=Path)
    options = parser.parse_args()
    stamp = options.directory / STAMP
    if stamp.exists() and stamp.read_text() == fingerprint(options.pins, options.project):
        stamp.touch()
        return 0
    print(f"making {options.directory} with {sys.executable} (Python {sys.version.split()[0]})", flush=True)
    try:
        make(options.directory, options.pins, options.project)
    except CannotMake as problem:
        print(f"no {options.directory}: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
