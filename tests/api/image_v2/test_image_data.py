"""Bytes in and out: what is stored reads back, what is refused leaves nothing behind."""

import hashlib
import random
import struct
from typing import Any

import pytest

from appliance.blobs.ingest import Ingest
from appliance.db.engine.base import Tx
from appliance.errors import ClientVanished, StorageFault
from tests.api.image_v2.client import Cloud, Pieces, on_a_disk

DATA = random.Random(1).randbytes(300_000)
MIB = 1024 * 1024


def qcow2(size: int = 1 << 30, version: int = 3, backing: int = 0, features: int = 0) -> bytes:
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", version, backing, 0, 16, size, 0, 0, 0, 0, 0, 0, 0)
    return (header + struct.pack(">QQQII", features, 0, 0, 4, 104)).ljust(512 * 1024, b"\0")


def traces(cloud: Cloud) -> list[object]:
    """Whatever an upload could leave in the database."""
    return [*cloud.db.rows("SELECT * FROM contents WHERE state = 1"), *cloud.db.rows("SELECT * FROM image_locations")]


def queued_without_a_trace(cloud: Cloud, image_id: str) -> bool:
    image = cloud.show(image_id)
    empty = ("size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value")
    return image["status"] == "queued" and all(image[name] is None for name in empty) and not traces(cloud)


# -- in and out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 7])
def test_what_was_stored_reads_back(cloud: Cloud, size: int) -> None:
    data = random.Random(size).randbytes(size)
    image = cloud.active(data)
    assert (image["status"], image["size"], image["virtual_size"]) == ("active", size, size or None)
    assert image["checksum"] == hashlib.md5(data).hexdigest()
    assert (image["os_hash_algo"], image["os_hash_value"]) == ("sha512", hashlib.sha512(data).hexdigest())
    answer = cloud.call("GET", f"/v2/images/{image['id']}/file")
    assert (answer.status, answer.body) == (200, data)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == str(size)
    assert answer.headers["content-md5"] == image["checksum"]


def test_a_chunked_upload_of_odd_pieces(cloud: Cloud) -> None:
    image = cloud.new()["id"]
    assert cloud.put(image, Pieces([DATA[:1], DATA[1:70_000], DATA[70_000:]])).status == 204
    assert cloud.call("GET", f"/v2/images/{image}/file").body == DATA


def test_an_image_without_data_downloads_as_nothing(cloud: Cloud) -> None:
    answer = cloud.call("GET", f"/v2/images/{cloud.new()['id']}/file", headers={"Range": "bytes=0-4"})
    assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize(
    ("header", "value", "status", "start", "end"),
    [
        ("Range", "bytes=0-0", 206, 0, 0),
        ("Range", "bytes=5-9", 206, 5, 9),
        ("Range", "bytes=5-", 206, 5, 99),
        ("Range", "bytes=-10", 206, 90, 99),
        ("Range", "bytes=-1000", 206, 0, 99),
        ("Range", "bytes=90-1000", 206, 90, 99),
        ("Range", "bytes=99-99", 206, 99, 99),
        ("Range", "bytes=100-", 416, 0, 0),
        ("Range", "bytes=9-5", 416, 0, 0),
        ("Range", "bytes=-", 416, 0, 0),
        ("Range", "bytes=a-b", 416, 0, 0),
        ("Range", "lines=1-2", 416, 0, 0),
        ("Range", "bytes=0-1,5-6", 400, 0, 0),
        ("Content-Range", "bytes 5-9/100", 206, 5, 9),
        ("Content-Range", "bytes 5-9/*", 206, 5, 9),
        ("Content-Range", "bytes 5-100/*", 416, 0, 0),
        ("Content-Range", "bytes 9-5/*", 416, 0, 0),
        ("Content-Range", "bytes */100", 416, 0, 0),
        ("Content-Range", "5-9", 416, 0, 0),
    ],
)
def test_a_range_of_a_hundred_bytes(cloud: Cloud, header: str, value: str, status: int, start: int, end: int) -> None:
    image = cloud.active(DATA[:100])
    answer = cloud.call("GET", f"/v2/images/{image['id']}/file", headers={header: value})
    assert answer.status == status
    if status == 206:
        assert answer.body == DATA[start : end + 1]
        assert answer.headers["content-range"] == f"bytes {start}-{end}/100"
        assert answer.headers["content-length"] == str(end - start + 1)
        assert answer.headers["content-md5"] == image["checksum"]


def test_a_range_of_an_empty_image_is_outside(cloud: Cloud) -> None:
    image = cloud.active(b"")["id"]
    assert cloud.call("GET", f"/v2/images/{image}/file", headers={"Range": "bytes=0-0"}).status == 416


