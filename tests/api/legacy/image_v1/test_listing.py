"""Lists of v1, members, and copies from the web."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.image_v2.web import Page, Web, web_server
from tests.api.legacy.image_v1.conftest import Clouds
from tests.waiting import eventually

A, B = b"first", b"the second one"


@pytest.fixture(scope="module")
def listing(bare: Clouds) -> Clouds:
    """A filled cloud for tests that only look."""
    return fill(bare)


@pytest.fixture
def filled(cloud: Clouds) -> Clouds:
    return fill(cloud)


def fill(cloud: Clouds) -> Clouds:
    """Images of several owners; each begins with its owner's letter."""
    cloud.make(body=A, name="o1", min_ram=64, **{"property-distro": "debian"})
    cloud.make(body=B, name="o2", protected="True")
    cloud.make("admin", body=A, name="p1", is_public="True")
    cloud.make("admin", name="a1")
    cloud.make("other", body=A, name="x1")
    return cloud


LISTS: list[tuple[str, str, list[str]]] = [
    ("", "member", ["p1", "o2", "o1"]),
    ("", "other", ["x1", "p1"]),
    ("", "admin", ["a1", "p1"]),
    ("is_public=True", "admin", ["a1", "p1"]),
    ("is_public=None", "admin", ["x1", "a1", "p1", "o2", "o1"]),
    ("is_public=False", "admin", ["x1", "a1", "o2", "o1"]),
    ("is_public=False", "member", ["p1", "o2", "o1"]),
    ("sort_key=name&sort_dir=asc", "member", ["o1", "o2", "p1"]),
    ("sort_key=size&sort_dir=desc&limit=1", "member", ["o2"]),
    ("name=o1", "member", ["o1"]),
    ("status=queued&is_public=None", "admin", ["a1"]),
    ("disk_format=raw&container_format=bare&name=o2", "member", ["o2"]),
    ("disk_format=qcow2", "member", []),
    ("size_min=6", "member", ["o2"]),
    ("size_max=5", "member", ["p1", "o1"]),
    ("min_ram=64", "member", ["o1"]),
    ("min_disk=1", "member", []),
    ("protected=True", "member", ["o2"]),
    ("protected=0", "member", ["p1", "o1"]),
    ("property-distro=debian", "member", ["o1"]),
    ("property-distro=fedora", "member", []),
    ("changes-since=2099-01-01T00:00:00Z", "member", []),
    ("changes-since=2001-01-01T00:00:00%2B01:00", "member", ["p1", "o2", "o1"]),
    ("limit=0", "member", []),
]


@pytest.mark.parametrize(("query", "token", "names"), LISTS)
def test_lists_show_what_is_asked_for(listing: Clouds, query: str, token: str, names: list[str]) -> None:
    assert listing.listed(query, token) == names
    brief = listing.v1("GET", f"/images?{query}", token).json["images"]
    assert [image["name"] for image in brief] == names
    assert all(set(one) == {*("id", "name", "disk_format", "container_format", "checksum", "size")} for one in brief)


BAD_QUERIES = (
    *("size_min=x", "size_max=-1", "min_ram=x", "protected=maybe", "is_public=maybe", "limit=x", "limit=-1"),
    *("sort_key=owner", "sort_dir=up", "marker=x", "marker=8a39eea2-6d12-4a12-a21b-9f7e14a2a1c7", "changes-since=x"),
)


@pytest.mark.parametrize("query", BAD_QUERIES)
def test_queries_that_make_no_sense_are_refused(listing: Clouds, query: str) -> None:
    assert listing.v1("GET", f"/images/detail?{query}").status == 400


def test_pages_follow_their_marker(listing: Clouds) -> None:
    seen, query = [], "sort_key=name&sort_dir=asc&limit=2"
    while page := listing.v1("GET", f"/images/detail?{query}").json["images"]:
        seen += [image["name"] for image in page]
        query = f"sort_key=name&sort_dir=asc&limit=2&marker={page[-1]['id']}"
    assert seen == ["o1", "o2", "p1"]


