"""Images through v1: made in four ways, shown in headers, changed with and without a purge, deleted."""

import hashlib
import uuid
from typing import Any

import pytest

from tests.api.image_v2.client import Pieces
from tests.api.legacy.image_v1.conftest import RAW, Clouds

DATA = b"some data"
MD5 = hashlib.md5(DATA).hexdigest()
SOME_ID = "8a39eea2-6d12-4a12-a21b-9f7e14a2a1c7"


def test_an_image_with_data_is_active_and_comes_back(cloud: Clouds) -> None:
    answer = cloud.v1("POST", "/images", body=DATA, name="one", is_public="False", size=len(DATA), **RAW)
    assert answer.status == 201
    image = answer.json["image"]
    assert answer.headers["location"] == f"http://glance.test:9292/v1/images/{image['id']}"
    assert answer.headers["etag"] == image["checksum"] == MD5
    assert (image["status"], image["size"], image["is_public"], image["deleted"]) == ("active", 9, False, False)
    assert image["owner"] == "p-owner" and image["properties"] == {} and "location" not in image
    assert len(image["created_at"]) == len("2015-01-01T00:00:00.000000")
    got = cloud.v1("GET", f"/images/{image['id']}")
    assert got.body == DATA and got.headers["content-length"] == "9" and got.headers["etag"] == MD5
    assert got.headers["x-image-meta-checksum"] == MD5 and got.headers["content-type"] == "application/octet-stream"
    shown = cloud.v1("HEAD", f"/images/{image['id']}")
    assert shown.status == 200 and shown.body == b""
    assert shown.headers["x-image-meta-is_public"] == shown.headers["x-image-meta-deleted"] == "False"
    assert "x-image-meta-deleted_at" not in shown.headers and "x-image-meta-virtual_size" in shown.headers
    assert cloud.show(image["id"])["os_hash_value"] == hashlib.sha512(DATA).hexdigest()


def test_an_image_without_data_waits_for_it(cloud: Clouds) -> None:
    image = cloud.make(name="later")
    assert (image["status"], image["size"], image["checksum"]) == ("queued", 0, None)
    assert cloud.v1("GET", f"/images/{image['id']}").status == 404
    done = cloud.v1("PUT", f"/images/{image['id']}", body=Pieces([DATA[:4], DATA[4:]]), size=9, _purge="false")
    assert done.status == 200 and done.json["image"]["status"] == "active"
    again = cloud.v1("PUT", f"/images/{image['id']}", body=DATA)
    assert again.status == 409 and cloud.show(image["id"])["checksum"] == MD5


def test_size_zero_is_active_at_once(cloud: Clouds) -> None:
    image = cloud.make(size=0)
    assert image["status"] == "active"
    got = cloud.v1("GET", f"/images/{image['id']}")
    assert got.status == 200 and got.body == b""


KILLING: list[tuple[dict[str, Any], bytes]] = [
    ({"size": 8}, DATA),
    ({"checksum": "0" * 32}, DATA),
    ({"_type": "text/plain"}, DATA),
    ({"disk_format": "qcow2"}, b"this is no qcow2" * 100),
]


@pytest.mark.parametrize(("meta", "data"), KILLING)
def test_data_that_is_not_what_was_said_kills_the_image(cloud: Clouds, meta: dict[str, Any], data: bytes) -> None:
    answer = cloud.v1("POST", "/images", body=Pieces([data]), id=SOME_ID, **{**RAW, **meta})
    assert answer.status == 400 and answer.headers["content-type"].startswith("text/plain")
    assert cloud.show(SOME_ID)["status"] == "killed"
    assert cloud.listed() == []
    assert cloud.v1("GET", f"/images/{SOME_ID}").status == 404
    assert cloud.v1("DELETE", f"/images/{SOME_ID}").status == 200


