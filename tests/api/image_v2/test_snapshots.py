"""Snapshots of servers, by the calls that Nova makes, and what they cost beside the image they come from."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.image_v2.client import Cloud, Pieces
from tests.api.image_v2.web import Page, Web, web_server
from tests.waiting import eventually

MIB = 1024 * 1024
PAGE = 4096
SERVER = "5d5ea7a0-96c4-4a3a-9d4f-0c3a5a2f2f5e"
KERNEL = "b2b6fa0c-0a5f-4b6e-8c7c-4d0a5a0d9c11"
RAMDISK = "c1d7a8e2-7b53-4f34-8b86-6f5e2c1f0a22"


def disk(size: int = 16 * MIB) -> bytearray:
    """The disk of a base image: data at its start, and nothing behind it."""
    return bytearray(random.Random(1).randbytes(size // 2)) + bytearray(size // 2)


def used_for_a_while(base: bytearray) -> bytearray:
    """The same disk after a server has run: pages changed here and there, a new file, a hole where one was."""
    changed = bytearray(base)
    source = random.Random(2)
    for _ in range(12):
        at = source.randrange(len(base) // 2 // PAGE) * PAGE
        changed[at : at + PAGE] = source.randbytes(PAGE)
    changed[12 * MIB : 12 * MIB + 256 * 1024] = source.randbytes(256 * 1024)
    changed[4 * MIB : 4 * MIB + MIB] = bytes(MIB)
    return changed


def in_parts(data: bytes | bytearray) -> Pieces:
    """A body without a length, as Nova sends it."""
    return Pieces([bytes(data[at : at + 65536]) for at in range(0, len(data), 65536)])


def stored(cloud: Cloud) -> int:
    """Bytes of blocks that the store has been made to keep."""
    return cloud.stores.default.writer.index.maintenance.totals().unique


def about_to_snapshot(cloud: Cloud, base: str, **more: Any) -> str:
    """What the compute API does first: an image that holds the server's place, without formats."""
    body = {
        "name": "snap",
        "visibility": "private",
        "min_disk": 1,
        "min_ram": 0,
        "base_image_ref": base,
        "image_type": "snapshot",
        "instance_uuid": SERVER,
        "user_id": "u-member",
        "owner_user_name": "member",
        "owner_project_name": "owner",
        "boot_roles": "member,reader",
        **more,
    }
    answer = cloud.call("POST", "/v2/images", body=body)
    assert answer.status == 201 and answer.json["status"] == "queued", answer
    return str(answer.json["id"])


def finish(cloud: Cloud, image: str, disk_format: str = "raw", **more: Any) -> None:
    """What the compute node does before it uploads: it reads the image, and changes all that it now knows."""
    assert cloud.show(image, "member")["image_type"] == "snapshot"
    said = {
        "name": "snap",
        "disk_format": disk_format,
        "container_format": "bare",
        "image_location": "snapshot",
        "image_state": "available",
        "owner_id": "p-owner",
        "kernel_id": KERNEL,
        "ramdisk_id": RAMDISK,
        **more,
    }
    operations = [
        {"op": "replace" if name in ("name", "disk_format", "container_format") else "add", "path": f"/{name}"}
        | {"value": value}
        for name, value in said.items()
    ]
    answer = cloud.patch(image, *operations)
    assert answer.status == 200, answer


def test_a_snapshot_costs_what_has_changed_since_its_base(cloud: Cloud) -> None:
    original = disk()
    base = cloud.active(bytes(original), name="base")["id"]
    before = stored(cloud)
    assert before < 9 * MIB, "what is empty takes no room"
    changed = used_for_a_while(original)
    image = about_to_snapshot(cloud, base)
    finish(cloud, image)
    assert cloud.put(image, in_parts(changed)).status == 204
    shown = cloud.show(image, "member")
    assert (shown["status"], shown["size"]) == ("active", len(changed))
    assert (shown["base_image_ref"], shown["instance_uuid"]) == (base, SERVER)
    assert (shown["kernel_id"], shown["ramdisk_id"]) == (KERNEL, RAMDISK)
    grown = stored(cloud) - before
    assert 256 * 1024 <= grown < 3 * MIB, f"a snapshot of {len(changed)} bytes took {grown}"
    assert cloud.call("GET", f"/v2/images/{image}/file").body == changed

    again = about_to_snapshot(cloud, base)
    finish(cloud, again)
    assert cloud.put(again, in_parts(changed)).status == 204
    assert stored(cloud) - before == grown, "an unchanged server's next snapshot takes nothing"

    assert cloud.call("DELETE", f"/v2/images/{base}").status == 204
    assert cloud.call("GET", f"/v2/images/{image}/file").body == changed, "it does not hang on its base"
    assert cloud.names(f"base_image_ref={base}&image_type=snapshot") == ["snap", "snap"]


def test_a_snapshot_of_a_server_on_volumes_has_no_bytes(cloud: Cloud) -> None:
    mapping = '[{"boot_index": 0, "snapshot_id": "s", "source_type": "snapshot", "volume_size": 1}]'
    image = about_to_snapshot(
        cloud,
        "",
        disk_format="raw",
        container_format="bare",
        block_device_mapping=mapping,
        bdm_v2="True",
        root_device_name="/dev/vda",
    )
    assert cloud.put(image, Pieces([])).status == 204
    shown = cloud.show(image, "member")
    assert (shown["status"], shown["size"], shown["block_device_mapping"]) == ("active", 0, mapping)
    assert cloud.call("GET", f"/v2/images/{image}/file").body == b""


def test_a_broken_off_snapshot_is_deleted_by_nova(cloud: Cloud) -> None:
    base = cloud.active(bytes(disk(MIB)))["id"]
    image = about_to_snapshot(cloud, base)
    finish(cloud, image, "qcow2")
    assert cloud.put(image, in_parts(disk(MIB))).status == 415, "it is not what it was said to be"
    assert cloud.show(image)["status"] == "queued"
    assert cloud.call("DELETE", f"/v2/images/{image}").status == 204


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as server:
        yield server


@pytest.mark.parametrize("old", [True, False])
def test_a_snapshot_may_be_a_location(tmp_path: Path, web: Web, old: bool) -> None:
    data = bytes(disk(MIB))
    web.pages["/snap"] = Page(data)
    settings: dict[str, Any] = {
        "import_allowed_hosts": ("127.0.0.1",),
        "import_allowed_ports": (),
        "show_multiple_locations": True,
    }
    cloud = Cloud(tmp_path, **settings)
    image = about_to_snapshot(cloud, "")
    finish(cloud, image)
    url = f"{web.base}/snap"
    if old:
        operation = {"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}}
        assert cloud.patch(image, operation).status == 200
    else:
        assert cloud.call("POST", f"/v2/images/{image}/locations", body={"url": url}).status == 202
        eventually(lambda: cloud.show(image)["os_hash_value"])
    assert (cloud.show(image)["status"], cloud.show(image)["size"]) == ("active", MIB)
    assert cloud.call("GET", f"/v2/images/{image}/file").body == data
    cloud.close()
