"""`python -m tests.upgrade.make`: keep a data directory of this version, for the tests of every later one.

Run at each release. It is made by the real program: users, projects, images in every state that lasts.
"""

import hashlib
import json
import os
import random
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from appliance import __version__
from tests.cli.conftest import Program
from tests.e2e.conftest import PASSWORD, Appliance

RELEASED = Path(__file__).with_name("released")
EXPECTED = "expected.json"
"""Beside the data directory: what a later version has to find in it."""
ADMIN = {"OS_USERNAME": "admin", "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": "admin"}


def make(folder: Path) -> Path:
    """A data directory `folder/data`, and what it holds in `folder/expected.json`."""
    home = folder / "home"
    home.mkdir()
    appliance = Appliance(folder / "data")
    try:
        expected = _fill(Program(home, OS_AUTH_URL=appliance.identity, **ADMIN))
    finally:
        assert appliance.stop() == 0, appliance.log()
    (folder / EXPECTED).write_text(json.dumps(expected, indent=2))
    return folder / "data"


def _fill(client: Program) -> dict[str, Any]:
    sizes = {"small": 10_000, "large": 3_000_000}
    digests = {}
    for number, (name, size) in enumerate(sizes.items()):
        data = random.Random(number).randbytes(size) + bytes(size)
        digests[name] = hashlib.sha512(data).hexdigest()
        flags = ["--disk-format", "raw", "--tag", "kept", "--property", "of=old", "--protected", "--shared"]
        client("image", "create", name, *flags, "--file", "-", stdin=data)
    client("image", "create", "empty", "--disk-format", "raw")
    client("image", "create", "gone", "--disk-format", "raw", "--file", "-", stdin=os.urandom(5000))
    client("image", "delete", "gone")
    client("image", "set", "small", "--deactivate")
    client("project", "create", "lab")
    client("user", "create", "alice", "--project", "lab", "--password-stdin", stdin=b"alice's password\n")
    client("image", "share", "large", "lab")
    return {"digests": digests, "status": {"small": "deactivated", "large": "active", "empty": "queued"}}


def main() -> None:
    """Write the archive."""
    RELEASED.mkdir(exist_ok=True)
    target = RELEASED / f"{__version__}.tar.xz"
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        with tarfile.open(target, "w:xz") as archive:
            for name in ("data", EXPECTED):
                archive.add(Path(folder) / name, name)
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