REFUSED: list[tuple[dict[str, Any], Any, int]] = [
    ({"colour": "red"}, None, 400),
    ({"size": "many"}, None, 400),
    ({"size": "-1"}, None, 400),
    ({"min_disk": "x"}, None, 400),
    ({"min_ram": 2**40}, None, 400),
    ({"name": "n" * 256}, None, 400),
    ({"checksum": "0" * 33}, None, 400),
    ({"id": "no-uuid"}, None, 400),
    ({"disk_format": "nonsense"}, None, 400),
    ({"container_format": "nonsense"}, None, 400),
    ({"disk_format": "ami", "container_format": "bare"}, None, 400),
    ({"store": "nowhere"}, None, 400),
    ({"property-visibility": "public"}, None, 400),
    ({"property-locations": "x"}, None, 400),
    ({"property-os_glance_x": "x"}, None, 400),
    ({"size": 2**41}, DATA, 400),
    ({"location": "file:///etc/passwd"}, None, 400),
    ({"location": "http://127.0.0.1/x"}, None, 400),
    ({"_copy_from": "file:///etc/passwd"}, None, 400),
    ({"_copy_from": "swift://x/y"}, None, 400),
    ({"_copy_from": "http://169.254.169.254/x"}, None, 400),
    ({"_copy_from": "http://example.com:22/x"}, None, 400),
    ({"_copy_from": "http://example.com/x"}, DATA, 400),
    ({"_copy_from": "http://example.com/x", "location": "http://example.com/x"}, None, 400),
    ({"is_public": "True"}, None, 403),
]


@pytest.mark.parametrize(("meta", "body", "status"), REFUSED, ids=str)
def test_creates_that_are_refused_leave_nothing(bare: Clouds, meta: dict[str, Any], body: Any, status: int) -> None:
    answer = bare.v1("POST", "/images", body=body, **{**RAW, **meta})
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    assert answer.body.decode().startswith(f"{status} ")
    assert bare.listed("is_public=None", token="admin") == []


def test_data_needs_both_formats(cloud: Clouds) -> None:
    assert cloud.v1("POST", "/images", body=DATA, disk_format="raw").status == 400
    assert cloud.v1("POST", "/images", body=DATA, container_format="bare").status == 400
    image = cloud.v1("POST", "/images", name="formless").json["image"]
    assert cloud.v1("PUT", f"/images/{image['id']}", body=DATA).status == 400
    assert cloud.show(image["id"])["status"] == "queued"


def test_one_of_amazons_formats_stands_for_both(cloud: Clouds) -> None:
    image = cloud.v1("POST", "/images", body=DATA, disk_format="aki").json["image"]
    assert image["container_format"] == "aki"


def test_ids_are_given_once(cloud: Clouds) -> None:
    own = str(uuid.uuid4())
    assert cloud.make(id=own)["id"] == own
    assert cloud.v1("POST", "/images", id=own, **RAW).status == 409


def test_headers_are_read_with_underscores_and_dashes_in_any_case(cloud: Clouds) -> None:
    headers = {
        "X-Image-Meta-Is-Public": "no",
        "x-image-meta-min_disk": "3",
        "X-IMAGE-META-PROTECTED": "Yes",
        "X-Image-Meta-Property-Kernel-Id": "a b",
        "x-image-meta-property-empty": "",
        "x-image-meta-name": "ümläut".encode().decode("latin-1"),
    }
    image = cloud.call("POST", "/v1.1/images", headers=headers).json["image"]
    assert (image["name"], image["min_disk"], image["protected"], image["is_public"]) == ("ümläut", 3, True, False)
    assert image["properties"] == {"kernel_id": "a b", "empty": None}
    shown = cloud.v1("HEAD", f"/images/{image['id']}").headers
    assert shown["x-image-meta-property-kernel_id"] == "a b" and "x-image-meta-property-empty" not in shown
    assert shown["x-image-meta-name"].encode("latin-1").decode() == "ümläut"


def test_properties_of_another_api_can_not_inject_headers(cloud: Clouds) -> None:
    given: dict[str, Any] = {"evil": "a\r\nSet-Cookie: x=y", "trait:X": "required", "a\r\nb": "c", "fine": "f"}
    image = cloud.active(**given)
    shown = cloud.v1("HEAD", f"/images/{image['id']}").headers
    assert shown["x-image-meta-property-fine"] == "f"
    assert not any(character in value for value in shown.values() for character in "\r\n")
    assert not any(":" in name or "\n" in name or name == "set-cookie" for name in shown)