# -- refused before a byte is read -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": ""}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json"}, 415),
        ({"x-openstack-image-size": "many"}, 400),
        ({"x-openstack-image-size": "-1"}, 400),
        ({"x-openstack-image-size": str(2 << 40)}, 413),
        pytest.param({"x-openstack-image-size": str(1 << 40)}, 413, marks=on_a_disk),
    ],
)
def test_a_bad_header_is_refused_before_the_body_is_read(cloud: Cloud, headers: dict[str, str], status: int) -> None:
    image = cloud.new()["id"]
    body = Pieces([b"data"])
    all_headers = {"Content-Type": "application/octet-stream"} | headers
    answer = cloud.call("PUT", f"/v2/images/{image}/file", body=body, headers=all_headers)
    assert (answer.status, body.reads) == (status, 0)
    assert queued_without_a_trace(cloud, image)


@pytest.mark.parametrize("who", ["reader", "other", None])
def test_nobody_reads_the_body_of_one_who_may_not_send_it(cloud: Cloud, who: str | None) -> None:
    image = cloud.new()["id"]
    body = Pieces([b"data"])
    headers = {"Content-Type": "application/octet-stream"}
    cloud.call("PUT", f"/v2/images/{image}/file", token=who, body=body, headers=headers)
    assert body.reads == 0


@pytest.mark.parametrize("missing", [("disk_format",), ("container_format",), ("disk_format", "container_format")])
def test_data_needs_formats(cloud: Cloud, missing: tuple[str, ...]) -> None:
    unset: dict[str, Any] = dict.fromkeys(missing)
    image = cloud.new(**unset)["id"]
    answer = cloud.put(image, b"data")
    assert answer.status == 400 and b"must be set prior to saving data" in answer.body
    assert queued_without_a_trace(cloud, image)


def test_only_one_upload_may_win(cloud: Cloud) -> None:
    image = cloud.active(DATA)["id"]
    assert cloud.put(image, b"other").status == 409
    assert cloud.call("GET", f"/v2/images/{image}/file").body == DATA


# -- refused on the way -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (Pieces([b"12345"]), {"x-openstack-image-size": "4"}, 400),
        (Pieces([b"12345"]), {"x-openstack-image-size": "6"}, 400),
        (b"12345", {"x-openstack-image-size": "4"}, 400),
        (Pieces([b"12345", ClientVanished("gone")]), {}, 400),
        (Pieces([b"12345", StorageFault("broken")]), {}, 503),
        (Pieces([b"12345", OSError("broken")]), {}, 500),
    ],
)
def test_a_broken_upload_leaves_nothing(cloud: Cloud, body: object, headers: dict[str, str], status: int) -> None:
    image = cloud.new()["id"]
    assert cloud.put(image, body, **headers).status == status
    assert queued_without_a_trace(cloud, image)
    assert cloud.put(image, b"again").status == 204


def test_the_image_is_saving_while_its_data_comes(cloud: Cloud) -> None:
    image = cloud.new()["id"]
    seen = []

    class Spying(Pieces):
        def read(self, size: int = -1, /) -> bytes:
            seen.append(cloud.show(image)["status"])
            return super().read(size)

    assert cloud.put(image, Spying([b"data"])).status == 204
    assert set(seen) == {"saving"}


def test_an_image_deleted_under_its_upload_is_gone(cloud: Cloud) -> None:
    image = cloud.new()["id"]

    class Deleting(Pieces):
        def read(self, size: int = -1, /) -> bytes:
            if self.reads == 1:
                assert cloud.call("DELETE", f"/v2/images/{image}").status == 204
            return super().read(size)

    assert cloud.put(image, Deleting([b"data", b"data"])).status == 410
    assert cloud.call("GET", f"/v2/images/{image}").status == 404
    assert not traces(cloud)


def test_the_size_cap_holds_for_chunks_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    cloud = Cloud(tmp_path_factory.mktemp("cap"), image_size_cap=1000)
    image = cloud.new()["id"]
    assert cloud.put(image, Pieces([DATA[:1001]])).status == 413
    assert cloud.put(image, DATA[:1001]).status == 413
    assert queued_without_a_trace(cloud, image)
    assert cloud.put(image, Pieces([DATA[:1000]])).status == 204
    cloud.close()


def test_a_project_stores_no_more_than_its_quota(tmp_path_factory: pytest.TempPathFactory) -> None:
    cloud = Cloud(tmp_path_factory.mktemp("quota"), user_storage_quota=1000)
    first = cloud.active(DATA[:600])["id"]
    second = cloud.new()["id"]
    assert cloud.put(second, DATA[:401]).status == 413
    assert cloud.put(second, Pieces([DATA[:401]])).status == 413
    assert cloud.show(second)["status"] == "queued"
    assert cloud.put(second, DATA[:400]).status == 204
    assert cloud.active(DATA[:1000], "other")["status"] == "active", "another project has its own"
    assert cloud.call("DELETE", f"/v2/images/{first}").status == 204
    assert cloud.active(DATA[:600])["status"] == "active"
    cloud.close()


