"""A disk that is full or fails: uploads are refused in Glance's words, nothing is lost, and the service says why."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.image_v2.client import Cloud, on_a_disk
from tests.blobs.disks import FailingDisk

FORMATS = {"disk_format": "raw", "container_format": "bare"}


class FailingCloud(Cloud):
    """An image service on a disk that fails when told to."""

    def __init__(self, directory: Path) -> None:
        self.disk = FailingDisk()
        super().__init__(directory, self.disk)

    def queued(self) -> str:
        image: str = self.call("POST", "/v2/images", body={"name": "x", **FORMATS}).json["id"]
        return image

    def upload(self, image: str, data: bytes) -> int:
        return self.call("PUT", f"/v2/images/{image}/file", body=data, headers={"Content-Type": OCTETS}).status


OCTETS = "application/octet-stream"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[FailingCloud]:
    cloud = FailingCloud(tmp_path)
    yield cloud
    cloud.close()


@pytest.mark.parametrize(
    ("kind", "code", "status", "word"),
    [
        ("create", errno.ENOSPC, 413, "full"),
        ("write", errno.ENOSPC, 413, "full"),
        ("write", errno.EROFS, 503, "Read-only"),
        ("write", errno.EIO, 503, "Input/output"),
        # What is staged for a bucket is neither synced nor renamed.
        pytest.param("sync", errno.EIO, 503, "Input/output", marks=on_a_disk),
        pytest.param("rename", errno.ENOSPC, 413, "full", marks=on_a_disk),
    ],
)
def test_a_disk_fault_fails_the_upload_and_nothing_else(
    cloud: FailingCloud, kind: str, code: int, status: int, word: str
) -> None:
    stored, kept = os.urandom(200_000), cloud.queued()
    assert cloud.upload(kept, stored) == 204
    image = cloud.queued()
    cloud.disk.plan(kind, 1, code, goes_on=True)
    assert cloud.upload(image, os.urandom(200_000)) == status
    shown = cloud.call("GET", f"/v2/images/{image}").json
    assert (shown["status"], shown["size"], shown["checksum"]) == ("queued", None, None)
    assert cloud.call("GET", f"/v2/images/{kept}/file").body == stored
    assert word in cloud.call("GET", "/healthcheck?detailed", token=None).body.decode()
    assert cloud.call("GET", "/healthcheck", token=None).status == 200
    cloud.disk.heal()
    again = os.urandom(200_000)
    assert cloud.upload(image, again) == 204
    assert cloud.call("GET", f"/v2/images/{image}/file").body == again
    assert "main: OK" in cloud.call("GET", "/healthcheck?detailed", token=None).body.decode()


@on_a_disk
def test_a_failed_upload_leaves_no_byte_behind(cloud: FailingCloud, tmp_path: Path) -> None:
    image = cloud.queued()
    before = sorted(path for path in (tmp_path / "blobs").rglob("*"))
    cloud.disk.plan("sync", 1, errno.EIO)
    assert cloud.upload(image, os.urandom(500_000)) == 503
    assert sorted(path for path in (tmp_path / "blobs").rglob("*")) == before
