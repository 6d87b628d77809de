"""Numbers that no column holds: whoever sends one, in a body, a header, a query or a file, gets an answer below 500."""

import json
from typing import Any

import pytest

from tests.api.image_v2.client import Answer, Cloud
from tests.image.odd_images import IMAGES
from tests.waiting import eventually

EDGES = (2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**4999)
OCTETS = {"Content-Type": "application/octet-stream"}


def text(number: int) -> str:
    """Digits of any number: Python alone stops at 4300."""
    return "1" + "0" * 4999 if number == 10**4999 else str(number)


@pytest.mark.parametrize("number", EDGES, ids=lambda number: f"{number.bit_length()} bits")
def test_every_number_is_taken_or_refused(cloud: Cloud, number: int) -> None:
    image = cloud.new()["id"]
    digits = text(number)
    presenter: dict[str, Answer] = {}
    for name in ("min_disk", "min_ram", "size", "virtual_size", "k"):
        presenter[f"new {name}"] = cloud.call("POST", "/v2/images", body=f'{{"{name}": {digits}}}'.encode())
        operation = f'[{{"op": "add", "path": "/{name}", "value": {digits}}}]'.encode()
        kind = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        presenter[f"patch {name}"] = cloud.call("PATCH", f"/v2/images/{image}", body=operation, headers=kind)
    for name in ("min_disk", "min_ram", "size", "virtual_size", "limit"):
        for end in ("", "_min", "_max"):
            presenter[f"list {name}{end}"] = cloud.call("GET", f"/v2/images?{name}{end}={digits}")
    for path in ("/v2/tasks", "/v2/metadefs/namespaces", f"/v2/images/{image}/members"):
        presenter[path] = cloud.call("GET", f"{path}?limit={digits}", token="admin")
    for name in ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"):
        body = f'{{"name": "{name}", "title": "t", "type": "integer", "{name}": {digits}}}'.encode()
        cloud.call("POST", "/v2/metadefs/namespaces", token="admin", body={"namespace": "n"})
        path = "/v2/metadefs/namespaces/n/properties"
        presenter[f"property {name}"] = cloud.call("POST", path, token="admin", body=body)
    for name in ("x-openstack-image-size", "range", "content-range"):
        value = f"bytes={digits}-" if "range" in name else digits
        presenter[name] = cloud.call("PUT", f"/v2/images/{image}/file", body=b"x", headers=OCTETS | {name: value})
        presenter[f"{name} out"] = cloud.call("GET", f"/v2/images/{image}/file", headers={name: value})
    wrong = {what: answer for what, answer in presenter.items() if answer.status >= 500}
    assert not wrong


@pytest.mark.parametrize("declared", IMAGES)
@pytest.mark.parametrize("size", [2**63 - 512, 2**63, 2**64 - 512])
def test_the_virtual_size_in_a_header_is_taken_or_refused(cloud: Cloud, declared: str, size: int) -> None:
    data, found = IMAGES[declared](size)
    for disk_format in ("raw", declared, "ami"):
        image = cloud.new(disk_format=disk_format)["id"]
        assert cloud.put(image, data).status in (204, 415)
        if disk_format == declared:
            assert cloud.show(image)["virtual_size"] == (found if found < 2**63 else None)


def test_text_with_other_bytes_behind_it_is_taken(cloud: Cloud) -> None:
    assert cloud.active(b" " * 512 + b"\x80")["virtual_size"] == 513
    image = cloud.new()["id"]
    assert (
        cloud.call("PUT", f"/v2/images/{image}/stage", body=b"#!/bin/sh\n" * 60 + b"\xff", headers=OCTETS).status == 204
    )
    body: Any = {"method": {"name": "glance-direct"}}
    assert cloud.call("POST", f"/v2/images/{image}/import", body=body).status == 202
    eventually(lambda: cloud.show(image)["status"] != "importing")
    assert cloud.show(image)["virtual_size"] == 601


@pytest.mark.parametrize(
    ("encoding", "status"),
    [("utf-8", 201), ("utf-8-sig", 400), ("utf-16", 400), ("utf-16-le", 400), ("utf-32", 400), ("latin-1", 400)],
)
def test_a_body_is_in_utf_8(cloud: Cloud, encoding: str, status: int) -> None:
    body = json.dumps({"name": "ünï"}, ensure_ascii=False)
    assert cloud.call("POST", "/v2/images", body=body.encode(encoding)).status == status
