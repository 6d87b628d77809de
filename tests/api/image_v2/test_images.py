"""Images as a resource: what may be said when one is made or changed, and how it looks then."""

import uuid
from typing import Any

import pytest

from tests.api.image_v2.client import Cloud

ID = "71c675ab-d94f-49cd-a114-e12490b328d9"
LONG = "x" * 256


def test_a_new_image_has_the_defaults(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v2/images", body={})
    image = answer.json
    assert answer.headers["location"] == f"http://glance.test:9292/v2/images/{image['id']}"
    assert answer.headers["openstack-image-import-methods"] == "glance-direct,web-download,copy-image"
    assert "openstack-image-store-ids" not in answer.headers
    assert uuid.UUID(image.pop("id"))
    created = image.pop("created_at")
    assert image.pop("updated_at") == created and created.endswith("Z") and len(created) == 20
    path = image["self"]
    assert image == {
        "name": None,
        "disk_format": None,
        "container_format": None,
        "visibility": "shared",
        "size": None,
        "virtual_size": None,
        "status": "queued",
        "checksum": None,
        "protected": False,
        "min_ram": 0,
        "min_disk": 0,
        "owner": "p-owner",
        "os_hidden": False,
        "os_hash_algo": None,
        "os_hash_value": None,
        "tags": [],
        "self": path,
        "file": f"{path}/file",
        "schema": "/v2/schemas/image",
    }


def test_extra_properties_come_first_and_keep_dots_and_empty_values(cloud: Cloud) -> None:
    given: dict[str, Any] = {"owner_specified.openstack.md5": "", "z": "1", "kernel_id": None}
    image = cloud.new(**given)
    assert list(image)[:3] == ["owner_specified.openstack.md5", "z", "kernel_id"] or set(list(image)[:3]) == {
        "owner_specified.openstack.md5",
        "z",
        "kernel_id",
    }
    assert image["owner_specified.openstack.md5"] == "" and image["kernel_id"] is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"id": ID, "name": "n" * 255, "tags": ["a", "b", "a"], "min_ram": 2**31 - 1}, 201),
        ({"disk_format": None, "container_format": None}, 201),
        ({"name": LONG}, 400),
        ({"id": "not-a-uuid"}, 400),
        ({"id": None}, 400),
        ({"disk_format": "floppy"}, 400),
        ({"container_format": "box"}, 400),
        ({"visibility": "secret"}, 400),
        ({"protected": "yes"}, 400),
        ({"os_hidden": 1}, 400),
        ({"min_ram": -1}, 400),
        ({"min_disk": "5"}, 400),
        ({"min_disk": 2**31}, 400),
        ({"tags": "a"}, 400),
        ({"tags": [LONG]}, 400),
        ({"tags": [1]}, 400),
        ({"owner": LONG}, 400),
        ({"property": 5}, 400),
        ({"property": {"a": "b"}}, 400),
        ({LONG: "value"}, 400),
        ({"kernel_id": "not-a-uuid"}, 400),
        ({"half": "\ud800"}, 400),
        ({"locations": []}, 403),
        ({"size": "big"}, 400),
        ({"status": "active"}, 403),
        ({"size": 5}, 403),
        ({"virtual_size": 5}, 403),
        ({"checksum": "x"}, 403),
        ({"os_hash_value": "x"}, 201),
        ({"created_at": "2026-01-01T00:00:00Z"}, 403),
        ({"self": "/v2/images/x"}, 403),
        ({"direct_url": "http://x"}, 403),
        ({"stores": "fast"}, 403),
        ({"location": "x"}, 403),
        ({"deleted": "x"}, 403),
        ({"os_glance_import_task": "x"}, 403),
        ({"tags": [str(n) for n in range(129)]}, 413),
        ({f"p{n}": "" for n in range(129)}, 413),
        ({f"p{n}": "" for n in range(128)}, 201),
    ],
)
def test_what_may_be_said_of_a_new_image(cloud: Cloud, body: dict[str, object], status: int) -> None:
    answer = cloud.call("POST", "/v2/images", body=body)
    assert answer.status == status, answer
    assert len(cloud.names()) == (status == 201)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"null", b'"x"', b"\xff", b'{"name": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(cloud: Cloud, body: bytes) -> None:
    assert cloud.call("POST", "/v2/images", body=body).status == 400


def test_an_id_is_given_out_only_once(cloud: Cloud) -> None:
    assert cloud.new(id=ID)["id"] == ID
    assert cloud.call("POST", "/v2/images", body={"id": ID}).status == 409
    assert cloud.call("DELETE", f"/v2/images/{ID}").status == 204
    assert cloud.call("POST", "/v2/images", token="other", body={"id": ID}).status == 409