def test_only_admins_give_images_away_and_make_them_public(cloud: Clouds) -> None:
    assert cloud.make(owner="p-other")["owner"] == "p-owner"
    assert cloud.make("admin", owner="p-other", is_public="True") | {"owner": "p-other", "is_public": True}
    image = cloud.make()
    assert cloud.v1("PUT", f"/images/{image['id']}", is_public="True").status == 403
    shown = cloud.v1("PUT", f"/images/{image['id']}", "admin", is_public="True").json["image"]
    assert shown["is_public"] is True and cloud.show(image["id"])["visibility"] == "public"
    cloud.v1("PUT", f"/images/{image['id']}", "admin", is_public="False")
    assert cloud.show(image["id"])["visibility"] == "shared"


def test_properties_that_are_not_said_again_are_purged(cloud: Clouds) -> None:
    image = cloud.make(body=DATA, **{"property-a": "1", "property-b": "2"})
    path = f"/images/{image['id']}"
    assert cloud.v1("PUT", path, _purge="false", **{"property-c": "3"}).json["image"]["properties"] == {
        "a": "1",
        "b": "2",
        "c": "3",
    }
    assert cloud.v1("PUT", path, _purge="true", **{"property-b": "4"}).json["image"]["properties"] == {"b": "4"}
    assert cloud.v1("PUT", path, name="new").json["image"]["properties"] == {}
    assert cloud.show(image["id"])["status"] == "active" and cloud.show(image["id"])["name"] == "new"


def test_data_on_a_queued_image_purges_nothing(cloud: Clouds) -> None:
    image = cloud.make(**{"property-a": "1"})
    assert cloud.v1("PUT", f"/images/{image['id']}", body=DATA).json["image"]["properties"] == {"a": "1"}


UPDATES: list[tuple[dict[str, Any], str, int]] = [
    ({"status": "queued"}, "admin", 403),
    ({"status": "active"}, "member", 200),
    ({"size": 9}, "member", 200),
    ({"size": 10}, "member", 403),
    ({"checksum": "0" * 32}, "member", 403),
    ({"name": "x"}, "other", 404),
    ({"name": "x"}, "reader", 403),
    ({"location": "http://example.com/x"}, "member", 400),
    ({"_copy_from": "http://example.com/x"}, "member", 400),
    ({"disk_format": "qcow2"}, "member", 200),
    ({"disk_format": "nonsense"}, "member", 400),
    ({"property-status": "x"}, "member", 400),
]


@pytest.mark.parametrize(("meta", "token", "status"), UPDATES, ids=str)
def test_updates_of_an_active_image(cloud: Clouds, meta: dict[str, Any], token: str, status: int) -> None:
    image = cloud.make(body=DATA, name="before")
    answer = cloud.v1("PUT", f"/images/{image['id']}", token, _purge="false", **meta)
    assert answer.status == status, answer
    assert cloud.show(image["id"])["checksum"] == MD5


def test_a_consumer_reads_and_changes_nothing(cloud: Clouds) -> None:
    image = cloud.make(body=DATA)
    cloud.v1("PUT", f"/images/{image['id']}/members/p-consumer")
    assert cloud.v1("GET", f"/images/{image['id']}", "consumer").body == DATA
    assert cloud.v1("PUT", f"/images/{image['id']}", "consumer", name="stolen").status == 403
    assert cloud.v1("PUT", f"/images/{image['id']}", "consumer").status == 403
    assert cloud.v1("DELETE", f"/images/{image['id']}", "consumer").status == 403


def test_calling_it_bare_has_the_data_looked_at(cloud: Clouds) -> None:
    backed = b"QFI\xfb\0\0\0\2" + (104).to_bytes(8, "big") + (8).to_bytes(4, "big") + b"\0" * 84 + b"/etc/foo"
    image = cloud.make(body=backed.ljust(1024, b"\0"), disk_format="qcow2", container_format="ovf")
    answer = cloud.v1("PUT", f"/images/{image['id']}", container_format="bare")
    assert answer.status == 400 and cloud.show(image["id"])["container_format"] == "ovf"


def test_protected_images_stay(cloud: Clouds) -> None:
    image = cloud.make(protected="True")
    assert cloud.v1("DELETE", f"/images/{image['id']}").status == 403
    cloud.v1("PUT", f"/images/{image['id']}", protected="False")
    answer = cloud.v1("DELETE", f"/images/{image['id']}")
    assert answer.status == 200 and answer.body == b""


