"""Values that clients give, one by one, and the answers of Glance 33 to them: found by asking it the same."""

import json
from typing import Any

import pytest

from tests.api.image_v2.client import Cloud

CREATED: list[tuple[str, list[Any], int]] = [
    ("name", [None, "", " ", "x" * 255, "é" * 255, "\n"], 201),
    ("name", ["x" * 256, "\U0001f600", 1, True, [], {}], 400),
    ("visibility", ["private", "shared", "community", "public"], 201),
    ("visibility", [None, "", "all", "x", 1], 400),
    ("protected", [True], 201),
    ("protected", [None, "true", 0, 1, ""], 400),
    ("os_hidden", [None, "true", 0, ""], 400),
    ("disk_format", [None, "raw"], 201),
    ("disk_format", ["", "RAW", "x", 1], 400),
    ("container_format", ["", "x", 1], 400),
    ("min_disk", [0, 1, 1.0, 2**31 - 1], 201),
    ("min_disk", [None, -1, 1.5, "1", "", True, 2**31, 2**53, 2**63, 2**64], 400),
    ("min_ram", [None, -1, "1", 2**31, 2**63], 400),
    ("tags", [[], [""], ["x" * 255], ["é"]], 201),
    ("tags", [None, ["x" * 256], [1], "a", {}], 400),
    ("id", [None, "", "x", 1], 400),
    ("locations", [[], [{"url": "http://x", "metadata": {}}]], 403),
    ("size", [1, None], 403),
    ("deleted", ["x"], 403),
    ("deleted", [None, True], 400),
    ("os_glance_x", ["x"], 403),
    ("k", ["", "é"], 201),
    ("k", [None, 1, True, [], {}], 400),
]

LISTED = [
    ("", 2),
    ("visibility=", 0),
    ("visibility=all", 2),
    ("deleted=true", 2),
    ("deleted=false", 2),
    ("deleted=", 2),
    ("deleted=x", 2),
    ("status=", 0),
    ("name=", 0),
    ("owner=", 0),
    ("size=", 0),
    ("checksum=", 0),
    ("k=", 0),
    ("id=", 0),
]


@pytest.mark.parametrize(("name", "values", "status"), CREATED, ids=lambda part: str(part)[:20])
def test_a_value_of_a_new_image(cloud: Cloud, name: str, values: list[Any], status: int) -> None:
    answers = {
        json.dumps(value): cloud.call("POST", "/v2/images", token="admin", body={name: value}) for value in values
    }
    assert {value: answer.status for value, answer in answers.items()} == dict.fromkeys(answers, status)


@pytest.mark.parametrize(("query", "count"), LISTED)
def test_a_filter_of_a_list(cloud: Cloud, query: str, count: int) -> None:
    for _ in range(2):
        cloud.new(name="a")
    assert len(cloud.names(query)) == count


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"method": {}}, 400),
        ({"method": {"name": None}}, 400),
        ({"method": {"name": "x"}}, 400),
        ({"method": {"name": "web-download"}}, 400),
        ({"method": {"name": "web-download", "uri": None}}, 400),
        ({"method": {"name": "web-download", "uri": ""}}, 400),
        ({"method": {"name": "web-download", "uri": "x"}}, 400),
        ({"method": {"name": "web-download", "uri": " ftp://x/"}}, 400),
        ({"method": {"name": "web-download", "uri": "http://127.0.0.1/x"}}, 400),
        ({"method": {"name": "glance-direct"}, "stores": []}, 409),
        ({"method": {"name": "glance-direct"}, "stores": None}, 409),
        ({"method": {"name": "glance-direct"}, "all_stores": "x"}, 400),
        ({"method": {"name": "glance-direct"}, "all_stores": None}, 400),
        ({"method": {"name": "glance-direct"}, "all_stores_must_succeed": "x"}, 400),
    ],
)
def test_what_an_import_says(cloud: Cloud, body: Any, status: int) -> None:
    image = cloud.new()["id"]
    assert cloud.call("POST", f"/v2/images/{image}/import", body=body).status == status
