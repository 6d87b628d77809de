"""The backend of a directory."""

import errno
import os
from pathlib import Path

import pytest

from appliance.blobs.backends.local import LocalBackend
from appliance.errors import StorageFault, StorageFull
from tests.blobs.backends.conformance import Conformance, Reopen, get, put
from tests.blobs.disks import FailingDisk


@pytest.fixture
def reopen(tmp_path: Path) -> Reopen:
    def open_() -> LocalBackend:
        backend = LocalBackend(tmp_path / "blobs")
        backend.prepare()
        return backend

    return open_


@pytest.fixture
def backend(reopen: Reopen) -> LocalBackend:
    made = reopen()
    assert isinstance(made, LocalBackend)
    return made


class TestLocal(Conformance):
    """All that any backend does."""


def test_a_directory_that_is_not_there_is_not_made_by_asking(tmp_path: Path) -> None:
    assert not LocalBackend(tmp_path / "blobs").is_there()
    assert not (tmp_path / "blobs").exists()


@pytest.mark.parametrize(
    "kind, code, failure",
    [
        ("write", errno.ENOSPC, StorageFull),
        ("write", errno.EIO, StorageFault),
        ("sync", errno.EIO, StorageFault),
        ("rename", errno.EIO, StorageFault),
        ("sync_directory", errno.EIO, StorageFault),
    ],
)
def test_a_put_that_the_disk_refuses_fails(tmp_path: Path, kind: str, code: int, failure: type[Exception]) -> None:
    disk = FailingDisk()
    backend = LocalBackend(tmp_path / "blobs", disk)
    backend.prepare()
    disk.plan(kind, 1, code)
    with pytest.raises(failure):
        put(backend, b"x" * 1000)


def test_reads_that_come_short_are_completed(tmp_path: Path) -> None:
    disk = FailingDisk()
    backend = LocalBackend(tmp_path / "blobs", disk)
    backend.prepare()
    disk.short_writes = True
    data = os.urandom(100_000)
    assert get(backend, put(backend, data)) == data


def test_a_read_that_the_disk_refuses_is_a_fault(tmp_path: Path) -> None:
    disk = FailingDisk()
    backend = LocalBackend(tmp_path / "blobs", disk)
    backend.prepare()
    name = put(backend, b"x" * 1000)
    disk.plan("read", 1, errno.EIO)
    with pytest.raises(StorageFault):
        get(backend, name)


def test_its_details_are_those_of_the_file_driver(backend: LocalBackend) -> None:
    assert set(backend.details) == {"data_dir", "chunk_size", "thin_provisioning"}
