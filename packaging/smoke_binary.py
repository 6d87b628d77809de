"""Try the executable where nothing else is: a bare Debian 11 root, read-only, as an unprivileged user.

There is no client inside such a root, so the executable is driven from outside over loopback. Without root's rights it
runs where it is, with an empty environment instead. Ends with `N passed, N failed`.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

from build_binary import BILL
from smoke_bundles import check_bundles
from smoke_client import Client
from smoke_console import check_console
from smoke_contents import faults, native_files, outdated
from smoke_servers import servers

ROOT = Path(__file__).resolve().parent.parent
BARE_ROOT = ROOT / "build" / "bare-root"
PASSWORD = "smoke-test"
NOBODY = 65534
SIZE = 24 * 1024 * 1024
DRIVERS = {"obstore": "/_obstore.", "psycopg": "/libpq-"}
"""Of object stores and of PostgreSQL, and a file that each of them loads."""
ENTER = """
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && mount -t tmpfs -o mode=1777 tmpfs "$1/tmp" &&
mount -t proc proc "$1/proc" && mount --bind "$2" "$1/srv" && mount --bind "$3" "$1/mnt" && shift 3 &&
exec chroot --userspec=65534:65534 "$@"
"""


class Failure(Exception):
    """What was not as it should be."""


def check(condition: bool, told: str) -> None:
    """Raise Failure unless this holds."""
    if not condition:
        raise Failure(told)


def bare_root() -> Path | None:
    """A root with nothing but Debian 11's essential packages, or None where there cannot be one."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None or shutil.which("unshare") is None:
        print("trying the executable on this machine itself: a bare root takes root's rights and debootstrap")
        return None
    stamp = BARE_ROOT / "var" / "lib" / "complete"
    if not stamp.exists():
        print(f"making a bare Debian 11 root in {BARE_ROOT} (half a minute, kept for the next time)")
        shutil.rmtree(BARE_ROOT, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", "bullseye", str(BARE_ROOT)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        stamp.touch()
    return BARE_ROOT


def command_in(root: Path | None, executable: Path, data: Path, arguments: list[str]) -> list[str]:
    """The command that runs the executable in the bare root, with `data` at /srv; or here, if there is no root."""
    environment = ["env", "-i", f"APPLIANCE_ADMIN_PASSWORD={PASSWORD}"]
    if root is None:
        return [*environment, str(executable), *arguments]
    places = [str(root), str(data), str(executable.parent)]
    entered = [*environment, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "unshare", "--mount", "sh", "-c", ENTER, "sh"]
    return [*entered, *places, str(root), f"/mnt/{executable.name}", *arguments]


def contents(executable: Path, data: Path, root: Path | None) -> list[str]:
    """Look into it; each thing that held, as a line."""

    def printed(*arguments: str) -> str:
        command = command_in(root, executable, data, [*arguments])
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout

    versions = printed("version", "--verbose")
    native = native_files(executable)
    bill = executable.with_name(BILL).read_text()
    wrong = [*faults(native, bill, printed("licenses")), *outdated(versions)]
    check(not wrong, "; ".join(wrong))
    libraries = ", ".join(line for line in versions.splitlines() if line.startswith(("openssl", "sqlite", "zlib")))
    return [f"{len(native)} compiled files, each with its owner and licence", libraries]


class Server:
    """The executable, serving, with these settings besides."""

    def __init__(self, executable: Path, data: Path, root: Path | None, *settings: str) -> None:
        self._log = data.with_name("log").open("ab")
        flags = ["--host", "127.0.0.1", "--image-port", "0", "--identity-port", "0", *settings]
        where = str(data) if root is None else "/srv"
        command = command_in(root, executable, data, ["serve", "--data-dir", where, *flags])
        started = time.monotonic()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        assert self.process.stdout is not None
        addresses: dict[str, str] = {}
        while "identity" not in addresses:
            line = self.process.stdout.readline()
            check(line != "", f"it did not start: {data.with_name('log').read_text()[-800:]}")
            service, _, address = line.strip().partition(" ")
            addresses[service] = address
        self.started_in = time.monotonic() - started
        self.address = addresses["image"]
        self.client = Client(addresses["image"], addresses["identity"], PASSWORD)

    def memory(self) -> int:
        """The resident memory of both of its processes, in bytes."""
        pages = [Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in self._processes()]
        return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE")

    def drivers(self) -> set[str]:
        """The drivers of stores and databases that are loaded."""
        maps = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in self._processes())
        return {name for name, file in DRIVERS.items() if file in maps}

    def _processes(self) -> list[str]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [str(self.process.pid), *children]

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> None:
        """Kill the outer process; whatever it leaves running must notice."""
        self.process.kill()
        self._ended()

    def presenter(self) -> bool:
        """Whether anything listens at its address."""
        where = urlsplit(self.address)
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((where.hostname, where.port)) == 0

    def _ended(self) -> int:
        assert self.process.stdout is not None
        code = self.process.wait(60)
        self.process.stdout.close()
        self._log.close()
        return code


