"""Run an OCI image of `make oci` as its configuration says, without a container engine: root read-only, user nobody.

Takes root's rights, for a chroot in a mount namespace of its own. What an engine adds on top (cgroups, seccomp,
networks) is not tried. Ends with `N passed, N failed`.
"""

import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from build_oci import CHECK, DATA_DIR, USER
from smoke_client import Client

PASSWORD = "smoke-test"
SIZE = 24 * 1024 * 1024
ENTER = """
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && mount -t tmpfs -o mode=1777 tmpfs "$1/tmp" &&
mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" && mount --bind "$2" "$1/$3" && shift 3 &&
exec chroot "$@"
"""


class Failure(Exception):
    """What was not as it should be."""


def check(condition: bool, told: str) -> None:
    """Raise Failure unless this holds."""
    if not condition:
        raise Failure(told)


def unpack(archive: Path, root: Path) -> dict[str, Any]:
    """The root that the layers make, and the configuration. Each blob is held against its digest."""
    with tarfile.open(archive) as opened:
        files = {member.name: opened.extractfile(member).read() for member in opened}  # type: ignore[union-attr]

    def blob(described: dict[str, Any]) -> bytes:
        data = files["blobs/" + described["digest"].replace(":", "/")]
        check(described["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}", "a blob is not what its name says")
        return data

    manifest = json.loads(blob(json.loads(files["index.json"])["manifests"][0]))
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(layer)))) as opened:
            opened.extractall(root, numeric_owner=True, filter="fully_trusted")
    config: dict[str, Any] = json.loads(blob(manifest["config"]))["config"]
    return config


class Container:
    """The image, run on a data directory."""

    def __init__(self, root: Path, data: Path, config: dict[str, Any], **variables: str) -> None:
        self._entered = ["env", "-i", *config["Env"], *(f"{name}={value}" for name, value in variables.items())]
        self._entered += ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", ENTER, "sh"]
        self._entered += [str(root), str(data), DATA_DIR.lstrip("/"), f"--userspec={config['User']}", str(root)]
        self._config = config
        self._log = data.with_name("log").open("ab")

    def run(self, *command: str) -> str:
        """What a command inside prints; it has to succeed."""
        done = subprocess.run([*self._entered, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        check(done.returncode == 0, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> dict[str, str]:
        """Run what the image is for; where its services are."""
        command = [*self._entered, *self._config["Entrypoint"], *self._config["Cmd"]]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True)
        assert self.process.stdout is not None
        found: dict[str, str] = {}
        while "identity" not in found:
            line = self.process.stdout.readline()
            check(line != "", f"it did not start: {Path(self._log.name).read_text()[-800:]}")
            name, _, address = line.strip().partition(" ")
            found[name] = address
        return found

    def stop(self) -> int:
        """The exit code after the image's own signal."""
        assert self.process.stdout is not None
        self.process.send_signal(getattr(signal, self._config["StopSignal"]))
        self.process.stdout.close()
        self._log.close()
        return self.process.wait(60)


def trials(archive: Path, place: Path) -> list[tuple[str, Callable[[], None]]]:
    """What is tried, one after the other."""
    root, data = place / "root", place / "data"
    root.mkdir()
    data.mkdir(mode=0o700)
    config = unpack(archive, root)
    os.chown(data, USER, USER)
    before = _listed(root)
    ports = {"APPLIANCE_IMAGE_PORT": "0", "APPLIANCE_IDENTITY_PORT": "0", "APPLIANCE_HOST": "127.0.0.1"}
    container = Container(root, data, config, **ports, APPLIANCE_ADMIN_PASSWORD=PASSWORD)

    def serves() -> None:
        found = container.start()
        owner = Path(f"/proc/{container.process.pid}").stat().st_uid
        check(owner == USER, f"it runs as user {owner}")
        client = Client(found["image"], found["identity"], PASSWORD)
        body = os.urandom(SIZE)
        image = client.upload("smoke", body)
        check(client.download(image) == body, "an image comes back changed")

    def is_healthy() -> None:
        container.run(*CHECK[1:])

    def has_the_client() -> None:
        check("smoke" in container.run("/usr/bin/glance-appliance", "image", "list"), "the client lists no image")

    def ends() -> None:
        check(container.stop() == 0, "it does not end with 0")

    def writes_nowhere_else() -> None:
        check(_listed(root) == before, "something was written outside of the data directory")
        check((data / "appliance.db").stat().st_uid == USER, "the data is somebody else's")

    named = (serves, is_healthy, has_the_client, ends, writes_nowhere_else)
    return [(trial.__name__.replace("_", " "), trial) for trial in named]


def _listed(root: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in root.rglob("*"))


def main() -> int:
    """Try the archive that is named."""
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_file():
        print("there is no image: `make oci` builds one", file=sys.stderr)
        return 1
    if os.geteuid() != 0:
        print("running it takes root's rights", file=sys.stderr)
        return 1
    failed = passed = 0
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        for name, trial in trials(Path(sys.argv[1]), Path(place)):
            try:
                trial()
                passed += 1
                print(f"ok      {name}")
            except (Failure, OSError) as problem:
                failed += 1
                print(f"FAILED  {name}: {problem}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
