"""Images whose data is at a URL: added by route and by PATCH, read through, and hidden from others."""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.image.web.content import MOST_READERS
from tests.api.image_v2.client import CALLERS, Answer, Cloud
from tests.api.image_v2.web import Page, Web, web_server
from tests.waiting import eventually

DATA = bytes(range(256)) * 4096
SHA512 = hashlib.sha512(DATA).hexdigest()
SHA256 = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.md5(DATA).hexdigest()
LOOPBACK = {"import_allowed_hosts": ("127.0.0.1",), "import_allowed_ports": ()}
SHOWN = {**LOOPBACK, "show_multiple_locations": True, "show_image_direct_url": True}


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as server:
        server.pages["/image"] = Page(DATA)
        server.pages["/other"] = Page(DATA)
        server.pages["/empty"] = Page(b"")
        yield server


def opened(directory: Path, **settings: Any) -> Iterator[Cloud]:
    made = Cloud(directory, **settings)
    yield made
    made.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    yield from opened(tmp_path, **LOOPBACK)


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Cloud]:
    yield from opened(tmp_path, **SHOWN, enabled_backends=("near:file", "web:http"), image_location_quota=3)


def add(cloud: Cloud, image: str, url: Any, token: str | None = "member", **more: Any) -> Answer:
    return cloud.call("POST", f"/v2/images/{image}/locations", token=token, body={"url": url, **more})


def ended(cloud: Cloud, image: str) -> dict[str, Any]:
    """The image's newest task, when it is over."""

    def newest() -> dict[str, Any]:
        tasks: list[dict[str, Any]] = cloud.call("GET", f"/v2/images/{image}/tasks", token="admin").json["tasks"]
        return tasks[0] if tasks else {"status": "none"}

    eventually(lambda: newest()["status"] in ("success", "failure"))
    return newest()


def located(cloud: Cloud, web: Web, path: str = "/image") -> str:
    """An active image that is at a URL."""
    image = str(cloud.new()["id"])
    assert add(cloud, image, f"{web.base}{path}").status == 202
    assert ended(cloud, image)["status"] == "success"
    return image


def fetch(cloud: Cloud, image: str, token: str = "member", **headers: str) -> Answer:
    return cloud.call("GET", f"/v2/images/{image}/file", token=token, headers=headers)


# -- the route -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("validation", "algorithm", "value"),
    [({}, "sha512", SHA512), ({"os_hash_algo": "sha256", "os_hash_value": SHA256}, "sha256", SHA256)],
)
def test_a_new_location_is_hashed_in_the_background(
    cloud: Cloud, web: Web, validation: dict[str, str], algorithm: str, value: str
) -> None:
    image = cloud.new()["id"]
    more: dict[str, Any] = {"validation_data": validation} if validation else {}
    answer = add(cloud, image, f"{web.base}/image", **more)
    assert (answer.status, answer.body) == (202, b"")
    task = ended(cloud, image)
    assert (task["status"], task["type"]) == ("success", "location_import")
    now = cloud.show(image)
    assert now["status"] == "active" and now["size"] == len(DATA)
    assert (now["os_hash_algo"], now["os_hash_value"], now["checksum"]) == (algorithm, value, MD5)
    assert "os_glance_import_task" not in now
    assert fetch(cloud, image).body == DATA


def test_data_that_is_not_what_was_said_puts_the_image_back(cloud: Cloud, web: Web) -> None:
    image = cloud.new()["id"]
    wrong = {"os_hash_algo": "sha512", "os_hash_value": "beefdead" * 16}
    assert add(cloud, image, f"{web.base}/image", validation_data=wrong).status == 202
    assert ended(cloud, image)["status"] == "failure"
    now = cloud.show(image)
    assert now["status"] == "queued" and now["size"] is None and now["os_hash_algo"] is None
    assert fetch(cloud, image).status == 204, "what was not verified is not served"
    assert cloud.put(image, b"other data").status == 204
    assert fetch(cloud, image).body == b"other data", "and an upload takes its place"


@pytest.mark.parametrize("hashed", [{}, {"os_hash_algo": "sha256", "os_hash_value": "ab" * 32}])
def test_without_secure_hash_the_digest_is_taken_as_given(tmp_path: Path, web: Web, hashed: dict[str, str]) -> None:
    for cloud in opened(tmp_path, **LOOPBACK, do_secure_hash=False):
        image = cloud.new()["id"]
        more: dict[str, Any] = {"validation_data": hashed} if hashed else {}
        assert add(cloud, image, f"{web.base}/image", **more).status == 202
        assert ended(cloud, image)["status"] == "success"
        now = cloud.show(image)
        assert (now["status"], now["checksum"], now["os_hash_value"]) == ("active", None, hashed.get("os_hash_value"))


