"""One appliance for each module that drives the clients of 2013, and the data that they send."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import qcow2
from tests.legacy.legacy_cloud import CLIENTS, FileServer, OldCloud, serving

SMALL = b"not much data, but some of it\n" * 100


@pytest.fixture(scope="module")
def web() -> Iterator[FileServer]:
    """Where copies come from."""
    yield from serving(SMALL)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, web: FileServer) -> Iterator[OldCloud]:
    """An appliance with --legacy."""
    if not CLIENTS.is_dir():
        pytest.skip("the clients of 2013 are not there; `make test-legacy` installs them")
    directory = tmp_path_factory.mktemp("old") / "data"
    allowed = ("--import-allowed-hosts", "127.0.0.1", "--import-allowed-ports", str(web.port))
    started = OldCloud(directory, *allowed)
    yield started
    assert started.stop() == 0, started.log()
    assert "Traceback" not in started.log(), started.log()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of no format."""
    path = tmp_path_factory.mktemp("files") / "small.raw"
    path.write_bytes(SMALL)
    return path


@pytest.fixture(scope="module")
def cirros(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A qcow2 file under the name that the guide gives it."""
    path = tmp_path_factory.mktemp("files") / "cirros-0.3.1-x86_64-disk.img"
    path.write_bytes(qcow2(10 << 20, b"a disk" * 1000))
    return path