def test_a_deleted_image_is_only_there_for_admins(cloud: Clouds) -> None:
    image = cloud.make(body=DATA, name="gone", **{"property-a": "1"})
    cloud.v1("DELETE", f"/images/{image['id']}")
    path = f"/images/{image['id']}"
    assert cloud.v1("HEAD", path).status == cloud.v1("DELETE", path).status == cloud.v1("GET", path).status == 404
    shown = cloud.v1("HEAD", path, "admin")
    assert shown.status == 200 and shown.headers["x-image-meta-deleted"] == "True"
    assert shown.headers["x-image-meta-status"] == "deleted" and shown.headers["x-image-meta-property-a"] == "1"
    assert "x-image-meta-deleted_at" in shown.headers
    assert cloud.v1("PUT", path, "admin", name="back").status == 403
    assert cloud.v1("DELETE", path, "admin").status == cloud.v1("GET", path, "admin").status == 404


def test_a_deactivated_image_is_shown_and_not_handed_out(cloud: Clouds) -> None:
    image = cloud.make(body=DATA)
    cloud.call("POST", f"/v2/images/{image['id']}/actions/deactivate")
    assert cloud.v1("GET", f"/images/{image['id']}").status == 403
    assert cloud.v1("HEAD", f"/images/{image['id']}").headers["x-image-meta-status"] == "deactivated"
    assert cloud.v1("GET", f"/images/{image['id']}", "admin").body == DATA


ANSWERS: list[tuple[str, str, str | None, int]] = [
    ("GET", "/images", None, 401),
    ("GET", "/images", "nonsense", 401),
    ("HEAD", "/images/detail", "member", 405),
    ("POST", "/images/detail", "member", 405),
    ("DELETE", "/images", "member", 405),
    ("GET", "/nothing", "member", 404),
    ("GET", "/images/no-uuid", "member", 404),
    ("HEAD", f"/images/{SOME_ID}", "member", 404),
    ("PUT", f"/images/{SOME_ID}", "member", 404),
    ("DELETE", f"/images/{SOME_ID}", "member", 404),
    ("GET", f"/images/{SOME_ID}/members/x", "member", 405),
    ("GET", "", "member", 200),
    ("GET", "/images", "member", 200),
]


@pytest.mark.parametrize(("method", "path", "token", "status"), ANSWERS)
def test_odd_requests_are_answered_with(bare: Clouds, method: str, path: str, token: str | None, status: int) -> None:
    answer = bare.v1(method, path, token)
    assert answer.status == status, answer
    if status == 401:
        assert answer.headers["www-authenticate"] == "Keystone uri='http://id.test'"
    if status == 405:
        assert "allow" in answer.headers


def test_v1_is_listed_and_chosen_by_accept(cloud: Clouds) -> None:
    versions = cloud.call("GET", "/versions").json["versions"]
    legacy = {entry["id"]: entry for entry in versions if entry["id"].startswith("v1")}
    assert set(legacy) == {"v1.1", "v1.0"} and legacy["v1.1"]["status"] == "SUPPORTED"
    assert legacy["v1.0"]["links"][0]["href"] == "http://glance.test:9292/v1/"
    cloud.make(name="one")
    headers = {"Accept": "application/vnd.openstack.images-v1"}
    assert [image["name"] for image in cloud.call("GET", "/images", headers=headers).json["images"]] == ["one"]


def test_headers_are_spelt_as_the_original_spelt_them(cloud: Clouds) -> None:
    image = cloud.make(name="n", **{"property-os_TYPE": "linux"})
    spelt: list[str] = []
    app = cloud.app

    def listening(environ: dict[str, Any], start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            spelt.extend(name for name, _ in headers)
            return start_response(status, headers, *rest)

        return app(environ, start)

    cloud.app = listening  # type: ignore[assignment]
    cloud.v1("HEAD", f"/images/{image['id']}")
    assert {"X-Image-Meta-Name", "X-Image-Meta-Is_public", "X-Image-Meta-Property-Os_type"} <= set(spelt)


@pytest.mark.parametrize("digits", [str(2**31), str(2**53), str(2**63), str(2**64), "9" * 5000], ids=len)
def test_no_number_is_too_long_for_an_answer(cloud: Clouds, digits: str) -> None:
    for name in ("size", "min_ram", "min_disk"):
        assert cloud.v1("POST", "/images", **RAW, **{name: digits}).status in (201, 400)
    for name in ("size_min", "size_max", "min_ram", "min_disk", "limit"):
        assert cloud.v1("GET", f"/images/detail?{name}={digits}").status in (200, 400)
