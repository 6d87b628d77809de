"""Lists: who sees what, filters with their operators, sort, pages and their links."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.api.image_v2.client import Cloud


@pytest.fixture
def full(cloud: Cloud) -> Cloud:
    """Images of three projects in every visibility, in the order of their ages."""
    for token, project in (("admin", "a"), ("member", "o"), ("other", "x")):
        for visibility in ("private", "shared", "community", "public"):
            if visibility != "public":
                cloud.new(token, name=f"{project}-{visibility}", visibility=visibility)
            else:
                image = cloud.new(token, name=f"{project}-public")["id"]
                cloud.patch(image, {"op": "add", "path": "/visibility", "value": "public"}, token="admin")
    return cloud


OWN = ["o-public", "o-community", "o-shared", "o-private"]
ALL = [f"{p}-{v}" for p in "xoa" for v in ("public", "community", "shared", "private")]


@pytest.mark.parametrize(
    ("who", "query", "names"),
    [
        ("member", "", ["x-public", *OWN, "a-public"]),
        ("reader", "", ["x-public", *OWN, "a-public"]),
        ("member", "visibility=all", ["x-public", "x-community", *OWN, "a-public", "a-community"]),
        ("member", "visibility=community", ["x-community", "o-community", "a-community"]),
        ("member", "visibility=public", ["x-public", "o-public", "a-public"]),
        ("member", "visibility=private", ["o-private"]),
        ("member", "visibility=shared", ["o-shared"]),
        ("consumer", "", ["x-public", "o-public", "a-public"]),
        ("admin", "", [name for name in ALL if name not in ("x-community", "o-community")]),
        ("admin", "visibility=all", ALL),
        ("admin", "visibility=community", ["x-community", "o-community", "a-community"]),
        ("admin", "visibility=private", ["x-private", "o-private", "a-private"]),
        ("admin", "owner=p-owner", [name for name in OWN if name != "o-community"]),
        ("member", "owner=p-other", ["x-public"]),
    ],
)
def test_who_sees_which_images(full: Cloud, who: str, query: str, names: list[str]) -> None:
    assert full.names(query, who) == names


def test_a_consumer_sees_what_it_answered(cloud: Cloud) -> None:
    image = cloud.new(name="mine")["id"]
    cloud.share(image)
    for answer in ("pending", "accepted", "rejected"):
        path = f"/v2/images/{image}/members/p-consumer"
        assert cloud.call("PUT", path, token="consumer", body={"status": answer}).status == 200
        for wanted in ("pending", "accepted", "rejected", "all"):
            seen = cloud.names(f"member_status={wanted}", "consumer")
            assert seen == (["mine"] if wanted in (answer, "all") else []), (answer, wanted)
        assert cloud.names("", "consumer") == (["mine"] if answer == "accepted" else [])
    cloud.patch(image, {"op": "add", "path": "/visibility", "value": "private"})
    assert cloud.names("member_status=all", "consumer") == []


def test_hidden_images_are_listed_alone(cloud: Cloud) -> None:
    cloud.new(name="seen")
    cloud.new(name="hidden", os_hidden=True)
    assert cloud.names() == ["seen"]
    assert cloud.names("os_hidden=false") == ["seen"]
    assert cloud.names("os_hidden=True") == ["hidden"]


# -- filters -----------------------------------------------------------------------------------------------


@pytest.fixture
def varied(cloud: Cloud) -> Cloud:
    cloud.active(b"a" * 10, name="small", tags=["x", "y"], k="v", l="w")
    cloud.active(b"a" * 20, name="big", tags=["x"], k="v", min_ram=5)
    cloud.new(name="a,b", disk_format="iso", container_format="ami", protected=True, min_disk=3)
    cloud.new(name="c:d", **{"with space": "é&="})
    return cloud


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name=small", ["small"]),
        ("name=Small", []),
        ("name=in:small,big", ["big", "small"]),
        ('name=in:"a,b",big', ["a,b", "big"]),
        ('name=in:"c:d"', ["c:d"]),
        ("name=in:", []),
        ("status=active", ["big", "small"]),
        ("status=in:active,queued", ["c:d", "a,b", "big", "small"]),
        ("disk_format=iso", ["a,b"]),
        ("container_format=in:ami,ovf", ["a,b"]),
        ("tag=x", ["big", "small"]),
        ("tag=x&tag=y", ["small"]),
        ("tag=%20x%20", ["big", "small"]),
        ("k=v", ["big", "small"]),
        ("k=v&l=w", ["small"]),
        ("k=w", []),
        (f"{quote('with space')}={quote('é&=')}", ["c:d"]),
        ("size=10", ["small"]),
        ("size=ten", []),
        ("size=%2010%20", ["small"]),
        (f"size={10**30}", []),
        ("min_ram=none", []),
        ("size_min=11", ["big"]),
        ("size_max=19", ["small"]),
        ("size_min=1&size_max=1000", ["big", "small"]),
        (f"size_max={10**30}", ["big", "small"]),
        ("min_ram=5", ["big"]),
        ("min_disk_min=1", ["a,b"]),
        ("protected=true", ["a,b"]),
        ("protected=false", ["c:d", "big", "small"]),
        ("created_at=gt:2020-01-01T00:00:00Z", ["c:d", "a,b", "big", "small"]),
        ("created_at=lt:2020-01-01T00:00:00Z", []),
        ("updated_at=neq:2020-01-01", ["c:d", "a,b", "big", "small"]),
        ("created_at=2020-01-01T00:00:00%2B01:00", []),
        ("owner=p-owner&name=big", ["big"]),
        ("unknown_min=5", []),
    ],
)
def test_a_filter_finds(varied: Cloud, query: str, names: list[str]) -> None:
    assert varied.names(query) == names


def test_data_is_found_by_its_digests(cloud: Cloud) -> None:
    image = cloud.active(b"x", name="one")
    cloud.active(b"y", name="two")
    for name in ("checksum", "os_hash_value", "id"):
        assert cloud.names(f"{name}={image[name]}") == ["one"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=many",
        "marker=71c675ab-d94f-49cd-a114-e12490b328d9",
        "marker=nothing",
        "visibility=secret",
        "member_status=maybe",
        "changes-since=2020-01-01",
        "os_hidden=maybe",
        "protected=True",
        "name=neq:x",
        "name=a:b",
        'name=in:"a',
        'name=in:a"b"',
        'name=in:"a"b',
        "created_at=yesterday",
        "created_at=in:2020-01-01",
        "size_min=x",
        "name_min=5",
        "sort_key=owner",
        "sort_dir=up",
        "sort=name:up",
        "sort=owner",
        "sort=name&sort_key=name",
        "sort_key=name&sort_key=size&sort_dir=asc&sort_dir=asc&sort_dir=asc",
        "name=%FF",
    ],
)
def test_a_bad_question_is_refused(cloud: Cloud, query: str) -> None:
    cloud.new()
    assert cloud.call("GET", f"/v2/images?{query}").status == 400


# -- sort and pages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["c:d", "a,b", "big", "small"]),
        ("sort_dir=asc", ["small", "big", "a,b", "c:d"]),
        ("sort_key=name&sort_dir=asc", ["a,b", "big", "c:d", "small"]),
        ("sort=name:asc", ["a,b", "big", "c:d", "small"]),
        ("sort=name", ["small", "c:d", "big", "a,b"]),
        ("sort=size:desc", ["big", "small", "c:d", "a,b"]),
        ("sort=status:asc,name:desc", ["small", "big", "c:d", "a,b"]),
        ("sort_key=status&sort_key=name&sort_dir=asc&sort_dir=desc", ["small", "big", "c:d", "a,b"]),
        ("sort_key=status&sort_key=name&sort_dir=asc", ["big", "small", "a,b", "c:d"]),
        ("sort_key=id", None),
        ("sort=container_format:asc,updated_at:desc", ["a,b", "c:d", "big", "small"]),
    ],
)
def test_a_list_in_the_order_asked_for(varied: Cloud, query: str, names: list[str] | None) -> None:
    whole = varied.names(query)
    assert names is None or whole == names
    # Page by page it is the same list.
    for limit in (1, 2, 3):
        found: list[str] = []
        marker = ""
        while page := varied.call("GET", f"/v2/images?{query}&limit={limit}{marker}").json["images"]:
            found += [image["name"] for image in page]
            marker = f"&marker={page[-1]['id']}"
        assert found == whole, limit


def test_pages_do_not_lose_images_without_a_name(cloud: Cloud) -> None:
    for name in (None, "b", None, "a", ""):
        cloud.new(name=name)
    found: list[str] = []
    path = "/v2/images?limit=1&sort=name:asc"
    while path:
        page = cloud.call("GET", path).json
        found += [image["name"] for image in page["images"]]
        path = page.get("next", "")
    assert found == [None, None, "", "a", "b"]


def test_links_keep_the_question_and_lead_to_the_next_page(cloud: Cloud) -> None:
    for n in range(3):
        cloud.new(name=f"n {n}", tags=["a", "b"])
    answer = cloud.call("GET", "/v2/images?limit=2&tag=a&tag=b&sort=name:asc").json
    marker = answer["images"][-1]["id"]
    assert answer["first"] == "/v2/images?limit=2&tag=b&sort=name%3Aasc"
    assert answer["next"] == f"/v2/images?limit=2&tag=b&sort=name%3Aasc&marker={marker}"
    assert answer["schema"] == "/v2/schemas/images"
    last = cloud.call("GET", answer["next"]).json
    assert [image["name"] for image in last["images"]] == ["n 2"] and "next" not in last
    assert cloud.call("GET", "/v2/images").json["first"] == "/v2/images"
    assert cloud.call("GET", "/v2/images?limit=0").json["images"] == []


def test_a_marker_has_to_be_visible(cloud: Cloud) -> None:
    foreign = cloud.new("other", visibility="private")["id"]
    answer = cloud.call("GET", f"/v2/images?marker={foreign}")
    assert answer.status == 400 and b"No image found" in answer.body


def test_the_settings_bound_a_page(cloud: Cloud) -> None:
    for _ in range(30):
        cloud.new()
    assert len(cloud.names()) == 25
    assert len(cloud.names("limit=29")) == 29
    assert len(cloud.names("limit=5000")) == 30


# -- deleted images as markers ---------------------------------------------------------------------------------


def walk_and_delete(cloud: Cloud, token: str, query: str) -> list[str]:
    """Delete each image of a list while walking through it; the names in the order in which they came."""
    found: list[str] = []
    path = f"/v2/images?limit=1&{query}"
    while path:
        answer = cloud.call("GET", path, token=token)
        assert answer.status == 200, answer
        for image in answer.json["images"]:
            found.append(image["name"])
            assert cloud.call("DELETE", f"/v2/images/{image['id']}", token=token).status == 204
        path = answer.json.get("next", "")
    return found


@pytest.mark.parametrize("query", ["", "sort=name:asc", "sort=status:asc,updated_at:desc", "sort=size:desc"])
def test_an_admin_deletes_while_paging(varied: Cloud, query: str) -> None:
    protected = varied.call("GET", "/v2/images?name=in:%22a,b%22").json["images"][0]["id"]
    varied.patch(protected, {"op": "replace", "path": "/protected", "value": False})
    whole = varied.names(query, "admin")
    assert walk_and_delete(varied, "admin", query) == whole and len(whole) == 4
    assert varied.names("", "admin") == []


def test_an_admin_deletes_while_paging_with_delayed_delete(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, delayed_delete=True)
    for n in range(3):
        cloud.active(b"data", name=f"i{n}")
    assert walk_and_delete(cloud, "admin", "") == ["i2", "i1", "i0"]
    cloud.close()


def test_for_others_a_deleted_image_marks_no_place(cloud: Cloud) -> None:
    image = cloud.new()["id"]
    assert cloud.call("DELETE", f"/v2/images/{image}").status == 204
    answer = cloud.call("GET", f"/v2/images?marker={image}")
    assert answer.status == 400 and image.encode() in answer.body


# -- what the original takes for no filter, or for one that nothing fits ----------------------------------------


@pytest.mark.parametrize(("query", "found"), [("deleted=true", 4), ("deleted=", 4), ("visibility=", 0), ("limit=0", 0)])
def test_odd_filters(varied: Cloud, query: str, found: int) -> None:
    for who in ("member", "admin"):
        assert len(varied.names(query, who)) == found
