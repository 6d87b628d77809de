"""How long texts may be, and how much may be written about an image in all."""

from pathlib import Path
from typing import Any

import pytest

from tests.api.image_v2.client import Cloud

LONGEST = 65_535


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("p", "x" * LONGEST, 201),
        ("p", "x" * (LONGEST + 1), 400),
        ("p", "é" * (LONGEST // 2), 201),
        ("p", "é" * (LONGEST // 2 + 1), 400),
        ("p", "\N{GRINNING FACE}" * (LONGEST // 4 + 1), 400),
        ("n" * 255, "x", 201),
        ("n" * 256, "x", 400),
        ("name", "n" * 255, 201),
        ("name", "n" * 256, 400),
        ("tags", ["t" * 255], 201),
        ("tags", ["t" * 256], 400),
    ],
)
def test_texts_have_the_lengths_of_the_columns_of_the_original(
    cloud: Cloud, name: str, value: Any, status: int
) -> None:
    assert cloud.call("POST", "/v2/images", body={name: value}).status == status
    image = cloud.new()["id"]
    patched = cloud.patch(image, {"op": "add", "path": f"/{name}", "value": value})
    assert patched.status == (200 if status == 201 else status)


@pytest.mark.parametrize(("length", "status"), [(255, 204), (256, 400)])
def test_a_tag_of_its_own_has_the_same_length(cloud: Cloud, length: int, status: int) -> None:
    assert cloud.call("PUT", f"/v2/images/{cloud.new()['id']}/tags/{'t' * length}").status == status


@pytest.mark.parametrize(("length", "status"), [(255, 200), (256, 400)])
def test_a_member_has_a_name_of_bounded_length(cloud: Cloud, length: int, status: int) -> None:
    path = f"/v2/images/{cloud.new()['id']}/members"
    assert cloud.call("POST", path, body={"member": "m" * length}).status == status


def test_the_metadata_of_a_location_is_bounded(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, show_multiple_locations=True)
    image = cloud.active()
    url = image["locations"][0]["url"]
    for length, status in ((1000, 200), (LONGEST + 1, 400)):
        value = [{"url": url, "metadata": {"note": "x" * length}}]
        assert cloud.patch(image["id"], {"op": "replace", "path": "/locations", "value": value}).status == status
    cloud.close()


def test_the_input_of_a_task_is_bounded(cloud: Cloud) -> None:
    given = {"import_from": "http://h/x", "import_from_format": "raw", "image_properties": {"name": "x" * LONGEST}}
    answer = cloud.call("POST", "/v2/tasks", token="admin", body={"type": "import", "input": given})
    assert answer.status == 400, answer


def test_what_an_image_says_has_a_limit_in_all(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, image_metadata_quota=1000)
    assert cloud.call("POST", "/v2/images", body={"p": "x" * 1000}).status == 413
    image = cloud.new(p="x" * 900)["id"]
    assert cloud.patch(image, {"op": "add", "path": "/q", "value": "x" * 100}).status == 413
    assert cloud.call("PUT", f"/v2/images/{image}/tags/{'t' * 100}").status == 413
    assert "q" not in cloud.show(image) and cloud.show(image)["tags"] == []
    assert cloud.patch(image, {"op": "replace", "path": "/p", "value": "y"}).status == 200
    assert cloud.patch(image, {"op": "add", "path": "/q", "value": "x" * 100}).status == 200
    cloud.close()


def test_what_images_say_counts_towards_the_storage_quota(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, user_storage_quota=1000)
    cloud.active(b"x" * 500)
    image = cloud.new(p="x" * 400)["id"]
    assert cloud.call("POST", "/v2/images", body={"p": "x" * 200}).status == 413
    assert cloud.patch(image, {"op": "add", "path": "/q", "value": "x" * 200}).status == 413
    assert cloud.put(image, b"x" * 200).status == 413
    assert cloud.call("POST", "/v2/images", token="other", body={"p": "x" * 200}).status == 201
    cloud.new(name="without a word")
    cloud.close()


def test_what_images_say_counts_towards_the_limits_of_the_identity_service(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, use_keystone_limits=True, image_metadata_quota=-1)
    cloud.limits.update(image_size_total=1, image_count_total=9)
    cloud.new(**{f"p{n}": "x" * LONGEST for n in range(15)})
    large = {f"p{n}": "x" * LONGEST for n in range(15)}
    assert cloud.call("POST", "/v2/images", body=large).status == 201, "whole MiB are counted"
    answer = cloud.call("POST", "/v2/images", body=large)
    assert answer.status == 413 and b"image_size_total" in answer.body
    cloud.close()
