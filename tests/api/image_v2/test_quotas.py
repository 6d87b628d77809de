"""Limits that the identity service keeps for a project, and what it uses of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.image_v2.client import Cloud, Pieces

MIB = 1024 * 1024
DATA = b"x" * MIB
PLENTY = {"image_size_total": 10, "image_stage_total": 10, "image_count_total": 10, "image_count_uploading": 10}


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path, use_keystone_limits=True, user_storage_quota=1)
    cloud.limits.update(PLENTY)
    yield cloud
    cloud.close()


def create(cloud: Cloud) -> int:
    return cloud.call("POST", "/v2/images", body={"disk_format": "raw", "container_format": "bare"}).status


def stage(cloud: Cloud, image: str, data: object = DATA) -> int:
    headers = {"Content-Type": "application/octet-stream"}
    return cloud.call("PUT", f"/v2/images/{image}/stage", body=data, headers=headers).status


def used(cloud: Cloud, token: str = "member") -> dict[str, int]:
    answer = cloud.call("GET", "/v2/info/usage", token=token)
    assert answer.status == 200
    return {name: numbers["usage"] for name, numbers in answer.json["usage"].items()}


def test_without_limits_nothing_is_told(cloud: Cloud) -> None:
    cloud.limits.update(dict.fromkeys(PLENTY, 0))
    assert cloud.call("GET", "/v2/info/usage").json == {"usage": {}}
    assert cloud.active()["status"] == "active"
    assert cloud.call("GET", "/v2/info/usage", token=None).status == 401
    assert cloud.call("POST", "/v2/info/usage").status == 404


def test_usage_follows_what_a_project_does(limited: Cloud) -> None:
    assert limited.call("GET", "/v2/info/usage").json["usage"] == {name: {"usage": 0, "limit": 10} for name in PLENTY}
    limited.active(DATA)
    staged = limited.new()["id"]
    assert stage(limited, staged) == 204
    limited.active(DATA * 2, "other")
    expected = {"image_size_total": 1, "image_stage_total": 1, "image_count_total": 2, "image_count_uploading": 1}
    assert used(limited) == expected
    assert used(limited, "reader") == expected
    assert limited.call("DELETE", f"/v2/images/{staged}").status == 204
    assert used(limited) == expected | {"image_stage_total": 0, "image_count_total": 1, "image_count_uploading": 0}
    assert limited.call("GET", "/v2/info/usage", token="unscoped").json == {"usage": {}}


def test_the_number_of_images_is_limited(limited: Cloud) -> None:
    limited.limits["image_count_total"] = 1
    first = limited.new()["id"]
    assert create(limited) == 413
    limited.limits["image_count_total"] = 2
    assert (create(limited), create(limited)) == (201, 413)
    assert limited.call("DELETE", f"/v2/images/{first}").status == 204
    assert create(limited) == 201
    del limited.limits["image_count_total"]
    assert create(limited) == 413, "what is not registered is not allowed"


def test_bytes_are_limited_as_far_as_they_are_known(limited: Cloud) -> None:
    limited.limits["image_size_total"] = 1
    images = [limited.new()["id"] for _ in range(4)]
    assert limited.put(images[0], DATA).status == 204
    assert limited.put(images[1], DATA).status == 413, "the size is declared, and too much"
    assert limited.put(images[1], Pieces([DATA])).status == 204, "nobody said how much it would be"
    assert limited.put(images[2], Pieces([DATA])).status == 413
    assert limited.show(images[2])["status"] == "queued"
    body = {"method": {"name": "web-download", "uri": "http://192.0.2.1/x"}}
    assert limited.call("POST", f"/v2/images/{images[3]}/import", body=body).status == 413


def test_staged_bytes_and_uploads_are_limited(limited: Cloud) -> None:
    images = [limited.new()["id"] for _ in range(3)]
    limited.limits["image_stage_total"] = 1
    assert stage(limited, images[0], DATA * 2) == 413
    assert stage(limited, images[0]) == 204
    assert stage(limited, images[1]) == 413
    limited.limits.update(PLENTY, image_count_uploading=1)
    assert stage(limited, images[1]) == 413
    assert limited.put(images[2], DATA).status == 413
    limited.limits["image_count_uploading"] = 2
    assert limited.put(images[2], DATA).status == 204
    limited.limits["image_count_uploading"] = 1
    body = {"method": {"name": "glance-direct"}}
    assert limited.call("POST", f"/v2/images/{images[0]}/import", body=body).status == 202, "it is one of them"
