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
    ("owner", [None, "", "x" * 255], 201),
    ("owner", ["\U0001f600", "x" * 256, 1], 400),
    ("tags", [["\U0001f600"]], 400),
    ("os_hash_algo", [None, "sha512", "x"], 201),
    ("os_hash_algo", [1, "x" * 65, "\U0001f600"], 400),
    ("os_hash_value", [None, "x" * 128], 201),
    ("os_hash_value", [1, "x" * 129, "\U0001f600"], 400),
    ("checksum", [None, "x"], 403),
    ("k", ["", "é"], 201),
    ("k", [None, 1, True, [], {}, "\U0001f600"], 400),
    ("", ["v"], 201),
    (" ", ["v"], 201),
    ("x" * 255, ["v"], 201),
    ("x" * 256, ["v"], 400),
    ("\U0001f600", ["v"], 400),
]

PATCHED: list[tuple[str, Any, int]] = [
    ("/name", "\U0001f600", 400),
    ("/k", "\U0001f600", 400),
    ("/\U0001f600", "v", 400),
    ("/tags", ["\U0001f600"], 400),
    ("/os_hash_algo", "sha512", 403),
    ("/os_hash_value", "x", 403),
    ("/", "v", 200),
    ("/ ", "v", 200),
    ("//", "v", 400),
    ("/k/", "v", 400),
    ("", "v", 400),
]

MEMBERS = [
    ("a", {"status": "accepted"}, 200),
    ("a", {"status": "x"}, 400),
    ("a", {"status": None}, 400),
    ("a", {"status": []}, 400),
    ("a", {}, 400),
    ("b", {"status": "x"}, 404),
    ("b", {"status": None}, 404),
    ("b", {"status": []}, 404),
    ("b", {}, 400),
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
    presenter = {
        json.dumps(value): cloud.call("POST", "/v2/images", token="admin", body={name: value}) for value in values
    }
    assert {value: answer.status for value, answer in presenter.items()} == dict.fromkeys(presenter, status)


@pytest.mark.parametrize(("path", "value", "status"), PATCHED)
def test_a_value_that_is_added(cloud: Cloud, path: str, value: Any, status: int) -> None:
    image = cloud.new()["id"]
    assert cloud.patch(image, {"op": "add", "path": path, "value": value}).status == status


def test_a_digest_that_comes_with_a_new_image_is_not_kept(cloud: Cloud) -> None:
    image = cloud.new(os_hash_algo="md5", os_hash_value="x")
    assert (image["os_hash_algo"], image["os_hash_value"]) == (None, None)


def test_a_property_with_an_empty_name_is_shown_and_removed(cloud: Cloud) -> None:
    image = cloud.new()["id"]
    cloud.patch(image, {"op": "add", "path": "/", "value": "v"})
    assert cloud.show(image)[""] == "v"
    assert cloud.patch(image, {"op": "remove", "path": "/"}).status == 200
    assert "" not in cloud.show(image)


@pytest.mark.parametrize("member", ["", None, [], {}, "x" * 256, "\U0001f600"])
def test_a_member_that_can_not_be_one(cloud: Cloud, member: Any) -> None:
    image = cloud.new()["id"]
    assert cloud.call("POST", f"/v2/images/{image}/members", body={"member": member}).status == 400


@pytest.mark.parametrize(("member", "body", "status"), MEMBERS)
def test_a_members_answer(cloud: Cloud, member: str, body: Any, status: int) -> None:
    image = cloud.new()["id"]
    assert cloud.call("POST", f"/v2/images/{image}/members", body={"member": "a"}).status == 200
    assert cloud.call("PUT", f"/v2/images/{image}/members/{member}", token="admin", body=body).status == status


@pytest.mark.parametrize("status", ["accepted", "x", None])
def test_an_answer_to_an_image_that_is_not_shared(cloud: Cloud, status: Any) -> None:
    image = cloud.new(visibility="private")["id"]
    answer = cloud.call("PUT", f"/v2/images/{image}/members/a", token="admin", body={"status": status})
    assert answer.status == 403


def test_a_tag_with_characters_of_four_bytes_is_refused(cloud: Cloud) -> None:
    image = cloud.new()["id"]
    assert cloud.call("PUT", f"/v2/images/{image}/tags/%F0%9F%98%80").status == 400


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


@pytest.mark.parametrize("named", [["x"], [""], [1], [None]], ids=str)
def test_a_store_that_is_not_there_takes_no_import(stores: Cloud, named: Any) -> None:
    image = stores.new()["id"]
    octets = {"Content-Type": "application/octet-stream"}
    assert stores.call("PUT", f"/v2/images/{image}/stage", body=b"data", headers=octets).status == 204
    body = {"method": {"name": "glance-direct"}, "stores": named}
    assert stores.call("POST", f"/v2/images/{image}/import", body=body).status == 409


def test_a_copy_to_no_store_is_done(stores: Cloud) -> None:
    image = stores.active()
    body = {"method": {"name": "copy-image"}, "stores": []}
    assert stores.call("POST", f"/v2/images/{image['id']}/import", token="admin", body=body).status == 202
    assert stores.show(image["id"]) == image


def test_an_empty_owner_is_nobody(cloud: Cloud) -> None:
    image = cloud.call("POST", "/v2/images", token="admin", body={"owner": ""}).json["id"]
    assert cloud.call("GET", f"/v2/images/{image}", token="admin").json["owner"] is None


@pytest.mark.parametrize("marker", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_a_page_of_tasks_after_none_is_refused(cloud: Cloud, marker: str) -> None:
    assert cloud.call("GET", f"/v2/tasks?marker={marker}", token="admin").status == 400
