"""Interoperable import: every method, its tasks, and what goes wrong on the way."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.image_v2.client import Cloud
from tests.api.image_v2.importing import DATA, OCTETS, begin, download, ended, made, staged
from tests.api.image_v2.web import Page, Web, web_server
from tests.waiting import eventually


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as served:
        yield served


@pytest.fixture
def cloud(tmp_path: Path, web: Web) -> Iterator[Cloud]:
    one = made(tmp_path, web)
    yield one
    one.close()


# -- stage ---------------------------------------------------------------------------------------------------


def test_staged_data_waits(cloud: Cloud) -> None:
    image = staged(cloud, disk_format=None, container_format=None)
    shown = cloud.show(image)
    assert (shown["status"], shown["size"], shown["checksum"]) == ("uploading", len(DATA), None)
    assert cloud.call("PUT", f"/v2/images/{image}/stage", body=DATA, headers=OCTETS).status == 409
    assert cloud.put(image, DATA).status == 409
    assert cloud.call("GET", f"/v2/images/{image}/file").status == 204
    assert begin(cloud, image, "glance-direct").status == 409, "it has no formats"
    assert cloud.call("DELETE", f"/v2/images/{image}").status == 204
    assert cloud.db.row("SELECT 1 FROM contents WHERE state = 1") is None


def test_staging_needs_its_import_method(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, enabled_import_methods=("web-download",))
    image = cloud.new()["id"]
    assert cloud.call("PUT", f"/v2/images/{image}/stage", body=DATA, headers=OCTETS).status == 404
    cloud.close()


# -- into one store --------------------------------------------------------------------------------------------


def test_glance_direct_moves_the_staged_bytes(cloud: Cloud) -> None:
    image = staged(cloud)
    contents = [row[0] for row in cloud.db.rows("SELECT id FROM contents")]
    answer = begin(cloud, image, "glance-direct")
    assert (answer.status, answer.body) == (202, b"")
    task = ended(cloud, image)
    assert (task["status"], task["type"]) == ("success", "api_image_import")
    assert "." in task["created_at"] and not task["created_at"].endswith("Z")
    shown = cloud.show(image)
    assert (shown["status"], shown["size"], shown["virtual_size"]) == ("active", len(DATA), len(DATA))
    assert "os_glance_import_task" not in shown
    assert download(cloud, image) == DATA
    assert [row[0] for row in cloud.db.rows("SELECT id FROM contents")] == contents, "no second copy was made"


def test_web_download_fetches_and_follows(cloud: Cloud, web: Web) -> None:
    web.pages["/image"] = Page(DATA)
    web.pages["/moved"] = Page(status=302, headers={"Location": "/image"})
    image = cloud.new()["id"]
    assert begin(cloud, image, "web-download", details={"uri": f"{web.base}/moved"}).status == 202
    assert ended(cloud, image)["status"] == "success"
    assert cloud.show(image)["status"] == "active" and download(cloud, image) == DATA


@pytest.mark.parametrize(
    ("page", "formats"),
    [
        (Page(status=404), {}),
        (Page(status=500), {}),
        (Page(DATA, cut=True), {}),
        (Page(status=302, headers={"Location": "http://10.11.12.13/x"}), {}),
        (Page(status=302, headers={"Location": "/image"}), {}),
        (Page(DATA), {"disk_format": "qcow2"}),
        (Page(DATA, headers={"Content-Length": str(2 << 40)}), {}),
    ],
)
def test_a_failed_download_leaves_a_queued_image(cloud: Cloud, web: Web, page: Page, formats: dict[str, str]) -> None:
    web.pages["/image"] = page
    image = cloud.new(**formats)["id"]
    assert begin(cloud, image, "web-download", details={"uri": f"{web.base}/image"}).status == 202
    task = ended(cloud, image)
    assert task["status"] == "failure" and task["message"]
    shown = cloud.show(image)
    assert (shown["status"], shown["size"], shown["checksum"]) == ("queued", None, None)
    assert "os_glance_import_task" not in shown
    assert cloud.db.row("SELECT 1 FROM contents WHERE state = 1") is None


def test_a_host_that_nobody_knows_fails_the_task(cloud: Cloud) -> None:
    image = cloud.new()["id"]
    assert begin(cloud, image, "web-download", details={"uri": "http://does-not-exist.invalid/x"}).status == 202
    assert ended(cloud, image)["status"] == "failure"


def test_an_image_is_importing_and_locked_meanwhile(cloud: Cloud, web: Web) -> None:
    gate = threading.Event()
    web.pages["/slow"] = Page(DATA, gate=gate)
    image = cloud.new()["id"]
    assert begin(cloud, image, "web-download", details={"uri": f"{web.base}/slow"}).status == 202
    shown = cloud.show(image)
    assert shown["status"] == "importing" and shown["os_glance_import_task"]
    assert begin(cloud, image, "web-download", details={"uri": f"{web.base}/slow"}).status == 409
    assert cloud.put(image, DATA).status == 409
    gate.set()
    assert ended(cloud, image)["status"] == "success"


def test_an_image_deleted_while_it_is_imported_stays_deleted(cloud: Cloud, web: Web) -> None:
    gate = threading.Event()
    web.pages["/slow"] = Page(DATA, gate=gate)
    image = cloud.new()["id"]
    begin(cloud, image, "web-download", details={"uri": f"{web.base}/slow"})
    eventually(lambda: web.requests)
    assert cloud.call("DELETE", f"/v2/images/{image}").status == 204
    gate.set()
    eventually(lambda: not cloud.images.tasks.unfinished())
    assert cloud.call("GET", f"/v2/images/{image}", token="admin").status == 404
    assert cloud.db.row("SELECT 1 FROM contents WHERE state = 1") is None


def test_glance_download_takes_formats_and_some_properties_over(tmp_path: Path, web: Web) -> None:
    remote = "71c675ab-d94f-49cd-a114-e12490b328d9"
    described = {
        "status": "active",
        "disk_format": "iso",
        "container_format": "ami",
        "hw_disk_bus": "virtio",
        "os_distro": "debian",
        "secret": "x",
        "name": "theirs",
    }
    web.pages[f"/v2/images/{remote}"] = Page(json.dumps(described).encode())
    web.pages[f"/v2/images/{remote}/file"] = Page(DATA)
    cloud = made(tmp_path, web)
    cloud.connect({("RegionTwo", "public"): web.base})
    image = cloud.new(name="ours")["id"]
    details = {"glance_region": "RegionTwo", "glance_image_id": remote}
    assert begin(cloud, image, "glance-download", details=details).status == 202
    assert ended(cloud, image)["status"] == "success"
    shown = cloud.show(image)
    assert (shown["name"], shown["disk_format"], shown["container_format"]) == ("ours", "iso", "ami")
    assert shown["hw_disk_bus"] == "virtio" and "secret" not in shown
    assert download(cloud, image) == DATA
    assert all(headers["x-auth-token"] == "tok-member" for _, headers in web.requests)
    missing = cloud.new()["id"]
    assert begin(cloud, missing, "glance-download", details=details | {"glance_region": "Nowhere"}).status == 202
    assert ended(cloud, missing)["status"] == "failure"
    cloud.close()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"method": "web-download"}, 400),
        ({"method": {}}, 400),
        ({"method": {"name": 5}}, 400),
        ({"method": {"name": "teleport"}}, 400),
        ({"method": {"name": "web-download"}}, 400),
        ({"method": {"name": "web-download", "uri": 5}}, 400),
        ({"method": {"name": "web-download", "uri": "http://127.0.0.1/x"}, "all_stores": "yes"}, 400),
        ({"method": {"name": "web-download", "uri": "http://127.0.0.1/x"}, "all_stores_must_succeed": 1}, 400),
        ({"method": {"name": "web-download", "uri": "http://127.0.0.1/x"}, "all_stores_must_succeed": False}, 400),
        ({"method": {"name": "web-download", "uri": "file:///etc/passwd"}}, 400),
        ({"method": {"name": "web-download", "uri": "ftp://127.0.0.1/x"}}, 400),
        ({"method": {"name": "web-download", "uri": "http://127.0.0.1:1/x"}}, 400),
        ({"method": {"name": "web-download", "uri": "http://other.example/x"}}, 400),
        ({"method": {"name": "web-download", "uri": "http:///x"}}, 400),
        ({"method": {"name": "web-download", "uri": "http://[::1/x"}}, 400),
        ({"method": {"name": "glance-direct"}}, 409),
        ({"method": {"name": "copy-image"}}, 409),
        ({"method": {"name": "glance-download"}}, 400),
        ({"method": {"name": "glance-download", "glance_region": "r"}}, 400),
        ({"method": {"name": "glance-download", "glance_region": "r", "glance_image_id": "x"}}, 400),
        ([], 400),
    ],
)
def test_what_an_import_may_ask_for(cloud: Cloud, body: object, status: int) -> None:
    image = cloud.new()["id"]
    assert cloud.call("POST", f"/v2/images/{image}/import", body=body).status == status
    assert cloud.show(image)["status"] == "queued"
    assert cloud.call("GET", f"/v2/images/{image}/tasks").json == {"tasks": []}


@pytest.mark.parametrize(
    ("who", "status"),
    [("member", 202), ("admin", 202), ("reader", 403), ("other", 404), ("consumer", 403), (None, 401)],
)
def test_who_may_import(cloud: Cloud, web: Web, who: str | None, status: int) -> None:
    web.pages["/image"] = Page(DATA)
    image = cloud.new()["id"]
    cloud.share(image)
    body = {"method": {"name": "web-download", "uri": f"{web.base}/image"}}
    assert cloud.call("POST", f"/v2/images/{image}/import", token=who, body=body).status == status


@pytest.mark.parametrize("method", ["glance-direct", "web-download", "glance-download"])
def test_an_active_image_takes_no_import(cloud: Cloud, method: str) -> None:
    image = cloud.active()["id"]
    details = {
        "uri": "http://127.0.0.1/x",
        "glance_region": "r",
        "glance_image_id": "71c675ab-d94f-49cd-a114-e12490b328d9",
    }
    assert begin(cloud, image, method, details=details).status == 409


# -- after a crash, and tasks ------------------------------------------------------------------------------------


def test_a_start_ends_an_interrupted_import(cloud: Cloud, web: Web) -> None:
    gate = threading.Event()
    web.pages["/slow"] = Page(DATA, gate=gate)
    image = cloud.new()["id"]
    begin(cloud, image, "web-download", details={"uri": f"{web.base}/slow"})
    eventually(lambda: web.requests)
    cloud.recover()
    shown = cloud.show(image)
    assert shown["status"] == "queued" and "os_glance_import_task" not in shown
    assert ended(cloud, image)["status"] == "failure"
    gate.set()
    cloud.images.close()
    assert cloud.show(image)["status"] == "queued"
    assert cloud.db.row("SELECT 1 FROM contents WHERE state = 1") is None


def test_tasks_are_for_admins(cloud: Cloud, web: Web) -> None:
    web.pages["/image"] = Page(DATA)
    image = cloud.new()["id"]
    begin(cloud, image, "web-download", details={"uri": f"{web.base}/image"})
    task = ended(cloud, image)["id"]
    for who, status in (("admin", 200), ("member", 403), (None, 401)):
        for path in ("/v2/tasks", f"/v2/tasks/{task}"):
            assert cloud.call("GET", path, token=who).status == status
    shown = cloud.call("GET", f"/v2/tasks/{task}", token="admin").json
    assert shown["input"]["image_id"] == shown["image_id"] == image and shown["expires_at"]
    listed = cloud.call("GET", "/v2/tasks?status=success&limit=1", token="admin").json
    assert "input" not in listed["tasks"][0] and listed["next"].startswith("/v2/tasks?status=success&limit=1&marker=")
    gone = cloud.call("DELETE", f"/v2/tasks/{task}", token="admin")
    assert (gone.status, gone.headers["allow"]) == (405, "GET")
    for query in ("status=odd", "type=odd", "limit=-1", "marker=odd", "sort_key=odd", "sort_dir=odd"):
        assert cloud.call("GET", f"/v2/tasks?{query}", token="admin").status == 400


def test_a_page_of_tasks_goes_on_after_one_that_has_expired(cloud: Cloud, web: Web) -> None:
    web.pages["/image"] = Page(DATA)
    tasks = []
    for hours in (24, 48):
        image = cloud.new()["id"]
        begin(cloud, image, "web-download", details={"uri": f"{web.base}/image"})
        tasks.append(ended(cloud, image)["id"])
        cloud.clock.at += hours * 3600 * 1_000_000 // 2
    cloud.clock.at += 20 * 3600 * 1_000_000
    query = f"sort_dir=asc&marker={tasks[0]}"
    assert cloud.call("GET", f"/v2/tasks/{tasks[0]}", token="admin").status == 404
    found = cloud.call("GET", f"/v2/tasks?{query}", token="admin").json["tasks"]
    assert [task["id"] for task in found] == tasks[1:]


@pytest.mark.parametrize("visibility", ["public", "community", "shared"])
def test_tasks_of_an_image_are_for_its_project(cloud: Cloud, web: Web, visibility: str) -> None:
    web.pages["/image?signature=abc"] = Page(DATA)
    image = cloud.new()["id"]
    secret = web.base.replace("//", "//user:password@")
    begin(cloud, image, "web-download", details={"uri": f"{secret}/image?signature=abc"})
    assert ended(cloud, image)["status"] == "success"
    change = {"op": "replace", "path": "/visibility", "value": visibility}
    assert cloud.patch(image, change, token="admin").status == 200
    cloud.share(image, "p-consumer") if visibility == "shared" else None
    path = f"/v2/images/{image}/tasks"
    for stranger in ("consumer",) if visibility == "shared" else ("other", "consumer", "service"):
        answer = cloud.call("GET", path, token=stranger)
        if answer.status == 200:
            assert answer.json == {"tasks": []}, stranger
    mine = cloud.call("GET", path).json["tasks"][0]
    assert mine["input"]["import_req"]["method"]["uri"] == f"{secret}/image?signature=abc"
    for who in ("reader", "admin"):
        shown = cloud.call("GET", path, token=who)
        assert shown.json["tasks"][0]["input"]["import_req"]["method"]["uri"] == f"{web.base}/image"
    one = cloud.call("GET", f"/v2/tasks/{mine['id']}", token="admin")
    assert b"password" not in one.body and b"abc" not in one.body


def test_a_failed_task_tells_no_secret(cloud: Cloud, web: Web) -> None:
    web.pages["/moved"] = Page(status=302, headers={"Location": f"{web.base}/no?signature=abc"})
    image = cloud.new()["id"]
    begin(cloud, image, "web-download", details={"uri": f"{web.base}/moved?signature=abc"})
    assert "abc" not in ended(cloud, image)["message"]


def test_an_old_import_task_makes_its_image(cloud: Cloud, web: Web) -> None:
    web.pages["/image"] = Page(DATA)
    given = {
        "import_from": f"{web.base}/image",
        "import_from_format": "raw",
        "image_properties": {"name": "by task", "disk_format": "raw", "container_format": "bare"},
    }
    body = {"type": "import", "input": given}
    assert cloud.call("POST", "/v2/tasks", body=body).status == 403
    made = cloud.call("POST", "/v2/tasks", token="admin", body=body)
    assert made.status == 201 and made.headers["location"].endswith(f"/v2/tasks/{made.json['id']}")
    bad = cloud.call(
        "POST", "/v2/tasks", token="admin", body={"type": "import", "input": given | {"import_from": f"{web.base}/no"}}
    )
    eventually(lambda: not cloud.images.tasks.unfinished())
    for task, status in ((made, "success"), (bad, "failure")):
        shown = cloud.call("GET", f"/v2/tasks/{task.json['id']}", token="admin").json
        assert shown["status"] == status, shown
    eventually(lambda: cloud.names("", "admin") == ["by task"])
    for wrong in ({}, {"type": "export", "input": {}}, {"type": "import", "input": {"import_from": "file:///x"}}):
        assert cloud.call("POST", "/v2/tasks", token="admin", body=wrong).status == 400