@pytest.mark.parametrize("path", ["/missing", "/empty"])
def test_a_url_with_nothing_behind_it_fails_the_task(cloud: Cloud, web: Web, path: str) -> None:
    image = cloud.new()["id"]
    assert add(cloud, image, f"{web.base}{path}").status == 202
    assert ended(cloud, image)["status"] == "failure"
    assert cloud.show(image)["status"] == "queued"


def test_hashing_that_breaks_off_leaves_the_image_active(cloud: Cloud, web: Web) -> None:
    web.pages["/cut"] = Page(DATA, cut=True)
    image = cloud.new()["id"]
    assert add(cloud, image, f"{web.base}/cut").status == 202
    task = ended(cloud, image)
    assert task["status"] == "success" and "Hash calculation failed" in task["message"]
    assert (cloud.show(image)["status"], cloud.show(image)["checksum"]) == ("active", None)


def test_an_image_may_be_deleted_while_it_is_hashed(cloud: Cloud, web: Web) -> None:
    gate = threading.Event()
    web.pages["/slow"] = Page(DATA, gate=gate)
    image = cloud.new()["id"]
    assert add(cloud, image, f"{web.base}/slow").status == 202
    eventually(lambda: cloud.show(image)["status"] == "active")
    assert cloud.show(image)["os_hash_algo"] == "sha512"
    assert add(cloud, image, f"{web.base}/image").status == 409
    assert cloud.call("DELETE", f"/v2/images/{image}").status == 204
    gate.set()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ([], 400),
        ({"url": 5}, 400),
        ({"url": "BASE/image", "validation_data": {"os_hash_value": SHA512}}, 400),
        ({"url": "BASE/image", "validation_data": {"os_hash_algo": "sha512"}}, 400),
        ({"url": "BASE/image", "validation_data": {"os_hash_algo": "sha123", "os_hash_value": SHA512}}, 400),
        ({"url": "BASE/image", "validation_data": {"os_hash_algo": "sha512", "os_hash_value": SHA256}}, 400),
        ({"url": "BASE/image", "validation_data": {"os_hash_algo": "md5", "os_hash_value": "zz" * 16}}, 400),
        ({"url": "BASE/image", "validation_data": {"checksum": MD5}}, 400),
        ({"url": "http://localhost/image"}, 400),
        ({"url": "http://169.254.169.254/latest/meta-data"}, 400),
        ({"url": "httpx://127.0.0.1/image"}, 400),
        ({"url": "file:///etc/passwd"}, 403),
        ({"url": "filesystem:///etc/passwd"}, 403),
        ({"url": "swift+config://x/y"}, 403),
        ({"url": "appliance://main/71c675ab-d94f-49cd-a114-e12490b328d9"}, 403),
    ],
)
def test_what_a_location_may_be(cloud: Cloud, web: Web, body: Any, status: int) -> None:
    image = cloud.new()["id"]
    if isinstance(body, dict) and isinstance(body.get("url"), str):
        body = body | {"url": body["url"].replace("BASE", web.base)}
    assert cloud.call("POST", f"/v2/images/{image}/locations", body=body).status == status
    assert cloud.show(image)["status"] == "queued" and web.requests == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "rbd://a/b/c/d", "appliance://main/x", "httpx://h/x"])
def test_a_service_reaches_no_other_scheme_either(cloud: Cloud, url: str) -> None:
    image = cloud.new(visibility="public", token="admin")["id"]
    answer = add(cloud, image, url, "service")
    if answer.status == 202:
        assert ended(cloud, image)["status"] == "failure"
    assert cloud.show(image)["status"] == "queued"


def test_a_service_beside_the_user_may_name_any_url(cloud: Cloud) -> None:
    image = cloud.new()["id"]
    body = {"url": "rbd://a/b/c/d"}
    assert cloud.call("POST", f"/v2/images/{image}/locations", body=body).status == 403
    headers = {"X-Service-Token": "service"}
    assert cloud.call("POST", f"/v2/images/{image}/locations", body=body, headers=headers).status == 202
    assert ended(cloud, image)["status"] == "failure", "but only a URL leads anywhere"


@pytest.mark.parametrize(
    ("who", "adding", "reading"),
    [
        ("member", 202, 403),
        ("reader", 403, 403),
        ("other", 404, 404),
        ("consumer", 403, 403),
        ("admin", 202, 200),
        ("service", 404, 404),
        (None, 401, 401),
    ],
)
def test_who_may_add_and_read_locations(cloud: Cloud, web: Web, who: str | None, adding: int, reading: int) -> None:
    image = cloud.new()["id"]
    cloud.share(image)
    answer = cloud.call("GET", f"/v2/images/{image}/locations", token=who)
    assert answer.status == reading
    assert add(cloud, image, f"{web.base}/image", who).status == adding


