"""A real SeaweedFS with its S3 gateway, one for a test session, and buckets in it: a package for development."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY, SECRET = "access", "secret"
READ_KEY, READ_SECRET = "reader", "readsecret"
_IDENTITIES = {
    "identities": [
        {
            "name": "all",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {
            "name": "reads",
            "credentials": [{"accessKey": READ_KEY, "secretKey": READ_SECRET}],
            "actions": ["Read", "List"],
        },
    ]
}
_BEGINS = 60.0


def weed() -> str | None:
    """The executable, where the package is installed."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@dataclass
class Seaweed:
    """A server that runs."""

    endpoint: str
    filer: str
    process: "subprocess.Popen[bytes]"

    def bucket(self) -> str:
        """A new bucket."""
        name = f"bucket-{os.urandom(6).hex()}"
        urllib.request.urlopen(urllib.request.Request(f"{self.filer}/buckets/{name}/", method="POST"), timeout=30)
        return name

    def objects(self, bucket: str, directory: str) -> dict[str, int]:
        """Names and sizes, past the S3 gateway."""
        request = urllib.request.Request(
            f"{self.filer}/buckets/{bucket}/{directory}/?limit=10000", headers={"Accept": "application/json"}
        )
        try:
            found = json.load(urllib.request.urlopen(request, timeout=30))["Entries"] or []
        except urllib.error.HTTPError:
            return {}
        return {entry["FullPath"].rpartition("/")[2]: entry["FileSize"] for entry in found}


def free_ports(count: int) -> list[int]:
    """Ports that are free, and whose gRPC ports, 10000 above them, are free, too."""
    found: list[int] = []
    while len(found) < count:
        with ExitStack() as held:
            first = held.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1] % 20000 + 12000
            try:
                for each in (port, port + 10000):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", each))
            except OSError:
                continue
            if port not in found:
                found.append(port)
    return found


@contextmanager
def seaweed(directory: Path) -> Iterator[Seaweed]:
    """Start it, wait until it serves, and stop it at the end."""
    program = weed()
    assert program is not None, "SeaweedFS is not installed: make setup"
    config = directory / "s3.json"
    config.write_text(json.dumps(_IDENTITIES))
    master, volume, filer, s3 = free_ports(4)
    command = [program, "-logtostderr=true", "server", f"-dir={directory}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += ["-volume.max=200", f"-master.port={master}", f"-volume.port={volume}", "-master.volumeSizeLimitMB=512"]
    command += ["-filer", f"-filer.port={filer}", "-s3", f"-s3.port={s3}", f"-s3.config={config}"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
    made = Seaweed(f"http://127.0.0.1:{s3}", f"http://127.0.0.1:{filer}", process)
    try:
        _wait(made, directory)
        yield made
    finally:
        process.send_signal(signal.SIGKILL)  # it would take ten seconds to say goodbye, to nobody
        process.wait()


def _wait(server: Seaweed, directory: Path) -> None:
    deadline = time.monotonic() + _BEGINS
    while True:
        assert server.process.poll() is None, (directory / "log").read_text()[-2000:]
        try:
            bucket = server.bucket()
            urllib.request.urlopen(f"{server.endpoint}/{bucket}", timeout=5)
        except urllib.error.HTTPError as error:
            if error.code == 403:  # it asks for credentials: it serves
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, (directory / "log").read_text()[-2000:]
        time.sleep(0.1)