@pytest.mark.parametrize("image_id", [ID, "name", "null", "x" * 300, "%00", "%E2%82%AC"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_no_image_is_not_found(cloud: Cloud, method: str, image_id: str) -> None:
    assert cloud.call(method, f"/v2/images/{image_id}").status == 404


# -- delete ------------------------------------------------------------------------------------------------


def test_a_deleted_image_is_gone_with_all_that_hung_on_it(cloud: Cloud) -> None:
    image = cloud.active(tags=["t"], k="v")["id"]
    cloud.share(image)
    assert cloud.call("DELETE", f"/v2/images/{image}").status == 204
    for path in ("", "/file", "/members", "/tasks"):
        assert cloud.call("GET", f"/v2/images/{image}{path}").status == 404
    assert cloud.call("DELETE", f"/v2/images/{image}").status == 404
    for table in ("images", "image_tags", "image_properties", "image_members", "image_locations"):
        assert cloud.db.rows(f"SELECT * FROM {table}") == []
    assert cloud.db.row("SELECT state FROM contents WHERE state = 1") is None


def test_a_protected_image_has_to_be_unprotected_first(cloud: Cloud) -> None:
    image = cloud.active(protected=True)["id"]
    assert cloud.call("DELETE", f"/v2/images/{image}").status == 403
    assert cloud.patch(image, {"op": "replace", "path": "/protected", "value": False}).status == 200
    assert cloud.call("DELETE", f"/v2/images/{image}").status == 204


# -- patch -------------------------------------------------------------------------------------------------


def op(name: str, path: str, *value: object) -> dict[str, object]:
    return {"op": name, "path": path} | ({"value": value[0]} if value else {})


@pytest.mark.parametrize(
    ("operations", "status", "shown"),
    [
        ([], 200, {}),
        ([op("replace", "/name", "new")], 200, {"name": "new"}),
        ([op("add", "/name", "new")], 200, {"name": "new"}),
        ([op("add", "/new", "v")], 200, {"new": "v"}),
        ([op("add", "/k", "w")], 200, {"k": "w"}),
        ([op("replace", "/k", "w")], 200, {"k": "w"}),
        ([op("remove", "/k"), op("add", "/k", "w")], 200, {"k": "w"}),
        ([op("add", "/a~1b~0c", "v")], 200, {"a/b~c": "v"}),
        ([op("replace", "/tags", ["x", "y", "x"])], 200, {"tags": ["x", "y"]}),
        ([op("replace", "/min_ram", 7), op("replace", "/os_hidden", True)], 200, {"min_ram": 7, "os_hidden": True}),
        ([op("replace", "/disk_format", "qcow2")], 200, {"disk_format": "qcow2"}),
        ([op("replace", "/name", None)], 200, {"name": None}),
        ([op("replace", "/missing", "v")], 409, {}),
        ([op("remove", "/missing")], 409, {}),
        ([op("remove", "/name")], 403, {}),
        ([op("remove", "/tags")], 403, {}),
        ([op("replace", "/id", ID)], 403, {}),
        ([op("replace", "/status", "active")], 403, {}),
        ([op("add", "/location", "x")], 403, {}),
        ([op("remove", "/deleted")], 403, {}),
        ([op("add", "/os_glance_x", "x")], 403, {}),
        ([op("replace", "/owner", "p-other")], 403, {}),
        ([op("add", "/owner", "p-other")], 403, {}),
        ([op("add", "/locations/-", {"url": "http://x/y", "metadata": {}})], 403, {}),
        ([op("remove", "/locations/0")], 403, {}),
        ([op("replace", "/locations", [])], 403, {}),
        ([op("replace", "/name", 5)], 400, {}),
        ([op("add", "/k", 5)], 400, {}),
        ([op("replace", "/min_ram", -1)], 400, {}),
        ([op("replace", "/disk_format", "floppy")], 400, {}),
        ([op("replace", "/visibility", "secret")], 400, {}),
        ([op("move", "/k", "v")], 400, {}),
        ([op("add", "/k")], 400, {}),
        ([op("add", "k", "v")], 400, {}),
        ([op("add", "/", "v")], 200, {"": "v"}),
        ([op("add", "/a//b", "v")], 400, {}),
        ([op("add", "/a/", "v")], 400, {}),
        ([op("add", "/a/b", "v")], 400, {}),
        ([op("add", "/a~2b", "v")], 400, {}),
        ([op("add", "/a~", "v")], 400, {}),
        ([op("replace", "/tags/0", "v")], 400, {}),
        ([op("add", "/locations", [])], 400, {}),
        ([{"path": "/k"}], 400, {}),
        ([{"op": "remove"}], 400, {}),
        ([{"op": "remove", "path": 5}], 400, {}),
        (["add"], 400, {}),
        ([op("replace", "/tags", [str(n) for n in range(129)])], 413, {}),
        ([op("add", f"/p{n}", "") for n in range(128)], 413, {}),
        ([op("add", f"/p{n}", "") for n in range(127)], 200, {"p126": ""}),
        ([op("add", "/new", "v"), op("remove", "/missing")], 409, {}),
    ],
)
def test_what_a_patch_does(cloud: Cloud, operations: list[object], status: int, shown: dict[str, object]) -> None:
    before = cloud.new(name="old", k="v")
    answer = cloud.patch(before["id"], *operations)
    after = cloud.show(before["id"])
    assert answer.status == status, answer
    if status == 200:
        assert answer.json == after
        assert {name: after[name] for name in shown} == shown
        assert (after["updated_at"] == before["updated_at"]) == (not operations)
    else:
        assert after == before, "a refused patch changes nothing"


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"add": "/new", "value": "v"}, 200),
        ({"add": "/k", "value": "w"}, 409),
        ({"add": "/name", "value": "w"}, 409),
        ({"replace": "/k", "value": "w"}, 200),
        ({"remove": "/k"}, 200),
        ({"remove": "/k", "add": "/k", "value": "v"}, 400),
        ({"value": "v"}, 400),
        ({"op": "remove", "path": "/k"}, 400),
    ],
)
def test_the_older_patch_form(cloud: Cloud, operation: object, status: int) -> None:
    image = cloud.new(name="n", k="v")["id"]
    assert cloud.patch(image, operation, old=True).status == status


