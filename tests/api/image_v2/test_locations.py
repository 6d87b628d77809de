"""Images whose data is at a URL: added by route, read through, hidden from others, and what a restart interrupts."""

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.image.web.content import MOST_READERS
from tests.api.image_v2.client import CALLERS, Cloud
from tests.api.image_v2.importing import ended
from tests.api.image_v2.located import DATA, LOOPBACK, MD5, SHA256, SHA512, SHOWN, add, fetch, located, opened, pages
from tests.api.image_v2.web import Page, Web
from tests.waiting import eventually


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
    record = cloud.images.downloads.begin(CALLERS["member"], image)
    held = [cloud.images.downloads.open(record) for _ in range(MOST_READERS)]
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


def again(cloud: Cloud) -> Cloud:
    """The service after a restart, on the same directory and with the same settings."""
    cloud.close()
    settings = {field.name: getattr(cloud.settings, field.name) for field in dataclasses.fields(cloud.settings)}
    directory = settings.pop("data_dir")
    restarted = Cloud(directory, **settings)
    restarted.images.recover()
    return restarted


GOOD = {"os_hash_algo": "sha256", "os_hash_value": SHA256}
BAD = {"os_hash_algo": "sha256", "os_hash_value": "0" * 64}


@pytest.mark.parametrize("stopped", ["at its size", "at its data"])
@pytest.mark.parametrize(
    ("validation", "status", "task", "algorithm"),
    [
        (None, "active", "success", "sha512"),
        (GOOD, "active", "success", "sha256"),
        (BAD, "queued", "failure", None),
    ],
)
def test_what_a_restart_interrupts_goes_on(
    cloud: Cloud,
    web: Web,
    stopped: str,
    validation: dict[str, str] | None,
    status: str,
    task: str,
    algorithm: str | None,
) -> None:
    gate = threading.Event()
    web.pages["/slow"] = Page(DATA, gate=gate)
    image = cloud.new()["id"]
    if stopped == "at its size":
        # No thread comes to it before the end.
        cloud.images.queue.close()
    more: dict[str, Any] = {"validation_data": validation} if validation else {}
    add(cloud, image, f"{web.base}/slow", **more)
    if stopped == "at its data":
        eventually(lambda: cloud.show(image)["status"] == ("importing" if validation else "active"))
    restarted = again(cloud)
    gate.set()
    try:
        assert ended(restarted, image)["status"] == task
        now = restarted.show(image)
        assert (now["status"], now["os_hash_algo"]) == (status, algorithm)
        assert "os_glance_import_task" not in now
        assert bool(now["os_hash_value"]) == (status == "active")
    finally:
        restarted.close()


def test_nothing_is_read_of_an_image_before_it_is_verified(cloud: Cloud, web: Web) -> None:
    gate = threading.Event()
    web.pages["/slow"] = Page(DATA, gate=gate)
    image = cloud.new()["id"]
    add(cloud, image, f"{web.base}/slow", validation_data=GOOD)
    eventually(lambda: cloud.show(image)["status"] == "importing")
    assert fetch(cloud, image).status == 204
    gate.set()
    assert ended(cloud, image)["status"] == "success"


def test_an_image_deleted_before_the_restart_ends_its_task(cloud: Cloud, web: Web) -> None:
    image = cloud.new()["id"]
    cloud.images.queue.close()
    add(cloud, image, f"{web.base}/image")
    task = cloud.images.tasks.unfinished()[0].id
    assert cloud.call("DELETE", f"/v2/images/{image}").status == 204
    restarted = again(cloud)
    try:
        assert restarted.call("GET", f"/v2/tasks/{task}", token="admin").json["status"] == "failure"
    finally:
        restarted.close()
