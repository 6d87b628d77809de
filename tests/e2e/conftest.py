"""A real appliance in a process of its own, and the stock clients pointed at it."""

import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / ".venv-clients" / "bin"
PASSWORD = "an admin's password: 'quoted'"


class Appliance:
    """One `serve` process on free ports; start it again after `stop` or `kill`."""

    def __init__(self, directory: Path, *flags: str, environment: dict[str, str] | None = None) -> None:
        self.directory = directory
        self._flags = flags
        self._environment = {
            "APPLIANCE_ADMIN_PASSWORD": PASSWORD,
            "APPLIANCE_DISK_RESERVE": "1M",
            **(environment or {}),
        }
        self.output: list[str] = []
        self.start()

    def start(self) -> None:
        self.output.clear()
        log = (self.directory.parent / "log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "appliance.py"), "serve", "--data-dir", str(self.directory)]
            + ["--image-port", "0", "--identity-port", "0", *self._flags],
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        log.close()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line.rstrip("\n"))
            if line.startswith("identity "):
                break
        else:
            raise AssertionError(f"no ready line; exit code {self.process.wait()}\n{self.log()}")
        ready = dict(line.split(" ", 1) for line in self.output if line.startswith(("image ", "identity ")))
        self.image, self.identity = ready["image"], ready["identity"]
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self) -> None:
        assert self.process.stdout is not None
        self.output.extend(line.rstrip("\n") for line in self.process.stdout)

    def log(self) -> str:
        return (self.directory.parent / "log").read_text()

    def wait(self) -> int:
        """Until the process has ended by itself; its exit code."""
        code = self.process.wait(60)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.wait()

    # -- the clients

    def environment(self, **more: str) -> dict[str, str]:
        """What a shell has after sourcing `admin-openrc`."""
        shown = subprocess.run(
            ["bash", "-c", f"set -a; source '{self.directory}/admin-openrc'; env -0"], capture_output=True, check=True
        ).stdout.decode()
        sourced = dict(item.split("=", 1) for item in shown.split("\0") if item)
        home = self.directory.parent / "home"
        home.mkdir(exist_ok=True)
        return {**sourced, "HOME": str(home), "PYTHONWARNINGS": "ignore", **more}

    def run(self, *command: str, stdin: Path | None = None, fails: bool = False, **environment: str) -> str:
        """Run a stock client; its standard output. It must succeed, or fail if `fails` is set."""
        with open(stdin or os.devnull, "rb") as source:
            done = subprocess.run(
                [CLIENTS / command[0], *command[1:]],
                env=self.environment(**environment),
                stdin=source,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
        assert (done.returncode != 0) == fails, (
            f"{command} → {done.returncode}\n{done.stdout}{done.stderr}\n{self.log()}"
        )
        return done.stdout if not fails else done.stdout + done.stderr

    def openstack(self, *command: str, **options: Any) -> Any:
        """`openstack … -f json`, decoded."""
        text = self.run("openstack", *command, "-f", "json", **options)
        return json.loads(text) if text.strip() else None


def launch(tmp_path: Path, *flags: str) -> Appliance:
    return Appliance(tmp_path / "data", *flags)


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """One appliance for a whole module."""
    if not CLIENTS.is_dir():
        pytest.fail("the stock clients are missing; `make clients` installs them")
    started = launch(tmp_path_factory.mktemp("appliance"))
    yield started
    assert started.stop() == 0, started.log()


def qcow2(virtual_size: int, payload: bytes = b"", version: int = 3) -> bytes:
    """A small valid qcow2 image: header, then whatever follows."""
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", version, 0, 0, 16, virtual_size, 0, 1, 196608, 65536, 1, 0, 0)
    if version == 3:
        header += struct.pack(">QQQII", 0, 0, 0, 4, 104)
    return header.ljust(262144, b"\0") + payload


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A qcow2 file of 10 MiB virtual size with some megabytes of content."""
    path = tmp_path_factory.mktemp("disk") / "disk.qcow2"
    path.write_bytes(qcow2(10 << 20, os.urandom(3 << 20) + bytes(2 << 20) + b"text " * 100_000))
    return path
