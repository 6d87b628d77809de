"""Run Tempest's image and identity tests against the appliance, and compare with what the real services answer.

`tests/conformance/expected-*.tsv` hold each test's result against real Glance and Keystone, and the profile in which it
has that result. Each profile is one server and one run. A test that passes there and not here is a regression; the exit
code is 1 if there is one. Nothing is sent to any address but loopback.
"""

import argparse
import contextlib
import os
import random
import re
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from remote import register
from server import PROFILES, ROOT, command
from tempest_conf import Addresses, write_conf

EXPECTED = ROOT / "tests" / "conformance"
TEMPEST = ROOT / ".venv-tempest" / "bin" / "python"
RUNNER = Path(__file__).with_name("in_tempest.py")
HASHED_FILE_SIZE = 16 * 1024 * 1024


@dataclass(frozen=True)
class Expected:
    """What the real service does in one test."""

    test: str
    status: str
    profile: str


def read_expected(kinds: list[str]) -> list[Expected]:
    """The results of the real services."""
    found = []
    for kind in kinds:
        for line in (EXPECTED / f"expected-{kind}.tsv").read_text().splitlines()[1:]:
            status, test, note = (*line.split("\t"), "", "")[:3]
            told = re.fullmatch(r"in run: (\w+)", note)
            found.append(Expected(test, status, told[1] if told else "multi"))
    return found


class QuietFiles(SimpleHTTPRequestHandler):
    """The files that imports and locations fetch."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def file_server(folder: Path) -> Iterator[str]:
    """Serve two files on loopback: `data.bin`, of no known format, and `disk.qcow2`."""
    folder.mkdir()
    (folder / "data.bin").write_bytes(random.Random(0).randbytes(HASHED_FILE_SIZE))
    disk = folder / "disk.raw"
    disk.write_bytes(random.Random(1).randbytes(1024 * 1024).ljust(2 * 1024 * 1024, b"\0"))
    made = "from samples.qcow2 import convert; from pathlib import Path; import sys; convert(*map(Path, sys.argv[1:]))"
    paths = [str(disk), str(folder / "disk.qcow2")]
    subprocess.run([sys.executable, "-c", made, *paths], cwd=ROOT / "sample-images", check=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietFiles, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def appliance(profile: str, folder: Path, password: str) -> Iterator[tuple[str, str]]:
    """Serve a profile on free ports; the addresses of the image and the identity service."""
    environment = {**os.environ, "APPLIANCE_ADMIN_PASSWORD": password}
    words = command(profile, folder / "data", "0", "0", "")
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        ready: dict[str, str] = {}
        for line in process.stdout:
            service, _, address = line.strip().partition(" ")
            ready[service] = address
            if service == "identity":
                break
        if "identity" not in ready:
            raise SystemExit(f"the appliance did not start:\n{(folder / 'server.log').read_text()[-2000:]}")
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield ready["image"], ready["identity"]
    finally:
        process.terminate()
        process.wait(60)


def run_profile(profile: str, tests: list[str], keep: Path) -> dict[str, tuple[str, str]]:
    """Each test's result and reason, from one server and one run of Tempest."""
    folder = Path(tempfile.mkdtemp(prefix=f"{profile}-", dir=keep))
    password = secrets.token_urlsafe(16)
    with file_server(folder / "files") as files, appliance(profile, folder, password) as (image, identity):
        addresses = Addresses(identity=identity, files=files, remote=register(identity, image, password))
        conf = write_conf(folder, profile, addresses, password)
        environment = {**os.environ, "TEMPEST_CONFIG_DIR": str(conf.parent), "TEMPEST_CONFIG": conf.name}
        results = folder / "results.tsv"
        with (folder / "tempest.log").open("wb") as log:
            subprocess.run(
                [str(TEMPEST), str(RUNNER), str(results)],
                input="\n".join(tests).encode(),
                env=environment,
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
    print(f"{profile}: logs in {folder}")
    lines = results.read_text().splitlines() if results.exists() else []
    rows = [line.split("\t", 2) for line in lines]
    return {test: (status, reason) for test, status, reason in rows}


def main() -> int:
    """Run what the command line asks for, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, action="append", help="only this one")
    parser.add_argument("--only", choices=("image", "identity"), action="append", help="only this service's tests")
    parser.add_argument("--match", default="", help="only tests whose names match this regular expression")
    options = parser.parse_args()
    keep = ROOT / "build" / "conformance"
    keep.mkdir(parents=True, exist_ok=True)
    expected = [
        row for row in read_expected(options.only or ["image", "identity"]) if re.search(options.match, row.test)
    ]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for profile in options.profile or PROFILES:
        rows = [row for row in expected if row.profile == profile]
        if not rows:
            continue
        found = run_profile(profile, [row.test for row in rows], keep)
        for row in rows:
            status, reason = found.get(row.test, ("failed", "was not run"))
            counts[status] += 1
            if row.status == "passed" and status != "passed":
                counts[status] -= 1
                counts["failed"] += 1
                print(f"REGRESSION {row.test}\n    {status}: {reason}")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
