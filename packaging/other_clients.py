"""Install the clients in other languages that `make test-clients` drives: `other_clients.py`.

Whatever can't be had on this machine is left out with a sentence that says why, and its tests are skipped.
"""

import subprocess
import sys
from pathlib import Path

from debian_packages import from_debian
from node_modules import from_npm

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
    return from_npm("pkgcloud", ROOT / "packaging/npm", BUILD)


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
