"""One appliance for all clients in other languages, and what each saw on its tour."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import PASSWORD
from tests.legacy.legacy_cloud import OldCloud

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CONTENT = os.urandom(700_000) + bytes(300_000) + "ein Text, größer als nichts\n".encode() * 10_000
MD5 = hashlib.md5(CONTENT).hexdigest()
GOPATH = Path("/usr/share/gocode")

Seen = dict[str, Any]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldCloud]:
    """An appliance with --legacy; nothing that the clients did made it stumble."""
    started = OldCloud(tmp_path_factory.mktemp("clients") / "data")
    yield started
    assert started.stop() == 0, started.log()
    assert "Traceback" not in started.log(), started.log()


@pytest.fixture(scope="session")
def tour(cloud: OldCloud, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Seen]:
    """Run a program in the environment of a client; the JSON object that it printed."""
    file = tmp_path_factory.mktemp("content") / "disk.raw"
    file.write_bytes(CONTENT)
    environment = {**cloud.environment(FILE=str(file)), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

    def run(*command: str | Path, **more: str) -> Seen:
        done = subprocess.run(
            command, cwd=HERE, env={**environment, **more}, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{cloud.log()[-4000:]}"
        seen: Seen = json.loads(done.stdout.splitlines()[-1])
        return seen

    assert environment["OS_PASSWORD"] == PASSWORD
    return run


@pytest.fixture(scope="session")
def fog(tour: Callable[..., Seen]) -> Seen:
    """Ruby: Debian's ruby-fog-openstack."""
    asked = ["ruby", "-e", "require 'fog/openstack'"]
    if shutil.which("ruby") is None or subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("fog-openstack is not there: apt-get install ruby ruby-fog-openstack")
    return tour("ruby", "fog_tour.rb")


@pytest.fixture(scope="session")
def node(tour: Callable[..., Seen]) -> Seen:
    """JavaScript: pkgcloud and openstack-wrapper from npm."""
    modules = ROOT / "build/clients/node_modules"
    if shutil.which("node") is None or not (modules / "pkgcloud").is_dir():
        pytest.skip("pkgcloud is not there: `make test-clients` installs it where node and npm are")
    return tour("node", "pkgcloud_tour.js", NODE_PATH=str(modules))


@pytest.fixture(scope="session")
def asyncio_client(tour: Callable[..., Seen]) -> Seen:
    """Python with asyncio: AsyncOpenStackClient."""
    python = ROOT / ".venv-asyncio/bin/python"
    if not python.exists():
        pytest.skip("AsyncOpenStackClient is not there; `make test-clients` installs it")
    return tour(python, "asyncio_tour.py")


@pytest.fixture(scope="session")
def gophercloud(tour: Callable[..., Seen], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Go: Debian's gophercloud."""
    if shutil.which("go") is None or not (GOPATH / "src/github.com/gophercloud/gophercloud").is_dir():
        pytest.skip("gophercloud is not there: apt-get install golang-go golang-github-gophercloud-gophercloud-dev")
    built = tmp_path_factory.mktemp("go") / "tour"
    variables = {"GO111MODULE": "off", "GOPATH": str(GOPATH), "GOCACHE": str(built.with_name("cache")), "GOFLAGS": ""}
    command = ["go", "build", "-o", str(built), "gophercloud_tour.go"]
    done = subprocess.run(
        command, cwd=HERE, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return tour(built)