def test_hidden_and_killed_images_are_not_listed(filled: Clouds) -> None:
    hidden = filled.active(name="hidden", os_hidden=True)
    filled.v1("POST", "/images", body=A, disk_format="raw", container_format="bare", size=1, name="killed")
    assert filled.listed() == ["p1", "o2", "o1"]
    assert filled.v1("HEAD", f"/images/{hidden['id']}").status == 200


def test_deleted_images_are_listed_for_those_who_ask(filled: Clouds) -> None:
    for name in ("o1", "p1"):
        image = filled.v1("GET", f"/images/detail?name={name}&is_public=None", "admin").json["images"][0]
        assert filled.v1("DELETE", f"/images/{image['id']}", "admin").status == 200
    assert filled.listed("deleted=True", "admin") == ["p1"]
    assert filled.listed("deleted=True&is_public=None", "admin") == ["p1", "o1"]
    assert filled.listed("deleted=True&is_public=None&limit=1", "admin") == ["p1"]
    assert filled.listed("deleted=None&is_public=None&sort_key=name&sort_dir=asc", "admin") == [
        *("a1", "o1", "o2", "p1", "x1"),
    ]
    assert filled.listed("deleted=True") == ["o2"]
    since = "changes-since=2001-01-01T00:00:00Z&sort_key=name&sort_dir=asc"
    assert filled.listed(since) == ["o1", "o2", "p1"]
    assert filled.listed(since, "other") == ["p1", "x1"]
    gone = filled.v1("GET", f"/images/detail?{since}").json["images"][0]
    assert gone["deleted"] is True and gone["status"] == "deleted"
    assert filled.listed(f"{since}&marker={gone['id']}", "admin") == ["p1"]


# -- members -------------------------------------------------------------------------------------------------------


def members(cloud: Clouds, image_id: str, token: str = "member") -> dict[str, bool]:
    answer = cloud.v1("GET", f"/images/{image_id}/members", token)
    assert answer.status == 200, answer
    return {one["member_id"]: one["can_share"] for one in answer.json["members"]}


def test_members_are_added_changed_replaced_and_removed(cloud: Clouds) -> None:
    image = cloud.make()["id"]
    path = f"/images/{image}/members"
    assert cloud.v1("PUT", f"{path}/p-consumer").status == 204
    assert members(cloud, image) == {"p-consumer": False}
    assert cloud.v1("PUT", f"{path}/p-consumer", body={"member": {"can_share": True}}).status == 204
    assert cloud.v1("PUT", f"{path}/p-consumer", body={}).status == 204
    assert members(cloud, image) == {"p-consumer": True}
    body: dict[str, Any] = {"memberships": [{"member_id": "p-x", "can_share": True}, {"member_id": "p-y"}]}
    assert cloud.v1("PUT", path, body=body).status == 204
    assert members(cloud, image) == {"p-x": True, "p-y": False}
    assert [cloud.v1("DELETE", f"{path}/p-x").status for _ in range(2)] == [204, 404]
    wrong: list[dict[str, Any]] = [{}, {"memberships": {}}, {"memberships": [{}]}, {"memberships": [{"member_id": 1}]}]
    for bad in wrong:
        assert cloud.v1("PUT", path, body=bad).status == 400
    assert members(cloud, image) == {"p-y": False}


def test_who_may_not_share_finds_nothing(cloud: Clouds) -> None:
    image = cloud.make()["id"]
    cloud.v1("PUT", f"/images/{image}/members/p-consumer")
    for token in ("other", "consumer", "reader"):
        assert cloud.v1("PUT", f"/images/{image}/members/p-x", token).status == 404
        assert cloud.v1("DELETE", f"/images/{image}/members/p-consumer", token).status == 404
        assert cloud.v1("PUT", f"/images/{image}/members", token, {"memberships": []}).status == 404
    cloud.v1("PUT", f"/images/{image}/members/p-consumer", body={"member": {"can_share": True}})
    assert cloud.v1("PUT", f"/images/{image}/members/p-x", "consumer-reader").status == 404
    assert cloud.v1("PUT", f"/images/{image}/members/p-x", "consumer").status == 204
    assert members(cloud, image, "consumer") == {"p-consumer": True}
    assert cloud.v1("GET", f"/images/{image}/members", "other").status == 404


