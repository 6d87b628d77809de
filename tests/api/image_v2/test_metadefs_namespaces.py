"""Namespaces: what can be said of them, how they are listed, and what is nested in them."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.image_v2.metadefs_client import NAMESPACES, Catalog
from tests.api.image_v2.metadefs_client import catalog as make


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    yield from make(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """One for many tests, which leave it as they find it."""
    yield from make(tmp_path_factory.mktemp("shared"))


FULL: dict[str, Any] = {
    "namespace": "full",
    "visibility": "public",
    "resource_type_associations": [
        {"name": "OS::Glance::Image", "prefix": "hw_"},
        {"name": "OS::Cinder::Volume", "properties_target": "image"},
    ],
    "properties": {
        "colour": {"type": "string", "title": "Colour", "enum": ["red", "blue"], "default": "red"},
        "size": {"name": "size", "type": "integer", "title": "Size", "minimum": 0, "default": 3},
    },
    "objects": [
        {
            "name": "box",
            "description": "d",
            "required": ["lid"],
            "properties": {"lid": {"type": "boolean", "title": "L"}},
        },
        {"name": "bag"},
    ],
    "tags": [{"name": "one"}, {"name": "two"}],
}


def test_a_new_namespace_answers_with_defaults_and_links(catalog: Catalog) -> None:
    answer = catalog.admin("POST", "", {"namespace": "OS::My::Own"})
    assert answer.status == 201
    assert answer.headers["location"] == f"http://glance.test:9292{NAMESPACES}/OS::My::Own"
    created = answer.json.pop("created_at")
    assert list(answer.json.items()) == [
        ("namespace", "OS::My::Own"),
        ("visibility", "private"),
        ("protected", False),
        ("owner", "p-admin"),
        ("created_at", created),
        ("updated_at", created),
        ("self", f"{NAMESPACES}/OS::My::Own"),
        ("schema", "/v2/schemas/metadefs/namespace"),
    ]
    assert catalog.good("GET", "/OS::My::Own") == answer.json


def test_nested_things_are_made_with_the_namespace(catalog: Catalog) -> None:
    made = catalog.good("POST", "", FULL)
    assert made["resource_type_associations"] == FULL["resource_type_associations"]
    assert made["objects"] == FULL["objects"]
    assert made["tags"] == FULL["tags"]
    assert made["properties"]["size"]["default"] == "3", "defaults are text"

    shown = catalog.good("GET", "/full")
    assert shown["properties"] == made["properties"]
    assert shown["tags"] == [{"name": "two"}, {"name": "one"}]
    bag, box = shown["objects"]
    assert (bag["required"], bag["properties"]) == ([], {})
    assert box["self"] == f"{NAMESPACES}/full/objects/box"
    assert [tie["name"] for tie in shown["resource_type_associations"]] == ["OS::Glance::Image", "OS::Cinder::Volume"]
    assert all("created_at" in tie for tie in shown["resource_type_associations"])


@pytest.mark.parametrize(
    "twice",
    [
        {"objects": [{"name": "a"}, {"name": "a"}]},
        {"tags": [{"name": "a"}, {"name": "a"}]},
        {"resource_type_associations": [{"name": "a"}, {"name": "a"}]},
    ],
)
def test_a_namespace_is_made_whole_or_not_at_all(catalog: Catalog, twice: Any) -> None:
    assert catalog.admin("POST", "", {"namespace": "n", **twice}).status == 409
    assert catalog.admin("GET", "/n").status == 404
    assert catalog.call("GET", "/v2/metadefs/resource_types", token="admin").json == {"resource_types": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 400),
        (b"{", 400),
        (b"1", 400),
        (b"\xff", 400),
        ([], 400),
        ({}, 400),
        ({"namespace": 1}, 400),
        ({"namespace": ""}, 400),
        ({"namespace": "a/b"}, 400),
        ({"namespace": "n" * 80}, 201),
        ({"namespace": "n" * 81}, 400),
        ({"namespace": "x", "unknown": 1}, 400),
        ({"namespace": "x", "visibility": "shared"}, 400),
        ({"namespace": "x", "protected": "true"}, 400),
        ({"namespace": "x", "owner": None}, 400),
        ({"namespace": "x", "description": "d" * 500}, 201),
        ({"namespace": "x", "description": "d" * 501}, 400),
        ({"namespace": "x", "display_name": "d" * 81}, 400),
        ({"namespace": "x", "description": "\ud800"}, 400),
        ({"namespace": "x", "self": "y"}, 403),
        ({"namespace": "x", "schema": "y"}, 403),
        ({"namespace": "x", "created_at": "y"}, 403),
        ({"namespace": "x", "updated_at": "y"}, 403),
        ({"namespace": "x", "objects": [{}]}, 400),
        ({"namespace": "x", "objects": [{"name": "a", "unknown": 1}]}, 400),
        ({"namespace": "x", "tags": [{}]}, 400),
        ({"namespace": "x", "tags": [{"name": "t" * 81}]}, 400),
        ({"namespace": "x", "resource_type_associations": [{}]}, 400),
        ({"namespace": "x", "properties": {"p": {"type": "string"}}}, 400),
        ({"namespace": "x", "properties": {"p" * 81: {"type": "string", "title": "t"}}}, 400),
        ({"namespace": "x", "properties": {}, "tags": [], "objects": []}, 201),
    ],
)
def test_only_what_fits_the_schema_makes_a_namespace(shared: Catalog, body: Any, status: int) -> None:
    assert shared.admin("POST", "", body).status == status
    if status == 201:
        shared.good("DELETE", f"/{body['namespace']}")


def test_a_name_is_given_once(catalog: Catalog) -> None:
    catalog.namespace("n")
    assert catalog.admin("POST", "", {"namespace": "n"}).status == 409


def test_of_many_who_want_a_name_one_gets_it(catalog: Catalog) -> None:
    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda: seen.append(catalog.admin("POST", "", {"namespace": "n"}).status))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [201] + [409] * 7


def test_put_replaces_all_that_is_said_of_a_namespace(catalog: Catalog) -> None:
    before = catalog.namespace("n", display_name="N", description="d", protected=True, owner="p-owner")
    after = catalog.good("PUT", "/n", {"namespace": "n"})
    assert (after["visibility"], after["protected"], after["owner"]) == ("private", False, "p-admin")
    assert "display_name" not in after
    assert "description" not in after
    assert after["created_at"] == before["created_at"] < after["updated_at"]


def test_put_renames_and_keeps_what_is_inside(catalog: Catalog) -> None:
    catalog.furnish("old")
    body = {"namespace": "new", "objects": [{"name": "ignored"}], "tags": []}
    assert catalog.good("PUT", "/old", body)["self"] == f"{NAMESPACES}/new"
    assert catalog.admin("GET", "/old").status == 404
    assert [item["name"] for item in catalog.good("GET", "/new")["objects"]] == ["o"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 400),
        ({}, 400),
        ({"namespace": "taken"}, 409),
        ({"namespace": "n", "created_at": "x"}, 403),
        ({"namespace": "a/b"}, 400),
    ],
)
def test_put_refuses_what_post_would(catalog: Catalog, body: Any, status: int) -> None:
    catalog.namespace("n")
    catalog.namespace("taken")
    before = catalog.good("GET", "/n")
    assert catalog.admin("PUT", "/n", body).status == status
    assert catalog.good("GET", "/n") == before


def test_delete_takes_everything_along(catalog: Catalog) -> None:
    catalog.furnish("n")
    assert catalog.admin("DELETE", "/n").status == 204
    assert catalog.admin("DELETE", "/n").status == 404
    for table in ("objects", "properties", "tags", "associations"):
        assert catalog.db.rows(f"SELECT * FROM metadef_{table}") == []


# -- with the prefix of a resource type ------------------------------------------------------------------------


def test_a_resource_type_puts_its_prefix_before_properties(catalog: Catalog) -> None:
    catalog.good("POST", "", FULL)
    shown = catalog.good("GET", "/full?resource_type=OS::Glance::Image")
    assert set(shown["properties"]) == {"hw_colour", "hw_size"}
    assert shown["objects"][1]["required"] == ["hw_lid"]
    assert set(shown["objects"][1]["properties"]) == {"hw_lid"}


@pytest.mark.parametrize("resource_type", ["OS::Cinder::Volume", "unknown", ""])
def test_a_type_without_prefix_changes_nothing(catalog: Catalog, resource_type: str) -> None:
    catalog.good("POST", "", FULL)
    assert catalog.good("GET", f"/full?resource_type={resource_type}") == catalog.good("GET", "/full")


# -- lists -----------------------------------------------------------------------------------------------------


def names(catalog: Catalog, query: str) -> str:
    return " ".join(item["namespace"] for item in catalog.good("GET", f"?{query}")["namespaces"])


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    catalog = next(made := make(tmp_path_factory.mktemp("three")))
    catalog.namespace("a", display_name="z", resource_type_associations=[{"name": "T1"}])
    catalog.namespace("c", resource_type_associations=[{"name": "T1"}, {"name": "T2"}])
    catalog.namespace("b", visibility="private", display_name="y")
    yield catalog
    next(made, None)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "b c a"),
        ("sort_dir=asc", "a c b"),
        ("sort_key=namespace", "c b a"),
        ("sort_key=namespace&sort_dir=asc", "a b c"),
        ("sort_key=display_name&sort_dir=asc", "c b a"),
        ("sort_key=id&sort_dir=asc", "a c b"),
        ("visibility=public", "c a"),
        ("visibility=private", "b"),
        ("visibility=", ""),
        ("resource_types=T1", "c a"),
        ("resource_types=T2,T3", "c"),
        ("resource_types=T3", ""),
        ("resource_types=T1&visibility=private", ""),
        ("limit=0", ""),
        ("limit=2", "b c"),
        ("limit=2&marker=b", "c a"),
        ("sort_key=namespace&sort_dir=asc&marker=a", "b c"),
        ("sort_key=display_name&sort_dir=asc&marker=c", "b a"),
        ("unknown=1", "b c a"),
    ],
)
def test_lists_filter_sort_and_page(three: Catalog, query: str, expected: str) -> None:
    assert names(three, query) == expected


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("visibility=shared", 400),
        ("limit=-1", 400),
        ("limit=x", 400),
        ("limit=", 400),
        ("sort_dir=up", 400),
        ("sort_key=unknown", 400),
        ("sort_key=namespace)--", 400),
        ("marker=nowhere", 404),
        ("marker=", 404),
        ("limit=99999999999999999999", 200),
    ],
)
def test_lists_refuse_what_they_do_not_know(three: Catalog, query: str, status: int) -> None:
    assert three.admin("GET", f"?{query}").status == status


def test_a_marker_that_is_hidden_is_not_found(three: Catalog) -> None:
    assert three.call("GET", f"{NAMESPACES}?marker=b", token="other").status == 404


def test_list_entries_carry_their_resource_types(three: Catalog) -> None:
    _, middle, last = three.good("GET")["namespaces"]
    assert [tie["name"] for tie in middle["resource_type_associations"]] == ["T1", "T2"]
    assert [tie["name"] for tie in last["resource_type_associations"]] == ["T1"]


def test_following_next_visits_every_namespace_once(three: Catalog) -> None:
    seen = []
    link = f"{NAMESPACES}?limit=1&sort_key=namespace&sort_dir=asc&visibility=public&visibility=public"
    first = three.call("GET", link, token="admin").json["first"]
    assert first == f"{NAMESPACES}?limit=1&sort_key=namespace&sort_dir=asc&visibility=public"
    while link:
        page = three.call("GET", link, token="admin").json
        assert page["schema"] == "/v2/schemas/metadefs/namespaces"
        assert page["first"] == first
        seen += [item["namespace"] for item in page["namespaces"]]
        link = page.get("next")
    assert seen == ["a", "c"]


def test_pages_are_as_long_as_the_settings_say(tmp_path: Path) -> None:
    for catalog in make(tmp_path, limit_param_default=2, api_limit_max=3):
        for name in "abcd":
            catalog.namespace(name)
        assert names(catalog, "sort_dir=asc") == "a b"
        assert names(catalog, "sort_dir=asc&limit=100") == "a b c"
