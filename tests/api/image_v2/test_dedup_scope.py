"""An upload costs the same whether another project has the bytes or nobody does: nobody learns what others store."""

import random
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from appliance.blobs.durable import Bytes, Disk
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.errors import WrongUsage
from appliance.values import MIB
from tests.api.image_v2.client import Cloud

FORMATS = {"disk_format": "raw", "container_format": "bare"}


# Seeded: one file of 65,536 ends its first sector like a partition table, and is refused as a broken one.
_noise = random.Random(1).randbytes


class Counting(Disk):
    """A disk that counts bytes, writes and fsyncs."""

    def __init__(self) -> None:
        self.done = [0, 0, 0]

    def write(self, fd: int, parts: Sequence[Bytes]) -> int:
        written = super().write(fd, parts)
        self.done[0] += written
        self.done[1] += 1
        return written

    def sync(self, fd: int) -> None:
        super().sync(fd)
        self.done[2] += 1


class Shared(Cloud):
    """An image service of several projects on a disk that counts."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.disk = Counting()
        super().__init__(directory, self.disk, **settings)

    def upload(self, token: str, data: bytes) -> list[int]:
        """What a new image of these bytes cost."""
        made = self.call("POST", "/v2/images", token=token, body={"name": "x", **FORMATS})
        self.disk.done = [0, 0, 0]
        headers = {"Content-Type": "application/octet-stream"}
        path = f"/v2/images/{made.json['id']}/file"
        assert self.call("PUT", path, token=token, body=data, headers=headers).status == 204
        return self.disk.done


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Shared]:
    cloud = Shared(tmp_path)
    yield cloud
    cloud.close()


def test_the_work_of_an_upload_says_nothing_of_other_projects(tmp_path: Path) -> None:
    private = _noise(MIB)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with_theirs, alone = Shared(tmp_path / "one"), Shared(tmp_path / "two")
    with_theirs.upload("member", private)
    alone.upload("member", _noise(MIB))
    assert with_theirs.upload("other", private) == alone.upload("other", private)
    with_theirs.close()
    alone.close()


def test_a_project_s_own_bytes_are_stored_once(cloud: Shared) -> None:
    data = _noise(MIB)
    cloud.upload("member", data)
    assert cloud.upload("member", data)[0] < MIB // 16


def test_the_same_bytes_of_two_projects_are_folded_in_the_background(cloud: Shared) -> None:
    data = _noise(MIB)
    blobs = cloud.stores.default.writer
    cloud.upload("member", data)
    cloud.upload("other", data)
    assert blobs.index.maintenance.totals().stored == 2 * MIB
    GarbageCollector(blobs, grace=0).run()
    assert blobs.index.maintenance.totals().stored == MIB


def test_with_one_scope_for_all_other_projects_blocks_are_reused(tmp_path: Path) -> None:
    cloud = Shared(tmp_path, dedup_scope="all")
    data = _noise(MIB)
    cloud.upload("member", data)
    assert cloud.upload("other", data)[0] < MIB // 16
    cloud.close()


def test_another_scope_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="dedup_scope is project or all"):
        Shared(tmp_path, dedup_scope="some")


@pytest.mark.slow
def test_the_time_of_an_upload_says_nothing_of_other_projects(cloud: Shared) -> None:
    """Interleaved pairs: the bytes of another project are faster than fresh ones about as often as not."""
    pairs, size = 24, 32 * MIB
    faster, ratios = 0, []
    for number in range(pairs):
        known, fresh = _noise(size), _noise(size)
        cloud.upload("member", known)
        first_known = random.Random(number).random() < 0.5
        took = {}
        for data in (known, fresh) if first_known else (fresh, known):
            began = time.perf_counter()
            cloud.upload("other", data)
            took[data is known] = time.perf_counter() - began
        faster += took[True] < took[False]
        ratios.append(took[True] / took[False])
    # 24 of 24 before there were scopes. A fair coin lands outside of 4 to 20 in one of 1,300 runs.
    assert 4 <= faster <= 20, ratios
    assert 0.8 < statistics.median(ratios) < 1.25, ratios
