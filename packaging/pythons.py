"""Run the tests under every Python that the appliance supports and this machine has: `pythons.py [PYTEST ARGUMENTS]`.

Each gets an environment of its own, `.venv-3.N`, from the same pins. Prints one line for each at the end.
"""

import glob
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OLDEST = (3, 11)
_ASK = "import platform, sys; print(*sys.version_info[:3], platform.python_implementation())"


def candidates() -> list[str]:
    """Programs that may be a Python: those on the path, and those of pyenv."""
    patterns = [f"{directory}/python3*" for directory in os.environ.get("PATH", "").split(os.pathsep)]
    patterns.append(f"{os.environ.get('PYENV_ROOT') or Path.home() / '.pyenv'}/versions/*/bin/python3")
    return sorted({path for pattern in patterns for path in glob.glob(pattern) if os.access(path, os.X_OK)})


def pythons() -> dict[tuple[int, int], str]:
    """One Python of each minor version from `OLDEST` on: the newest of it that there is."""
    found: dict[tuple[int, int], tuple[int, str]] = {}
    for path in candidates():
        asked = subprocess.run([path, "-c", _ASK], capture_output=True, text=True, check=False)
        words = asked.stdout.split()
        if asked.returncode or len(words) != 4 or words[3] != "CPython":
            continue
        major, minor, micro = map(int, words[:3])
        if (major, minor) >= OLDEST and micro >= found.get((major, minor), (-1, ""))[0]:
            found[major, minor] = (micro, path)
    return {version: path for version, (_, path) in sorted(found.items())}


def run(version: tuple[int, int], python: str, arguments: list[str]) -> str:
    """Make the environment, run the tests in it, and say how that went."""
    directory = ROOT / f".venv-{version[0]}.{version[1]}"
    pins = ["--pins", "packaging/constraints.txt"]
    made = subprocess.run([python, "packaging/environment.py", directory.name, *pins], cwd=ROOT, check=False)
    if made.returncode:
        return "no environment could be made"
    chosen = "not slow and not legacy and not clients and not backends"
    command = [str(directory / "bin" / "python"), "-m", "pytest", "-m", chosen, *arguments]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return "passed" if code == 0 else f"failed (pytest ended with {code})"


def main() -> int:
    results = {}
    for version, python in pythons().items():
        print(f"-- Python {version[0]}.{version[1]}: {python}", flush=True)
        results[version] = run(version, python, sys.argv[1:])
    for version, result in results.items():
        print(f"Python {version[0]}.{version[1]}: {result}")
    return 0 if results and set(results.values()) == {"passed"} else 1


if __name__ == "__main__":
    sys.exit(main())