@pytest.mark.parametrize("kind", ["application/json", "application/json-patch+json", ""])
def test_a_patch_of_another_type_is_told_the_right_ones(cloud: Cloud, kind: str) -> None:
    image = cloud.new()["id"]
    answer = cloud.call("PATCH", f"/v2/images/{image}", body=[], headers={"Content-Type": kind})
    assert answer.status == 415
    assert answer.headers["accept-patch"] == (
        "application/openstack-images-v2.0-json-patch, application/openstack-images-v2.1-json-patch"
    )


@pytest.mark.parametrize("body", [{"op": "add", "path": "/k", "value": "v"}, b"", b"{", b"5"])
def test_a_patch_is_a_list(cloud: Cloud, body: object) -> None:
    image = cloud.new()["id"]
    kind = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    assert cloud.call("PATCH", f"/v2/images/{image}", body=body, headers=kind).status == 400


@pytest.mark.parametrize("name", ["disk_format", "container_format"])
def test_formats_are_fixed_once_there_is_data(cloud: Cloud, name: str) -> None:
    image = cloud.active()["id"]
    assert cloud.patch(image, op("replace", f"/{name}", "ami")).status == 403


def test_an_admin_may_give_an_image_away(cloud: Cloud) -> None:
    image = cloud.active(visibility="private")["id"]
    assert cloud.patch(image, op("replace", "/owner", "p-other"), token="admin").status == 200
    assert cloud.call("GET", f"/v2/images/{image}").status == 404
    assert cloud.call("GET", f"/v2/images/{image}", token="other").status == 200


def test_an_image_that_is_over_its_quota_may_change_what_it_has(cloud: Cloud) -> None:
    image = cloud.new(**{f"p{n}": "" for n in range(128)})["id"]
    assert cloud.patch(image, op("replace", "/p0", "v")).status == 200
    assert cloud.patch(image, op("add", "/new", "v")).status == 413
    assert cloud.patch(image, op("remove", "/p0"), op("add", "/new", "v")).status == 200


# -- tags, actions -------------------------------------------------------------------------------------------


def test_tags_come_and_go_one_by_one(cloud: Cloud) -> None:
    image = cloud.new()["id"]
    tags = f"/v2/images/{image}/tags"
    for tag, status in (("one", 204), ("two%20words", 204), ("one", 204), (LONG, 400), ("%E2%82%AC", 204)):
        assert cloud.call("PUT", f"{tags}/{tag}").status == status
    assert sorted(cloud.show(image)["tags"]) == ["one", "two words", "€"]
    assert [cloud.call("DELETE", f"{tags}/one").status for _ in range(2)] == [204, 404]
    assert cloud.call("PUT", f"{tags}/x", body={}).status == 400, "tags take no body"


def test_the_hundred_and_twenty_ninth_tag_is_too_much(cloud: Cloud) -> None:
    image = cloud.new(tags=[f"t{n}" for n in range(128)])["id"]
    assert cloud.call("PUT", f"/v2/images/{image}/tags/more").status == 413
    assert cloud.call("PUT", f"/v2/images/{image}/tags/t5").status == 204


def test_a_deactivated_image_comes_back(cloud: Cloud) -> None:
    image = cloud.active()["id"]
    for action, status in (("deactivate", "deactivated"), ("deactivate", "deactivated"), ("reactivate", "active")):
        assert cloud.call("POST", f"/v2/images/{image}/actions/{action}").status == 204
        assert cloud.show(image)["status"] == status
    assert cloud.call("POST", f"/v2/images/{image}/actions/destroy").status == 404
