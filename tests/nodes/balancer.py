"""A real haproxy in front of nodes: it asks each for its health, and keeps no client at any."""

import csv
import io
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.blobs.backends.seaweed import free_ports
from tests.waiting import eventually

_LAID_OUT = Path(__file__).parents[2] / "build" / "haproxy" / "root"
_COMMON = """
global
  stats socket {socket}
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  option httpchk GET /healthcheck
  option redispatch
  retries 3
  default-server inter 500 fall 2 rise 1
"""
_SERVICE = """
frontend {name}
  bind 127.0.0.1:{port}
  default_backend {name}
backend {name}
  balance random
{servers}
"""


def programs() -> tuple[str, dict[str, str]] | None:
    """The executable, and what it needs in its environment; None where there is none."""
    laid_out = _LAID_OUT / "usr" / "sbin" / "haproxy"
    if laid_out.exists():
        libraries = next((_LAID_OUT / "usr" / "lib").glob("*-linux-gnu"), None)
        return str(laid_out), {"LD_LIBRARY_PATH": str(libraries)} if libraries else {}
    found = shutil.which("haproxy")
    return (found, {}) if found else None


class Balancer:
    """One that runs; `image` and `identity` are where clients find the two services."""

    def __init__(self, image: str, identity: str, control: Path) -> None:
        self.image = image
        self.identity = identity
        self._control = control

    def states(self) -> dict[str, str]:
        """What it thinks of the image service of each node: UP, DOWN, or on its way there."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._control))
            connection.sendall(b"show stat\n")
            told = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        rows = csv.DictReader(io.StringIO(told.removeprefix("# ")))
        return {row["svname"]: row["status"] for row in rows if row["pxname"] == "image"}

    def is_up(self, name: str) -> bool:
        return self.states()[name].startswith("UP")


@contextmanager
def balancing(directory: Path, nodes: Mapping[str, tuple[str, str]]) -> Iterator[Balancer]:
    """Run one in front of nodes: the addresses of the image and identity services of each, by its name."""
    found = programs()
    if found is None:
        pytest.skip("there is no haproxy: apt-get install haproxy")
    command, environment = found
    control, ports = directory / "haproxy.sock", free_ports(2)
    text = _COMMON.format(socket=control)
    for which, (name, port) in enumerate(zip(("image", "identity"), ports, strict=True)):
        servers = "\n".join(
            # Health is asked at the image port for both.
            f"  server {node} {urlsplit(bases[which]).netloc} check port {urlsplit(bases[0]).port}"
            for node, bases in nodes.items()
        )
        text += _SERVICE.format(name=name, port=port, servers=servers)
    (directory / "haproxy.cfg").write_text(text)
    process = subprocess.Popen(
        [command, "-db", "-f", str(directory / "haproxy.cfg")],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    made = Balancer(f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}/v3", control)
    try:
        eventually(control.exists)
        eventually(lambda: all(made.is_up(name) for name in nodes))
        yield made
    finally:
        process.terminate()
        process.wait()
