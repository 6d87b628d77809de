"""What tests drive and Debian has: `debian_packages.py` installs PostgreSQL where that changes nothing else.

Whatever can't be had on this machine is left out with a sentence that says why, and its tests are skipped.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

WITH_SYSTEMD = Path("/run/systemd/system")
# A mirror out of reach must not keep anybody waiting.
HASTY = ("-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=5", "-o", "Acquire::https::Timeout=5")


def from_debian(what: str, *packages: str) -> str:
    """Install packages where that is possible; else what to do."""
    by_hand = f"no {what}: apt-get install {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        return f"no {what}, and no apt-get to install it with"
    if os.geteuid() != 0:
        return by_hand
    print(f"installing {', '.join(packages)}", flush=True)
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *HASTY, *packages]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else f"{by_hand} failed: {done.stderr.strip().splitlines()[-1:]}"


def postgresql() -> str:
    """The server that tests start, each for itself; else why there is none."""
    if shutil.which("initdb") or any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return ""
    if WITH_SYSTEMD.exists():
        # The package would start a server of the machine's own, which nobody has asked for.
        return "no PostgreSQL, so that what needs it is not tested: apt-get install postgresql"
    return from_debian("PostgreSQL", "postgresql")


if __name__ == "__main__":
    if sentence := postgresql():
        print(sentence, file=sys.stderr)
