"""Locations changed by PATCH: who may, what may be put in, and in which order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.image_v2.client import Cloud
from tests.api.image_v2.importing import ended
from tests.api.image_v2.located import DATA, LOOPBACK, MD5, SHOWN, add, fetch, located, opened, pages
from tests.api.image_v2.web import Web


@pytest.fixture
def web() -> Iterator[Web]:
    with pages() as server:
        yield server


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    yield from opened(tmp_path, **LOOPBACK)


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Cloud]:
    yield from opened(tmp_path, **SHOWN, enabled_backends=("near:file", "web:http"), image_location_quota=3)


def place(url: str, **more: Any) -> dict[str, Any]:
    return {"url": url, "metadata": {}, **more}


def test_a_queued_image_gets_its_first_location(shown: Cloud, web: Web) -> None:
    image = shown.new()["id"]
    assert shown.show(image)["locations"] == []
    said = {"checksum": "1" * 32, "os_hash_algo": "sha512", "os_hash_value": "deadbeef" * 16}
    value = place(f"{web.base}/image", validation_data=said)
    answer = shown.patch(image, {"op": "add", "path": "/locations/-", "value": value})
    assert answer.status == 200, answer
    now = shown.show(image)
    assert now["locations"] == [{"url": f"{web.base}/image", "metadata": {"store": "web"}}]
    assert now["direct_url"] == f"{web.base}/image" and now["stores"] == "web"
    assert now["status"] == "active" and now["size"] == len(DATA)
    assert (now["checksum"], now["os_hash_value"]) == (said["checksum"], said["os_hash_value"])
    for name, other in (("checksum", "2" * 32), ("os_hash_value", "beefdead" * 16), ("os_hash_algo", "sha256")):
        value = place(f"{web.base}/other", validation_data=said | {name: other})
        assert shown.patch(image, {"op": "add", "path": "/locations/-", "value": value}).status == 409
    value = place(f"{web.base}/other", validation_data=said)
    assert shown.patch(image, {"op": "add", "path": "/locations/-", "value": value}).status == 200
    assert len(shown.show(image)["locations"]) == 2


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"url": "gopher://info.cern.ch", "metadata": {"foo": "bar"}}, 400),
        ({"url": "file:///etc/passwd", "metadata": {}}, 400),
        ({"url": "filesystem:///etc/passwd", "metadata": {}}, 400),
        ({"url": "swift+config://x/y", "metadata": {}}, 400),
        ({"url": "appliance://near/71c675ab-d94f-49cd-a114-e12490b328d9", "metadata": {}}, 400),
        ({"url": "http://localhost/", "metadata": {}}, 400),
        ({"url": "http://10.0.0.1@169.254.169.254/", "metadata": {}}, 400),
        ({"url": "BASE/missing", "metadata": {}}, 400),
        ({"url": "BASE/image"}, 400),
        ({"url": "BASE/image", "metadata": {"n": 5}}, 400),
        ({"url": "BASE/image", "metadata": {"store": "near"}}, 200),
        ({"url": "BASE/image", "metadata": {}, "validation_data": {"os_hash_algo": "md5", "os_hash_value": MD5}}, 409),
        (
            {"url": "BASE/image", "metadata": {}, "validation_data": {"os_hash_algo": "sha512", "os_hash_value": "x"}},
            409,
        ),
        ("no location", 400),
    ],
)
def test_what_may_be_patched_in(shown: Cloud, web: Web, value: Any, status: int) -> None:
    image = shown.new()["id"]
    if isinstance(value, dict):
        value = value | {"url": value["url"].replace("BASE", web.base)}
    assert shown.patch(image, {"op": "add", "path": "/locations/-", "value": value}).status == status
    now = shown.show(image)
    assert now["status"] == ("active" if status == 200 else "queued")
    assert all(one["metadata"]["store"] == "web" for one in now["locations"])


def test_locations_are_replaced_by_themselves_only(shown: Cloud, web: Web) -> None:
    image = shown.new()["id"]
    urls = [f"{web.base}/image", f"{web.base}/image#new"]
    first = [place(url) for url in urls]
    assert shown.patch(image, {"op": "replace", "path": "/locations", "value": []}).status == 403
    assert shown.patch(image, {"replace": "/locations", "value": first}, old=True).status == 200
    listed = shown.show(image)["locations"]
    assert [one["url"] for one in listed] == urls
    listed[0]["metadata"]["date"] = "2015-10-15"
    assert shown.patch(image, {"op": "replace", "path": "/locations", "value": listed}).status == 200
    assert shown.show(image)["locations"] == listed
    for other in (listed[:1], [listed[0], place(f"{web.base}/other")], [*listed, place(f"{web.base}/other")], []):
        status = 400 if other else 403
        assert shown.patch(image, {"op": "replace", "path": "/locations", "value": other}).status == status
    assert shown.show(image)["locations"] == listed


def test_locations_are_added_and_removed_by_position(shown: Cloud, web: Web) -> None:
    image = shown.active(DATA)["id"]
    own = f"appliance://near/{image}"
    for path, name in (("/locations/-", "image"), ("/locations/0", "other")):
        operation = {"op": "add", "path": path, "value": place(f"{web.base}/{name}")}
        assert shown.patch(image, operation).status == 200
        assert shown.patch(image, operation).status == 400, "twice"
    for path, status in (("/locations/x", 400), ("/locations", 400), ("/locations/-", 413)):
        assert shown.patch(image, {"op": "add", "path": path, "value": place(f"{web.base}/a")}).status == status
    assert [one["url"] for one in shown.show(image)["locations"]] == [own, f"{web.base}/image", f"{web.base}/other"]
    for who, path, status in (
        ("member", "/locations/0", 403),
        ("admin", "/locations/3", 400),
        ("admin", "/locations/x", 400),
        ("admin", "/locations/0", 200),
        ("admin", "/locations/-", 200),
        ("admin", "/locations/0", 403),
    ):
        assert shown.patch(image, {"op": "remove", "path": path}, token=who).status == status, (who, path)
    assert [one["url"] for one in shown.show(image)["locations"]] == [f"{web.base}/image"]
    assert shown.db.row("SELECT 1 FROM contents WHERE state = 1") is None, "what nobody names is let go"
    assert fetch(shown, image).body == DATA


def test_locations_count_against_the_quota(tmp_path: Path, web: Web) -> None:
    for cloud in opened(tmp_path, **SHOWN, user_storage_quota=2 * len(DATA)):
        images = [cloud.new()["id"] for _ in range(2)]
        for name, status in (("image", 200), ("other", 200), ("image#third", 413)):
            operation = {"op": "add", "path": "/locations/-", "value": place(f"{web.base}/{name}")}
            assert cloud.patch(images[0], operation).status == status
        assert len(cloud.show(images[0])["locations"]) == 2
        assert cloud.patch(images[1], operation).status == 413 and cloud.show(images[1])["status"] == "queued"
        assert add(cloud, images[1], f"{web.base}/image").status == 202
        assert ended(cloud, images[1])["status"] == "failure"


@pytest.mark.parametrize("who", ["reader", "other", "consumer"])
def test_who_may_not_patch_locations(shown: Cloud, web: Web, who: str) -> None:
    image = shown.new()["id"]
    shown.share(image)
    operation = {"op": "add", "path": "/locations/-", "value": place(f"{web.base}/image")}
    assert shown.patch(image, operation, token=who).status == (404 if who == "other" else 403)


def test_locations_are_not_for_everybodys_eyes(shown: Cloud, web: Web) -> None:
    image = shown.new(token="admin", visibility="public", owner="p-owner")["id"]
    operation = {"op": "add", "path": "/locations/-", "value": place(f"{web.base}/image")}
    assert shown.patch(image, operation).status == 200
    for who, sees in (("admin", True), ("member", True), ("reader", True), ("other", False)):
        now = shown.show(image, who)
        assert bool(now["locations"]) == sees and ("direct_url" in now) == sees, who
    assert shown.call("POST", f"/v2/images/{image}/actions/deactivate").status == 204
    assert shown.show(image, "member")["locations"] == [] and "direct_url" not in shown.show(image, "member")
    assert shown.patch(image, operation).status == 409


def test_invisible_locations_can_not_be_changed(cloud: Cloud, web: Web) -> None:
    image = located(cloud, web)
    assert "locations" not in cloud.show(image) and "direct_url" not in cloud.show(image)
    for operation in (
        {"op": "add", "path": "/locations/-", "value": place(f"{web.base}/other")},
        {"op": "replace", "path": "/locations", "value": [place(f"{web.base}/image")]},
        {"op": "remove", "path": "/locations/0"},
    ):
        assert cloud.patch(image, operation, token="admin").status == 403
