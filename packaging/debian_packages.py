"""What tests drive and Debian has: `debian_packages.py` installs PostgreSQL where that changes nothing else.

It lays haproxy out in build/haproxy, without installing it. Whatever can't be had on this machine is left out with a
sentence that says why, and its tests are skipped. A browser is installed only by those who test the console
(`console_tests.py`).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
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


def lay_out(what: str, target: Path, wanted: Iterable[str], unused: tuple[str, ...] = ()) -> str:
    """Fetch packages with all that they need and unpack them in `target`/root, unless that was done; else why not.

    Nothing is installed. `unused` are the beginnings of names of what they need only for administrators.
    """
    if (target / "complete").exists():
        return ""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return f"no {what}, and no apt-get to fetch it with"
    simulated = ["apt-get", "install", "--simulate", "--no-install-recommends", *wanted]
    listed = subprocess.run(simulated, capture_output=True, text=True, check=False).stdout
    names = [line.split()[1] for line in listed.splitlines() if line.startswith("Inst ")]
    names = [name for name in names if not (unused and name.startswith(unused))]
    if not names:
        return f"no {what}: apt-get knows no package {' '.join(wanted)}, or it is installed"
    packages = target / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    print(f"fetching {len(names)} packages of {what}", flush=True)
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", *HASTY, "download", *names]
    done = subprocess.run(command, cwd=packages, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"no {what}: {done.stderr.strip().splitlines()[-1:]}"
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(target / "root")], check=True)
    shutil.rmtree(packages)
    (target / "complete").touch()
    return ""


def postgresql() -> str:
    """The server that tests start, each for itself; else why there is none."""
    if shutil.which("initdb") or any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return ""
    if WITH_SYSTEMD.exists():
        # The package would start a server of the machine's own, which nobody has asked for.
        return "no PostgreSQL, so that what needs it is not tested: apt-get install postgresql"
    return from_debian("PostgreSQL", "postgresql")


def haproxy() -> str:
    """The balancer that tests put in front of several nodes; else why there is none."""
    if shutil.which("haproxy"):
        return ""
    return lay_out("haproxy", ROOT / "build" / "haproxy", ["haproxy"])


def browser() -> tuple[str, str]:
    """The Chromium that tests drive, and else why there is none."""
    for _ in range(2):
        if found := next((path for name in BROWSERS if (path := shutil.which(name))), None):
            return found, ""
        if sentence := from_debian("browser", BROWSERS[0]):
            return "", sentence
    return "", f"no browser, though {BROWSERS[0]} is installed"


if __name__ == "__main__":
    for sentence in filter(None, (postgresql(), haproxy())):
        print(sentence, file=sys.stderr)
