"""Numbers of a length that Python does not convert, or that no column holds, wherever Image API v2 takes numbers."""

from typing import Any

import pytest

from tests.api.image_v2.client import Cloud

DIGITS = "9" * 5_000


@pytest.mark.parametrize(
    "query",
    ["limit={}", "size_min={}", "size_max={}", "min_ram_min={}", "min_disk_max={}", "limit=-{}", "size_min=-{}"],
)
def test_in_a_query(cloud: Cloud, query: str) -> None:
    assert cloud.call("GET", f"/v2/images?{query.format(DIGITS)}").status == 400


@pytest.mark.parametrize("name", ["size", "virtual_size", "min_ram", "min_disk", "id", "checksum"])
def test_in_an_exact_filter_nothing_is_found(cloud: Cloud, name: str) -> None:
    for number in (DIGITS, 2**31, 2**53, 2**63, 2**64):
        assert cloud.names(f"{name}={number}") == []


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Range", "bytes=0-{}", 206),
        ("Range", "bytes=-{}", 206),
        ("Range", "bytes={}-", 416),
        ("Range", "bytes={}-{}", 416),
        ("Content-Range", "bytes 0-{}/9", 416),
        ("Content-Range", "bytes {}-{}/{}", 416),
    ],
)
def test_in_a_range(cloud: Cloud, header: str, value: str, status: int) -> None:
    image = cloud.active(b"some data")["id"]
    answer = cloud.call("GET", f"/v2/images/{image}/file", headers={header: value.replace("{}", DIGITS)})
    assert answer.status == status


@pytest.mark.parametrize("value", [DIGITS, str(2**64), "-1", "²"])
def test_in_a_declared_size(cloud: Cloud, value: str) -> None:
    image = cloud.new()["id"]
    assert cloud.put(image, b"data", x_openstack_image_size=value).status == 400


@pytest.mark.parametrize("name", ["min_ram", "min_disk"])
@pytest.mark.parametrize("value", [2**31, 2**53, 2**63, 2**64, 10**400, -1, 1.5])
def test_in_a_body(cloud: Cloud, name: str, value: Any) -> None:
    assert cloud.call("POST", "/v2/images", body={name: value}).status == 400
    image = cloud.new()["id"]
    assert cloud.patch(image, {"op": "replace", "path": f"/{name}", "value": value}).status == 400


@pytest.mark.parametrize("path", ["/v2/tasks?limit={}", "/v2/metadefs/namespaces?limit={}"])
def test_in_other_lists(cloud: Cloud, path: str) -> None:
    assert cloud.call("GET", path.format(DIGITS), token="admin").status in (400, 404)
