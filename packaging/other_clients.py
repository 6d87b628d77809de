"""Install the clients in other languages that `make test-clients` drives: `other_clients.py`.

Whatever can't be had on this machine is left out with a sentence that says why, and its tests are skipped.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from debian_packages import from_debian

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "clients"
GOPATH = Path("/usr/share/gocode")
GOPHERCLOUD = GOPATH / "src/github.com/gophercloud/gophercloud"


def runs(*command: str) -> bool:
    """Whether a command is there and ends well."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def has_fog() -> bool:
    return runs("ruby", "-e", "require 'fog/openstack'")


def has_gophercloud() -> bool:
    return runs("go", "version") and GOPHERCLOUD.is_dir()


def node_modules() -> str:
    """pkgcloud and openstack-wrapper, as the lock file names them, in build/clients; else why not."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "no pkgcloud: node and npm are missing"
    BUILD.mkdir(parents=True, exist_ok=True)
    lock = (ROOT / "packaging/npm/package-lock.json").read_bytes()
    installed = BUILD / "package-lock.json"
    if installed.exists() and installed.read_bytes() == lock and (BUILD / "node_modules" / "pkgcloud").is_dir():
        return ""
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(ROOT / "packaging/npm" / name, BUILD / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"]
    done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    shutil.rmtree(BUILD / "node_modules", ignore_errors=True)
    return f"no pkgcloud: npm could not install it: {done.stderr.strip().splitlines()[-1:]}"


def asyncio_client() -> str:
    """AsyncOpenStackClient in `.venv-asyncio`; else why not."""
    command = [sys.executable, "packaging/environment.py", ".venv-asyncio", "--pins", "packaging/asyncio-client.txt"]
    made = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    return "" if made else "no AsyncOpenStackClient: its environment could not be made (see above)"


def main() -> int:
    missing = [
        "" if has_fog() else from_debian("fog-openstack", "ruby", "ruby-fog-openstack"),
        ""
        if has_gophercloud()
        else from_debian("gophercloud", "golang-go", "golang-github-gophercloud-gophercloud-dev"),
        node_modules(),
        asyncio_client(),
    ]
    for sentence in filter(None, missing):
        print(sentence, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
