"""The image cache: who steers it, what it keeps, and that it serves nothing that a location would not."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.image_v2.client import Answer, Cloud
from tests.api.image_v2.web import Page, Web, web_server
from tests.waiting import eventually

DATA = bytes(range(256)) * 4096
NOBODY = "71c675ab-d94f-49cd-a114-e12490b328d9"


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as server:
        server.pages["/image"] = Page(DATA)
        yield server


@pytest.fixture
def cached(tmp_path: Path) -> Iterator[Cloud]:
    """With room for two of the files that tests make."""
    directory = tmp_path / "cached"
    directory.mkdir()
    cloud = Cloud(
        directory,
        image_cache_dir=str(tmp_path / "cache"),
        image_cache_max_size=2 * len(DATA) + 1,
        import_allowed_hosts=("127.0.0.1",),
        import_allowed_ports=(),
    )
    cloud.images.recover()
    yield cloud
    cloud.close()


def located(cloud: Cloud, web: Web, **body: Any) -> str:
    """An image that is at a URL, hashed."""
    image = str(cloud.new(**body)["id"])
    answer = cloud.call("POST", f"/v2/images/{image}/locations", body={"url": f"{web.base}/image"})
    assert answer.status == 202, answer
    eventually(lambda: cloud.show(image)["os_hash_value"])
    return image


def listed(cloud: Cloud, **headers: str) -> dict[str, Any]:
    answer = cloud.call("GET", "/v2/cache", token="admin", headers=headers)
    assert answer.status == 200, answer
    listing: dict[str, Any] = answer.json
    return listing


def ids(cloud: Cloud, **headers: str) -> list[str]:
    return [entry["image_id"] for entry in listed(cloud, **headers)["cached_images"]]


def queue(cloud: Cloud, image: str, **headers: str) -> None:
    """Queue an image, and wait until it is cached or given up."""
    assert cloud.call("PUT", f"/v2/cache/{image}", token="admin", headers=headers).status == 202
    eventually(lambda: image not in listed(cloud, **headers)["queued_images"])


def fetch(cloud: Cloud, image: str, token: str = "member", **headers: str) -> Answer:
    return cloud.call("GET", f"/v2/images/{image}/file", token=token, headers=headers)


def files(cloud: Cloud) -> set[str]:
    return {file.name for file in Path(cloud.settings.image_cache_dir).iterdir() if file.is_file()}


ROUTES = [
    ("GET", "/v2/cache"),
    ("GET", "/v2/cache/"),
    ("DELETE", "/v2/cache"),
    ("PUT", "/v2/cache/{image}"),
    ("DELETE", "/v2/cache/{image}"),
    ("GET", "/v2/cache/nodes/{image}"),
    ("POST", "/v2/cache/clean"),
    ("POST", "/v2/cache/prune"),
    ("GET", "/v2/cached_images"),
    ("DELETE", "/v2/cached_images"),
    ("DELETE", "/v2/cached_images/{image}"),
    ("GET", "/v2/queued_images"),
    ("DELETE", "/v2/queued_images"),
    ("PUT", "/v2/queued_images/{image}"),
    ("DELETE", "/v2/queued_images/{image}"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_only_admins_steer_the_cache_and_only_where_there_is_one(
    cloud: Cloud, cached: Cloud, method: str, path: str
) -> None:
    for where, expected in ((cached, {"admin": 200}), (cloud, {"admin": 404})):
        image = where.active(visibility="public", token="admin")["id"]
        for who in ("member", "reader", "service", None, "admin"):
            status = where.call(method, path.format(image=image), token=who).status
            wanted = 401 if who is None else expected.get(who, 403)
            assert status == wanted or (wanted == 200 and status in (202, 204)), (who, status)


def test_what_is_in_a_store_takes_no_room(cached: Cloud) -> None:
    image = cached.active(DATA)["id"]
    queue(cached, image)
    entry = listed(cached)["cached_images"][0]
    assert set(entry) == {"image_id", "hits", "last_accessed", "last_modified", "size"}
    assert (entry["image_id"], entry["size"], entry["hits"]) == (image, len(DATA), 0)
    assert isinstance(entry["last_modified"], float) and files(cached) == set()
    assert fetch(cached, image).body == DATA


# What is read, as ranges or None for all of it; how many entries there are then, and the hits of the first.
READS: list[tuple[list[str | None], list[int]]] = [
    ([], []),
    (["bytes=0-9"], []),
    ([None], [0]),
    ([None, None], [1]),
    (["bytes=0-9", None, "bytes=5-6", None], [2]),
    ([f"bytes=0-{len(DATA) - 1}"], [0]),
]


@pytest.mark.parametrize(("reads", "hits"), READS)
def test_the_first_whole_download_of_what_a_store_has_makes_an_entry(
    cached: Cloud, reads: list[str | None], hits: list[int]
) -> None:
    image = cached.active(DATA)["id"]
    for part in reads:
        assert fetch(cached, image, **({"Range": part} if part else {})).status in (200, 206)
    assert [entry["hits"] for entry in listed(cached)["cached_images"]] == hits
    assert files(cached) == set()


def test_an_entry_of_what_a_store_has_comes_back_after_it_was_removed(cached: Cloud) -> None:
    image = cached.active(DATA)["id"]
    fetch(cached, image)
    assert cached.call("DELETE", f"/v2/cache/{image}", token="admin").status == 204
    assert ids(cached) == []
    fetch(cached, image)
    assert ids(cached) == [image]


def test_a_refused_download_makes_no_entry(cached: Cloud) -> None:
    image = cached.active(DATA)["id"]
    assert fetch(cached, image, "reader").status == 403
    assert ids(cached) == []


def test_a_node_may_have_a_name_of_its_own(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, image_cache_dir=str(tmp_path / "cache"), worker_self_reference_url="http://node-1:9292")
    asked, read = (cloud.active()["id"] for _ in range(2))
    queue(cloud, asked, Host="one.test")
    fetch(cloud, read, Host="two.test")
    for image in (asked, read):
        assert cloud.call("GET", f"/v2/cache/nodes/{image}", token="admin").json == ["http://node-1:9292"]
    assert ids(cloud, Host="three.test") == [asked, read]
    cloud.close()


def test_what_is_at_a_url_is_fetched_once(cached: Cloud, web: Web) -> None:
    image = located(cached, web)
    queue(cached, image)
    web.pages.clear()
    requests = len(web.requests)
    assert fetch(cached, image).body == DATA
    part = fetch(cached, image, Range="bytes=5-9")
    assert (part.status, part.body) == (206, DATA[5:10])
    assert len(web.requests) == requests, "the web was not asked again"
    assert listed(cached)["cached_images"][0]["hits"] == 2 and files(cached) == {image}
    assert cached.call("DELETE", f"/v2/cache/{image}", token="admin").status == 204
    assert files(cached) == set() and fetch(cached, image).status == 503


def test_a_download_fills_the_cache_on_its_way(cached: Cloud, web: Web) -> None:
    image = located(cached, web)
    assert fetch(cached, image, Range="bytes=0-9").status == 206 and files(cached) == set(), "a part is not kept"
    assert fetch(cached, image).body == DATA
    assert ids(cached) == [image] == ids(cached, Host="elsewhere.test") and files(cached) == {image}
    queue(cached, image)
    assert ids(cached) == [image]
    assert cached.call("GET", f"/v2/cache/nodes/{image}", token="admin").json == ["http://glance.test:9292"]


def test_what_breaks_off_is_not_kept(cached: Cloud, web: Web) -> None:
    image = located(cached, web)
    web.pages["/image"] = Page(DATA, cut=True)
    with pytest.raises(Exception, match="ended before its length"):
        fetch(cached, image)
    queue(cached, image)
    assert ids(cached) == [] and files(cached) == set()
    web.pages["/image"] = Page(b"\0" * len(DATA))
    queue(cached, image)
    assert ids(cached) == [] and files(cached) == set(), "nor is what the digest does not fit"
    assert list((Path(cached.settings.image_cache_dir) / "incomplete").iterdir()) == []


def test_a_spoilt_file_is_never_served_as_whole(cached: Cloud, web: Web) -> None:
    image = located(cached, web)
    queue(cached, image)
    file = Path(cached.settings.image_cache_dir) / image
    file.write_bytes(b"\0" * len(DATA))
    with pytest.raises(Exception, match="digest"):
        fetch(cached, image)
    file.write_bytes(DATA[:-1])
    assert fetch(cached, image).body == DATA, "one of another size is passed over"


def test_the_cache_opens_no_door(cached: Cloud, web: Web) -> None:
    image = located(cached, web)
    cached.share(image)
    queue(cached, image)
    for who, status in (("consumer", 200), ("consumer-reader", 403), ("reader", 403), ("other", 404), ("admin", 200)):
        assert fetch(cached, image, who).status == status, who
    assert cached.call("POST", f"/v2/images/{image}/actions/deactivate").status == 204
    assert (fetch(cached, image).status, fetch(cached, image, "admin").status) == (403, 200)


def test_a_deleted_image_leaves_nothing(cached: Cloud, web: Web) -> None:
    image = located(cached, web)
    queue(cached, image)
    assert cached.call("DELETE", f"/v2/images/{image}").status == 204
    assert ids(cached) == [] and files(cached) == set()
    assert cached.call("DELETE", f"/v2/cache/{image}", token="admin").status == 404


def test_an_image_deleted_under_its_download_is_not_kept(cached: Cloud, web: Web) -> None:
    image = located(cached, web)
    gate = threading.Event()
    web.pages["/image"] = Page(DATA, gate=gate)
    presenter: list[Answer] = []
    reader = threading.Thread(target=lambda: presenter.append(fetch(cached, image)))
    before = len(web.requests)
    reader.start()
    eventually(lambda: len(web.requests) > before)
    assert cached.call("DELETE", f"/v2/images/{image}").status == 204
    gate.set()
    reader.join()
    assert presenter[0].body == DATA and files(cached) == set()


def test_each_address_has_a_list_of_its_own(cached: Cloud, web: Web) -> None:
    image = located(cached, web)
    for host in ("one.test", "two.test"):
        queue(cached, image, Host=host)
    nodes = cached.call("GET", f"/v2/cache/nodes/{image}", token="admin").json
    assert nodes == ["http://one.test", "http://two.test"]
    assert cached.call("DELETE", "/v2/cache", token="admin", headers={"Host": "one.test"}).status == 204
    assert (ids(cached, Host="one.test"), ids(cached, Host="two.test")) == ([], [image])
    assert files(cached) == {image}, "one of them still needs it"
    assert cached.call("DELETE", "/v2/cache", token="admin", headers={"Host": "two.test"}).status == 204
    assert files(cached) == set()


def test_nodes_are_told_only_with_the_driver_that_knows_them(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, image_cache_dir=str(tmp_path / "cache"), image_cache_driver="sqlite")
    image = cloud.active()["id"]
    assert cloud.call("GET", f"/v2/cache/nodes/{image}", token="admin").status == 409
    cloud.close()


def test_what_can_not_be_queued(cached: Cloud) -> None:
    queued = cached.new()["id"]
    for image, status in ((queued, 400), (NOBODY, 404), ("no-uuid", 404)):
        assert cached.call("PUT", f"/v2/cache/{image}", token="admin").status == status
    assert cached.call("DELETE", f"/v2/cache/{NOBODY}", token="admin").status == 404
    assert cached.call("DELETE", f"/v2/cache/{queued}", token="admin").status == 204
    assert cached.call("GET", f"/v2/cache/nodes/{NOBODY}", token="admin").status == 404


def test_the_older_routes_queue_for_the_job(cached: Cloud) -> None:
    first, second = cached.active()["id"], cached.active()["id"]
    for image in (first, second):
        answer = cached.call("PUT", f"/v2/queued_images/{image}", token="admin")
        assert (answer.status, answer.json) == (200, None)
    assert cached.call("GET", "/v2/queued_images", token="admin").json == {"queued_images": [first, second]}
    assert cached.call("DELETE", f"/v2/cached_images/{second}", token="admin").status == 200
    assert cached.call("DELETE", f"/v2/queued_images/{second}", token="admin").status == 200
    assert cached.images.cache.step() is False
    told = cached.call("GET", "/v2/cached_images", token="admin").json["cached_images"]
    assert [entry["image_id"] for entry in told] == [first]
    assert cached.call("DELETE", "/v2/cached_images", token="admin").json == {"num_deleted": 1}
    assert cached.call("DELETE", "/v2/queued_images", token="admin").json == {"num_deleted": 0}


@pytest.mark.parametrize(
    ("target", "status", "left"),
    [("", 204, 0), ("Cache", 204, 1), ("queue", 204, 1), ("both", 400, 2)],
)
def test_the_cache_and_its_queue_are_cleared_alone_or_together(
    cached: Cloud, target: str, status: int, left: int
) -> None:
    here, waiting = cached.active()["id"], cached.active()["id"]
    queue(cached, here)
    cached.call("PUT", f"/v2/queued_images/{waiting}", token="admin")
    headers = {"x-image-cache-clear-target": target}
    assert cached.call("DELETE", "/v2/cache", token="admin", headers=headers).status == status
    now = listed(cached)
    assert len(now["cached_images"]) + len(now["queued_images"]) == left


def test_pruning_takes_what_was_read_longest_ago(cached: Cloud, web: Web) -> None:
    images = [located(cached, web) for _ in range(3)]
    for image in images:
        queue(cached, image)
    assert fetch(cached, images[0]).status == 200
    answer = cached.call("POST", "/v2/cache/prune", token="admin")
    assert answer.json == {"total_files_pruned": 1, "total_bytes_pruned": len(DATA)}
    assert files(cached) == {images[0], images[2]} == set(ids(cached))
    answer = cached.call("POST", "/v2/cache/prune", token="admin")
    assert answer.json == {"total_files_pruned": 0, "total_bytes_pruned": 0}


def test_what_is_larger_than_the_cache_is_not_kept(cached: Cloud, web: Web) -> None:
    web.pages["/image"] = Page(DATA * 3)
    image = located(cached, web)
    assert fetch(cached, image).body == DATA * 3
    queue(cached, image)
    assert ids(cached) == [] and files(cached) == set()


def test_cleaning_removes_what_nobody_needs(cached: Cloud, web: Web) -> None:
    image = located(cached, web)
    queue(cached, image)
    directory = Path(cached.settings.image_cache_dir)
    (directory / NOBODY).write_bytes(b"x")
    (directory / "incomplete" / "young").write_bytes(b"x")
    answer = cached.call("POST", "/v2/cache/clean", token="admin")
    assert (answer.status, answer.body) == (200, b"")
    assert files(cached) == {image} and (directory / "incomplete" / "young").exists()
    cached.images.recover()
    assert not (directory / "incomplete" / "young").exists() and files(cached) == {image}
    near = cached.active()["id"]
    queue(cached, near)
    (directory / image).unlink()
    cached.images.recover()
    assert ids(cached) == [near], "an entry whose file is lost goes, too"