def test_shared_images_are_listed_for_the_parties(cloud: Clouds) -> None:
    image = cloud.make(body=A, name="mine")["id"]
    cloud.v1("PUT", f"/images/{image}/members/p-consumer")
    assert cloud.listed(token="consumer") == ["mine"]
    for token, seen in (("member", [image]), ("consumer", [image]), ("admin", [image]), ("other", [])):
        found = cloud.v1("GET", "/shared-images/p-consumer", token).json["shared_images"]
        assert [one["image_id"] for one in found] == seen


def test_members_have_a_limit(cloud: Clouds) -> None:
    image = cloud.make()["id"]
    body = {"memberships": [{"member_id": f"p-{number}"} for number in range(129)]}
    assert cloud.v1("PUT", f"/images/{image}/members", body=body).status == 413
    assert members(cloud, image) == {}


# -- from the web --------------------------------------------------------------------------------------------------


def wait(cloud: Clouds, image_id: str, status: str) -> dict[str, Any]:
    eventually(lambda: cloud.show(image_id)["status"] == status)
    return cloud.show(image_id)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Clouds, Web]]:
    """A cloud that may fetch from a web server on loopback."""
    with web_server() as served:
        made = Clouds(tmp_path, import_allowed_hosts=("127.0.0.1",), import_allowed_ports=(str(served.port),))
        yield made, served
        made.close()


def test_a_copy_is_queued_and_becomes_active(web: tuple[Clouds, Web]) -> None:
    cloud, served = web
    served.pages["/image"] = Page(B)
    image = cloud.make(_copy_from=f"{served.base}/image")
    assert image["status"] == "queued"
    shown = wait(cloud, image["id"], "active")
    assert shown["size"] == len(B) and cloud.v1("GET", f"/images/{image['id']}").body == B
    later = cloud.make()
    answer = cloud.v1("PUT", f"/images/{later['id']}", _copy_from=f"{served.base}/image", _purge="false")
    assert answer.status == 200
    wait(cloud, later["id"], "active")


@pytest.mark.parametrize("page", [Page(status=404), Page(B, cut=True), Page(B, headers={"Location": "/x"}, status=302)])
def test_a_copy_that_fails_kills_its_image(web: tuple[Clouds, Web], page: Page) -> None:
    cloud, served = web
    served.pages["/image"] = page
    image = cloud.make(_copy_from=f"{served.base}/image")
    wait(cloud, image["id"], "killed")


def test_a_copy_has_to_be_what_was_said(web: tuple[Clouds, Web]) -> None:
    cloud, served = web
    served.pages["/image"] = Page(B)
    image = cloud.make(_copy_from=f"{served.base}/image", checksum="0" * 32)
    wait(cloud, image["id"], "killed")


def test_data_stays_at_its_location_which_nobody_is_told(web: tuple[Clouds, Web]) -> None:
    cloud, served = web
    served.pages["/image"] = Page(B)
    url = f"{served.base}/image"
    image = cloud.make(location=url)
    assert (image["status"], image["size"], image["checksum"]) == ("active", len(B), None)
    got = cloud.v1("GET", f"/images/{image['id']}")
    assert got.body == B and url not in str(got.headers)
    assert url not in str(cloud.v1("GET", "/images/detail", "admin").json)
    assert cloud.v1("POST", "/images", location=url, size=3, disk_format="raw", container_format="bare").status == 409
    later = cloud.make()
    assert cloud.v1("PUT", f"/images/{later['id']}", location=url).json["image"]["status"] == "active"
