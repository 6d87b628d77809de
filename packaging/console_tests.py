"""Drive the console in a real browser: `console_tests.py [--strict] [ARGS of pytest]`.

What that takes is made or fetched first, where this machine allows it: an environment with the browser's driver,
Debian's Chromium, and the checker of accessibility from npm. What can't be had is told in a sentence, and what needs it
is left out; with `--strict` that is a failure.
"""

import os
import subprocess
import sys
from pathlib import Path

import environment
from debian_packages import browser
from node_modules import from_npm

ROOT = Path(__file__).parents[1]
DRIVER = ROOT / ".venv-console"
PINS = ROOT / "packaging" / "console-tests.txt"


def driver() -> str:
    """The environment with pytest and playwright; else why there is none."""
    command = [sys.executable, str(environment.__file__), str(DRIVER), "--pins", str(PINS)]
    done = subprocess.run(command, check=False)
    return "" if done.returncode == 0 else "no driver for a browser"


def main() -> int:
    """Run the tests, as far as this machine can."""
    strict, more = "--strict" in sys.argv, [one for one in sys.argv[1:] if one != "--strict"]
    found, missing = browser()
    if not missing:
        missing = driver()
    if missing:
        print(f"the console is not tested: {missing}", file=sys.stderr)
        return int(strict)
    unchecked = from_npm("checker of accessibility", ROOT / "packaging" / "console", ROOT / "build" / "vendor")
    if unchecked:
        print(f"the console's accessibility is not tested: {unchecked}", file=sys.stderr)
        if strict:
            return 1
    python = str(DRIVER / "bin" / "python")
    command = [python, "-m", "pytest", "-m", "not slow", "-n", "2", "--dist", "loadfile", "tests/console", *more]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "CHROMIUM": found}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