# -- uploads of what is stored already -----------------------------------------------------------------------------


def recognizable(cloud: Cloud, who: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether an upload of this caller may be recognized as the only content that is stored."""
    (content,) = [row["id"] for row in cloud.db.rows("SELECT id FROM contents WHERE state = 1")]
    allowed: list[bool] = []
    blobs = cloud.stores.default.writer
    begin = blobs.begin

    def spy(**how: Any) -> Ingest:
        allowed.append(how["readable_by_caller"](content))
        return begin(**how)

    with monkeypatch.context() as patch:
        patch.setattr(blobs, "begin", spy)
        image = cloud.new(who)["id"]
        assert cloud.put(image, DATA, who).status == 204
        assert cloud.call("DELETE", f"/v2/images/{image}", token=who).status == 204
    return allowed == [True]


def test_only_what_a_caller_could_download_makes_its_upload_faster(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = cloud.active(DATA)["id"]
    who = ("member", "admin", "other", "consumer")

    def knowing() -> set[str]:
        return {each for each in who if recognizable(cloud, each, monkeypatch)}

    def change(name: str, value: str) -> None:
        patch = [{"op": "replace", "path": f"/{name}", "value": value}]
        kind = "application/openstack-images-v2.1-json-patch"
        assert (
            cloud.call("PATCH", f"/v2/images/{image}", token="admin", body=patch, headers={"Content-Type": kind}).status
            == 200
        )

    assert knowing() == {"member", "admin"}
    assert cloud.call("POST", f"/v2/images/{image}/members", body={"member": "p-consumer"}).status == 200
    assert knowing() == {"member", "admin", "consumer"}
    change("visibility", "private")
    assert knowing() == {"member", "admin"}
    change("visibility", "public")
    assert knowing() == set(who)


# -- formats -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "data", "status", "virtual_size"),
    [
        ("raw", DATA, 204, len(DATA)),
        ("qcow2", qcow2(), 204, 1 << 30),
        ("qcow2", qcow2(version=2), 204, 1 << 30),
        ("raw", qcow2(), 204, 512 * 1024),
        ("ami", DATA, 204, None),
        ("qcow2", b"", 204, None),
        ("qcow2", DATA, 415, None),
        ("vmdk", qcow2(), 415, None),
        ("ami", qcow2(), 415, None),
        ("qcow2", qcow2(backing=1024), 415, None),
        ("raw", qcow2(backing=1024), 415, None),
        ("qcow2", qcow2(version=1), 415, None),
        ("qcow2", qcow2(features=4), 415, None),
        ("qcow2", qcow2(features=1 << 40), 415, None),
        ("raw", b"QED\0".ljust(MIB, b"\0"), 415, None),
    ],
)
def test_data_is_what_it_is_declared_to_be(
    cloud: Cloud, declared: str, data: bytes, status: int, virtual_size: int | None
) -> None:
    image = cloud.new(disk_format=declared)["id"]
    answer = cloud.put(image, data)
    assert answer.status == status, answer
    if status == 204:
        assert cloud.show(image)["virtual_size"] == virtual_size
    else:
        assert queued_without_a_trace(cloud, image)


def test_containers_are_taken_as_they_are(cloud: Cloud) -> None:
    image = cloud.active(qcow2(backing=5), disk_format="vmdk", container_format="ova")
    assert (image["status"], image["virtual_size"]) == ("active", None)


def test_a_mismatch_may_be_allowed_but_never_a_danger(tmp_path_factory: pytest.TempPathFactory) -> None:
    cloud = Cloud(tmp_path_factory.mktemp("lax"), require_image_format_match=False)
    assert cloud.active(DATA, disk_format="qcow2")["virtual_size"] is None
    assert cloud.put(cloud.new(disk_format="vmdk")["id"], qcow2(backing=5)).status == 415
    cloud.close()


# -- after a crash -------------------------------------------------------------------------------------------------


def test_a_start_puts_interrupted_uploads_back(cloud: Cloud) -> None:
    image = cloud.new()["id"]
    staged = cloud.new()["id"]
    lost = cloud.new()["id"]
    assert (
        cloud.call(
            "PUT", f"/v2/images/{staged}/stage", body=DATA, headers={"Content-Type": "application/octet-stream"}
        ).status
        == 204
    )

    def change(tx: Tx) -> None:
        tx.execute("UPDATE images SET status = 'saving', size = 5 WHERE id = ?", (image,))
        tx.execute("UPDATE images SET status = 'uploading' WHERE id = ?", (lost,))

    cloud.db.transact(change)
    cloud.images.recover()
    assert [cloud.show(one)["status"] for one in (image, staged, lost)] == ["queued", "uploading", "queued"]
    assert cloud.show(image)["size"] is None
    assert cloud.show(staged)["size"] == len(DATA)
