"""Imports into several stores: which, how many at once, and what becomes of a full one; the calls of stores."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.blobs.durable import Disk
from tests.api.image_v2.client import Cloud
from tests.api.image_v2.importing import DATA, begin, download, ended, made, staged
from tests.api.image_v2.web import Page, Web, web_server


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as served:
        yield served


@pytest.fixture
def stores(tmp_path: Path, web: Web) -> Iterator[Cloud]:
    many = made(
        tmp_path,
        web,
        enabled_backends=("cheap:file", "fast:file", "web:http"),
        store_weights=("cheap:10", "fast:20"),
        store_descriptions=("fast:the fast one",),
    )
    yield many
    many.close()


def test_an_upload_names_its_store(stores: Cloud) -> None:
    created = stores.call("POST", "/v2/images", body={"disk_format": "raw", "container_format": "bare"})
    assert created.headers["openstack-image-store-ids"] == "cheap,fast,web"
    image = created.json["id"]
    assert "stores" not in created.json
    for wrong in ("nowhere", "web"):
        assert stores.put(image, DATA, x_image_meta_store=wrong).status == 400
    assert stores.put(image, DATA, x_image_meta_store="fast").status == 204
    assert stores.show(image)["stores"] == "fast"
    assert stores.active()["stores"] == "cheap"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"cheap"}),
        ({"stores": []}, {"cheap"}),
        ({"stores": ["fast"]}, {"fast"}),
        ({"stores": ["cheap", "fast"]}, {"cheap", "fast"}),
        ({"all_stores": True}, {"cheap", "fast"}),
        ({"all_stores": True, "all_stores_must_succeed": False}, {"cheap", "fast"}),
        ({"headers": {"x-image-meta-store": "fast"}}, {"fast"}),
    ],
)
def test_staged_data_goes_to_the_stores_asked_for(stores: Cloud, asked: dict[str, Any], expected: set[str]) -> None:
    image = staged(stores)
    assert begin(stores, image, "glance-direct", **asked).status == 202
    assert ended(stores, image)["status"] == "success"
    shown = stores.show(image)
    assert set(shown["stores"].split(",")) == expected and shown["status"] == "active"
    assert (shown["os_glance_importing_to_stores"], shown["os_glance_failed_import"]) == ("", "")
    assert download(stores, image) == DATA
    assert len(stores.db.rows("SELECT 1 FROM contents WHERE state = 1")) == len(expected), "the staged copy is gone"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"stores": ["nowhere"]}, 409),
        ({"stores": ["web"]}, 409),
        ({"stores": "fast"}, 400),
        ({"all_stores": True, "stores": ["fast"]}, 400),
        ({"all_stores": True, "headers": {"x-image-meta-store": "fast"}}, 400),
        ({"stores": ["fast"], "headers": {"x-image-meta-store": "fast"}}, 400),
    ],
)
def test_stores_that_can_not_be_meant(stores: Cloud, asked: dict[str, Any], status: int) -> None:
    image = staged(stores)
    assert begin(stores, image, "glance-direct", **asked).status == status
    assert stores.show(image)["status"] == "uploading"


def test_a_copy_goes_to_the_stores_that_lack_it(stores: Cloud) -> None:
    image = stores.active(DATA)["id"]
    assert begin(stores, image, "copy-image", stores=["fast"]).status == 403, "copying is for admins"
    assert begin(stores, image, "copy-image", "admin", stores=["cheap"]).status == 400
    assert begin(stores, image, "copy-image", "admin", stores=["fast"]).status == 202
    assert ended(stores, image)["status"] == "success"
    shown = stores.show(image)
    assert shown["stores"] == "fast,cheap", "the heaviest store comes first"
    assert begin(stores, image, "copy-image", "admin", all_stores=True).status == 202, "nothing is left to do"
    assert len(stores.call("GET", f"/v2/images/{image}/tasks", token="admin").json["tasks"]) == 1


def test_a_store_is_emptied_but_never_the_last(stores: Cloud) -> None:
    image = stores.active(DATA)["id"]
    queued = stores.new()["id"]
    begin(stores, image, "copy-image", "admin", stores=["fast"])
    ended(stores, image)
    for token, store, one, status in (
        ("member", "fast", image, 403),
        ("admin", "nowhere", image, 409),
        ("admin", "web", image, 404),
        ("admin", "fast", "71c675ab-d94f-49cd-a114-e12490b328d9", 404),
        ("admin", "fast", queued, 409),
        ("admin", "fast", image, 204),
        ("admin", "cheap", image, 403),
        ("admin", "fast", image, 403),
    ):
        assert stores.call("DELETE", f"/v2/stores/{store}/{one}", token=token).status == status, (token, store)
    assert stores.show(image)["stores"] == "cheap"
    assert download(stores, image) == DATA


def test_a_preferred_store_is_asked_first_and_must_exist(stores: Cloud) -> None:
    image = stores.active(DATA)["id"]
    for prefer, status in (("fast", 200), ("cheap,fast", 200), ("nowhere", 400)):
        assert stores.call("GET", f"/v2/images/{image}/file?prefer={prefer}").status == status


def test_stores_are_told(stores: Cloud, tmp_path_factory: pytest.TempPathFactory) -> None:
    told = stores.call("GET", "/v2/info/stores").json["stores"]
    assert told == [
        {"id": "cheap", "default": "true"},
        {"id": "fast", "description": "the fast one"},
        {"id": "web", "read-only": "true"},
    ]
    assert stores.call("GET", "/v2/info/stores/detail").status == 403
    for who in ("admin", "service"):
        detail = stores.call("GET", "/v2/info/stores/detail", token=who).json["stores"]
        assert [(one["type"], one["weight"]) for one in detail] == [("file", 10), ("file", 20), ("http", 0)]
    single = Cloud(tmp_path_factory.mktemp("single"))
    assert single.call("GET", "/v2/info/stores").status == 404
    assert single.call("GET", "/v2/info/import").json["import-methods"]["value"][0] == "glance-direct"
    assert single.call("DELETE", f"/v2/stores/main/{single.active()['id']}", token="admin").status == 404
    single.close()


class Meeting(Disk):
    """A disk on which files of the stores named are only made when all of them are being filled."""

    def __init__(self, *stores: str) -> None:
        self._stores = stores
        self._together = threading.Barrier(len(stores))
        self.open = False

    def create(self, path: Path) -> int:
        if self.open and any(store in path.parts for store in self._stores):
            self._together.wait(10)
        return super().create(path)


FOUR = ("one:file", "two:file", "three:file", "four:file")


@pytest.mark.parametrize("all_must_succeed", [True, False])
@pytest.mark.parametrize("method", ["glance-direct", "web-download"])
def test_an_import_may_fill_several_stores_at_once(
    tmp_path: Path, web: Web, method: str, all_must_succeed: bool
) -> None:
    web.pages["/image"] = Page(DATA)
    disk = Meeting("two", "three", "four")
    cloud = made(tmp_path, web, enabled_backends=FOUR, max_parallel_stores=3, disk=disk)
    disk.open = True
    image = staged(cloud) if method == "glance-direct" else cloud.new()["id"]
    details = {} if method == "glance-direct" else {"uri": f"{web.base}/image"}
    asked: dict[str, Any] = {"all_stores": True, "all_stores_must_succeed": all_must_succeed}
    assert begin(cloud, image, method, details=details, **asked).status == 202
    assert ended(cloud, image)["status"] == "success"
    shown = cloud.show(image)
    assert (shown["status"], sorted(shown["stores"].split(","))) == ("active", ["four", "one", "three", "two"])
    assert (shown["os_glance_importing_to_stores"], shown["os_glance_failed_import"]) == ("", "")
    assert [request for request, _ in web.requests].count("/image") == (method == "web-download")
    cloud.close()


class Full(Disk):
    """A disk on which nothing can be made for one store."""

    def __init__(self, store: str) -> None:
        self._store = store
        self.full = False

    def create(self, path: Path) -> int:
        if self.full and self._store in path.parts:
            raise OSError(errno.ENOSPC, "no room")
        return super().create(path)


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("full", ["one", "three"])
@pytest.mark.parametrize(
    ("all_must_succeed", "status", "filled"),
    [(True, "queued", 0), (False, "active", 3)],
)
def test_a_store_that_is_full_fails_the_import_or_only_itself(
    tmp_path: Path, web: Web, at_once: int, full: str, all_must_succeed: bool, status: str, filled: int
) -> None:
    web.pages["/image"] = Page(DATA)
    disk = Full(full)
    cloud = made(tmp_path, web, enabled_backends=FOUR, max_parallel_stores=at_once, disk=disk)
    disk.full = True
    image = cloud.new()["id"]
    asked: dict[str, Any] = {"all_stores": True, "all_stores_must_succeed": all_must_succeed}
    assert begin(cloud, image, "web-download", details={"uri": f"{web.base}/image"}, **asked).status == 202
    ended(cloud, image)
    shown = cloud.show(image)
    assert (shown["status"], len(shown.get("stores", "").split(",")) if filled else 0) == (status, filled)
    assert full in shown["os_glance_failed_import"].split(",")
    cloud.close()