def stored(data: Path) -> int:
    """The bytes that the data directory takes on disk."""
    return sum(path.stat().st_blocks * 512 for path in data.rglob("*") if path.is_file())


def story(start: Callable[[], Server], data: Path) -> list[str]:
    """Upload, download, dedup, restart, kill; each thing that held, as a line."""
    body = random.Random(1).randbytes(SIZE)
    told = hashlib.sha512(body).hexdigest()
    server = start()
    client = server.client
    held = [f"ready after {server.started_in:.2f} s"]
    held += check_console(server.address)
    check(not server.drivers(), f"it has loaded {server.drivers()}, which no setting asks for")
    image = client.upload("smoke", body)
    check(client.show(image)["os_hash_value"] == told, "the image has another os_hash_value")
    check(client.download(image) == body, "the image reads back differently")
    held.append(f"upload and download of {SIZE} bytes, {server.memory() / 1e6:.0f} MB of memory in both processes")
    before = stored(data)
    same = client.upload("same", body)
    growth = stored(data) - before
    check(growth < SIZE // 4, f"the same bytes again took {growth} bytes more")
    held.append(f"the same bytes again take {growth} bytes more")
    check(server.stop() == 0, "it did not end well when asked to stop")
    server = start()
    check(server.client.download(same) == body, "the image reads back differently after a restart")
    held.append("both read back after a restart")
    server.kill()
    deadline = time.monotonic() + 10
    while server.presenter():
        check(time.monotonic() < deadline, "it goes on serving after its outer process was killed")
        time.sleep(0.1)
    held.append("nothing goes on running after a kill of the outer process")
    server = start()
    check(server.client.download(image) == body, "the image reads back differently after a kill")
    client = server.client
    for made in (image, same):
        client.delete(made)
    check(server.stop() == 0, "it did not end well the second time")
    held.append("and everything is there at the next start")
    return held


def drivers_story(start: Callable[..., Server], data: Path) -> list[str]:
    """Rows on a server and blocks in a bucket, over a restart."""
    body = random.Random(2).randbytes(SIZE)
    stores = data.with_name("servers")
    stores.mkdir()
    with servers(stores) as found:
        if not found:
            return ["no drivers were tried: neither PostgreSQL nor SeaweedFS is installed"]
        for file in list(data.iterdir()):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
        settings = [word for words in found.values() for word in words]
        server = start(*settings)
        check(server.drivers() == {*found}, f"it has loaded {server.drivers()}")
        image = server.client.upload("smoke", body)
        check(server.stop() == 0, "it did not end well with drivers")
        server = start(*settings)
        check(server.client.download(image) == body, "the image reads back differently through the drivers")
        check(server.stop() == 0, "it did not end well with drivers")
    return [f"an image is there after a restart with {' and '.join(sorted(found))}"]


def bundles_story(executable: Path, folder: Path, root: Path | None, running: list[Server]) -> list[str]:
    """Two sites that follow each other by bundles."""
    place = folder / "sites"
    for directory in (place, place / "center", place / "edge"):
        directory.mkdir(mode=0o700)
        if root is not None:
            os.chown(directory, NOBODY, NOBODY)

    def run(*words: str) -> str:
        inside = place if root is None else Path("/srv")
        command = command_in(
            root, executable, place, [str(inside / word) if _is_path(word) else word for word in words]
        )
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"{' '.join(words)}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def serve(directory: Path) -> Server:
        running.append(Server(executable, directory, root))
        return running[-1]

    return check_bundles(place, run, serve)


def _is_path(word: str) -> bool:
    return word in ("center", "edge") or word.startswith("stick/")


def main() -> int:
    """Try the executable that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("executable", type=Path)
    parser.add_argument("--here", action="store_true", help="on this machine itself, not in a bare root")
    options = parser.parse_args()
    if not options.executable.exists():
        print(f"{options.executable} is not there: `make binary` builds it", file=sys.stderr)
        return 1
    executable = options.executable.resolve()
    root = None if options.here else bare_root()
    with tempfile.TemporaryDirectory(prefix="glance-appliance-") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        if root is not None:
            os.chown(data, NOBODY, NOBODY)
        running: list[Server] = []

        def start(*settings: str) -> Server:
            running.append(Server(executable, data, root, *settings))
            return running[-1]

        try:
            stories = (
                contents(executable, data, root),
                story(start, data),
                bundles_story(executable, Path(folder), root, running),
                drivers_story(start, data),
            )
            for line in chain(*stories):
                print(line)
        except (Failure, AssertionError, OSError, KeyError, subprocess.CalledProcessError) as problem:
            print(f"FAILED {type(problem).__name__}: {problem}")
            if data.with_name("log").exists():
                print(data.with_name("log").read_text()[-1500:])
            print("0 passed, 1 failed")
            return 1
        finally:
            for server in running:
                server.process.kill()
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