def test_a_service_reads_where_a_public_image_is(shown: Cloud, web: Web) -> None:
    image = shown.active(DATA, "admin", visibility="public")["id"]
    listed = shown.call("GET", f"/v2/images/{image}/locations", token="service")
    assert listed.status == 200
    assert listed.json == [{"url": f"appliance://near/{image}", "metadata": {"store": "near"}}]
    assert shown.call("PUT", f"/v2/images/{image}/locations").headers["allow"] == "POST"


def test_without_a_store_for_urls_there_are_none(tmp_path: Path, web: Web) -> None:
    for cloud in opened(tmp_path, **SHOWN, enabled_backends=("near:file",)):
        image = cloud.new()["id"]
        assert add(cloud, image, f"{web.base}/image").status == 403
        value = {"url": f"{web.base}/image", "metadata": {}}
        assert cloud.patch(image, {"op": "add", "path": "/locations/-", "value": value}).status == 400


# -- reading through -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranges", [False, True])
def test_a_part_is_read_through(cloud: Cloud, web: Web, ranges: bool) -> None:
    image = located(cloud, web)
    if ranges:
        web.pages["/image"] = Page(DATA[10:20], 206, {"Content-Range": f"bytes 10-19/{len(DATA)}"})
    answer = fetch(cloud, image, Range="bytes=10-19")
    assert (answer.status, answer.body) == (206, DATA[10:20])
    assert answer.headers["content-range"] == f"bytes 10-19/{len(DATA)}"
    assert web.requests[-1][1]["range"] == "bytes=10-19"
    assert fetch(cloud, image, Range=f"bytes={len(DATA)}-").status == 416


@pytest.mark.parametrize(
    "page",
    [
        Page(status=404),
        Page(DATA[:-1]),
        Page(DATA + b"x"),
        Page(b"", 302, {"Location": "http://169.254.169.254/"}),
        Page(b"", 302, {"Location": "file:///etc/passwd"}),
    ],
)
def test_a_url_that_has_changed_is_told_before_the_first_byte(cloud: Cloud, web: Web, page: Page) -> None:
    image = located(cloud, web)
    web.pages["/image"] = page
    assert fetch(cloud, image).status == 503


@pytest.mark.parametrize("page", [Page(DATA, cut=True), Page(b"\0" * len(DATA))])
def test_bytes_that_are_not_the_images_never_look_whole(cloud: Cloud, web: Web, page: Page) -> None:
    image = located(cloud, web)
    web.pages["/image"] = page
    with pytest.raises(Exception, match=r"ended before its length|digest"):
        fetch(cloud, image)


def test_a_few_readers_keep_others_out_but_not_for_long(cloud: Cloud, web: Web) -> None:
    image = located(cloud, web)
    record = cloud.images.data.for_download(CALLERS["member"], image)
    held = [cloud.images.data.open(record) for _ in range(MOST_READERS)]
    assert fetch(cloud, image).status == 503
    assert located(cloud, web), "what happens in the background goes on"
    for content in held:
        assert content is not None
        content.close()
        content.close()
    assert fetch(cloud, image).body == DATA


def test_a_located_image_can_be_copied_into_a_store(shown: Cloud, web: Web) -> None:
    image = located(shown, web)
    assert shown.show(image)["stores"] == "web"
    body = {"method": {"name": "copy-image"}, "stores": ["near"]}
    assert shown.call("POST", f"/v2/images/{image}/import", token="admin", body=body).status == 202
    assert ended(shown, image)["status"] == "success"
    assert set(shown.show(image)["stores"].split(",")) == {"near", "web"}
    web.pages.clear()
    assert fetch(shown, image).body == DATA, "the next location is tried"


# -- PATCH ---------------------------------------------------------------------------------------------------------


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


def test_a_restart_ends_the_hashing(cloud: Cloud, web: Web) -> None:
    gate = threading.Event()
    web.pages["/slow"] = Page(DATA, gate=gate)
    image = cloud.new()["id"]
    validation = {"os_hash_algo": "sha256", "os_hash_value": SHA256}
    add(cloud, image, f"{web.base}/slow", validation_data=validation)
    eventually(lambda: cloud.show(image)["status"] == "importing")
    assert fetch(cloud, image).status == 204, "not before it is verified"
    cloud.images.recover()
    gate.set()
    cloud.images.close()
    assert cloud.show(image)["status"] == "queued" and ended(cloud, image)["status"] == "failure"
