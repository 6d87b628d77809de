"""Make a virtual environment from pinned releases: `environment.py DIRECTORY --pins FILE`.

Runs under any Python 3.11 or later with nothing installed. All that the pins name is installed, and nothing whose hash
they do not list: pip itself first, from `build-tools.txt`, which also says what builds the releases that come as
sources. The directory is complete when its stamp exists, and a second run with the same pins does nothing.
"""

import argparse
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import venv
from pathlib import Path

STAMP = ".complete"
BUILD_TOOLS = Path(__file__).with_name("build-tools.txt")


class CannotMake(Exception):
    """Why there is no environment, in a sentence."""


def fingerprint(pins: Path) -> str:
    """What the stamp must say: this Python and these releases."""
    told = [sys.version, BUILD_TOOLS.read_text(), pins.read_text()]
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


def install(pip: list[str], pins: Path, *options: str) -> None:
    """Install what a file of pins names, if it has the hashes that are listed there."""
    command = [
        *pip,
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "--requirement",
        str(pins),
    ]
    if subprocess.run([*command, *options], stdin=subprocess.DEVNULL).returncode != 0:
        raise CannotMake(f"pip could not install what {pins} names (its message is above); run make again to retry.")


def make(directory: Path, pins: Path) -> None:
    """Build the environment anew, stamp last."""
    shutil.rmtree(directory, ignore_errors=True)
    venv.EnvBuilder(symlinks=True).create(directory)
    install(pip_for(directory), BUILD_TOOLS)
    pinned_pip = [str(directory / "bin" / "python"), "-m", "pip"]
    install(pinned_pip, pins, "--build-constraint", str(BUILD_TOOLS))
    (directory / STAMP).write_text(fingerprint(pins))


def main() -> int:
    """Make the environment if it is not there as asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--pins", type=Path, required=True)
    options = parser.parse_args()
    stamp = options.directory / STAMP
    if stamp.exists() and stamp.read_text() == fingerprint(options.pins):
        stamp.touch()
        return 0
    print(f"making {options.directory} with {sys.executable} (Python {sys.version.split()[0]})", flush=True)
    try:
        make(options.directory, options.pins)
    except CannotMake as problem:
        print(f"no {options.directory}: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
