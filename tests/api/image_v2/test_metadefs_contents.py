"""What is in a namespace: objects, properties, tags and resource types."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.image_v2.metadefs_client import NAMESPACES, PROPERTY, Catalog
from tests.api.image_v2.metadefs_client import catalog as make


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    for made in make(tmp_path):
        made.furnish("n", visibility="public")
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """One for the many tests of what is refused."""
    for made in make(tmp_path_factory.mktemp("shared")):
        made.furnish("n", visibility="public")
        yield made


# -- objects ---------------------------------------------------------------------------------------------------


def test_an_object_reads_back_as_it_was_made(catalog: Catalog) -> None:
    body = {"name": "box", "required": ["a"], "description": "", "properties": {"a": {"type": "array", "title": "A"}}}
    made = catalog.good("POST", "/n/objects", body)
    assert {key: made[key] for key in body} == body
    assert made["self"] == f"{NAMESPACES}/n/objects/box"
    assert made["schema"] == "/v2/schemas/metadefs/object"
    assert catalog.good("GET", "/n/objects/box") == made


def test_an_object_shows_empty_lists_only_when_read(catalog: Catalog) -> None:
    made = catalog.good("POST", "/n/objects", {"name": "bare"})
    assert not {"required", "properties", "description"} & set(made)
    assert catalog.good("GET", "/n/objects/bare") == {"required": [], "properties": {}, **made}


def test_objects_are_listed_by_name_and_never_paged(catalog: Catalog) -> None:
    catalog.good("POST", "/n/objects", {"name": "a"})
    listed = catalog.good("GET", "/n/objects?limit=1&marker=o&sort_key=anything")
    assert [item["name"] for item in listed["objects"]] == ["a", "o"]
    assert listed["schema"] == "v2/schemas/metadefs/objects"


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=-1", "sort_dir=up", "visibility=odd"])
def test_the_list_of_objects_checks_what_it_ignores(shared: Catalog, query: str) -> None:
    assert shared.admin("GET", f"/n/objects?{query}").status == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 400),
        ([], 400),
        ({}, 400),
        ({"name": "o"}, 409),
        ({"name": ""}, 400),
        ({"name": "o" * 81}, 400),
        ({"name": "x", "description": None}, 400),
        ({"name": "x", "required": ["a", "a"]}, 400),
        ({"name": "x", "unknown": 1}, 400),
        ({"name": "x", "self": "y"}, 403),
        ({"name": "x", "properties": {"a": {"type": "string"}}}, 400),
        ({"name": "x", "properties": {"a": {"type": "string", "title": "A", "unknown": 1}}}, 400),
    ],
)
def test_objects_are_checked_on_the_way_in(shared: Catalog, body: Any, status: int) -> None:
    assert shared.admin("POST", "/n/objects", body).status == status


def test_put_replaces_and_renames_an_object(catalog: Catalog) -> None:
    made = catalog.good("POST", "/n/objects", {"name": "a", "description": "d", "required": ["x"]})
    changed = catalog.good("PUT", "/n/objects/a", {"name": "b"})
    assert (changed["name"], "description" in changed) == ("b", False)
    assert changed["created_at"] == made["created_at"] < changed["updated_at"]
    assert catalog.admin("GET", "/n/objects/a").status == 404
    assert catalog.good("GET", "/n/objects/b")["required"] == []
    assert catalog.admin("PUT", "/n/objects/b", {"name": "o"}).status == 409
    assert catalog.admin("PUT", "/n/objects/a", {"name": "a"}).status == 404


# -- properties ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"default": 1}, {"default": "1"}),
        ({"default": True}, {"default": "True"}),
        ({"default": 1.5}, {"default": "1.5"}),
        ({"default": "é"}, {"default": "é"}),
        ({"default": [1]}, {"default": None}),
        ({"enum": ["a", None]}, {"enum": ["a", None]}),
        ({"minimum": 1.0, "maximum": 2}, {"minimum": 1, "maximum": 2}),
        ({"operators": ["<or>"]}, {"operators": ["<or>"]}),
        ({"readonly": False, "pattern": "(("}, {"readonly": False, "pattern": "(("}),
        ({"items": {"type": "string", "enum": ["a"]}}, {"items": {"type": "string", "enum": ["a"]}}),
        ({"minLength": 0, "uniqueItems": True, "maxItems": 3}, {"minLength": 0, "uniqueItems": True, "maxItems": 3}),
    ],
)
def test_a_property_reads_back_in_one_form(catalog: Catalog, given: Any, shown: Any) -> None:
    made = catalog.good("POST", "/n/properties", {**PROPERTY, "name": "q", **given})
    assert made == {"name": "q", "type": "string", "title": "P", **shown}
    assert catalog.good("GET", "/n/properties/q") == made
    assert catalog.good("GET", "/n/properties")["properties"]["q"] == made


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "p"}, 409),
        ({"name": ""}, 400),
        ({"name": "n" * 81}, 400),
        ({"type": "text"}, 400),
        ({"type": None}, 400),
        ({"title": 1}, 400),
        ({"enum": [1]}, 400),
        ({"items": {}}, 400),
        ({"items": {"type": "string", "unknown": 1}}, 400),
        ({"required": ["a"]}, 400),
        ({"minimum": True}, 400),
        ({"minLength": -1}, 400),
        ({"self": "x"}, 400),
        ({"created_at": "x"}, 403),
    ],
)
def test_properties_are_checked_on_the_way_in(shared: Catalog, change: Any, status: int) -> None:
    assert shared.admin("POST", "/n/properties", {**PROPERTY, "name": "q", **change}).status == status


def test_bounds_must_be_finite(shared: Catalog) -> None:
    body = b'{"name": "q", "type": "number", "title": "Q", "minimum": 1e999}'
    assert shared.admin("POST", "/n/properties", body).status == 400


def test_properties_are_listed_by_name_with_the_name_only_if_given(catalog: Catalog) -> None:
    catalog.good("POST", "/n/properties", {**PROPERTY, "name": "a"})
    listed = catalog.good("GET", "/n/properties")["properties"]
    assert list(listed) == ["a", "p"]
    assert listed["p"] == {"type": "string", "title": "P"}
    assert catalog.good("GET", "/n/properties/p") == {"name": "p", "type": "string", "title": "P"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("x_p?resource_type=OS::Glance::Image", 200),
        ("p?resource_type=OS::Glance::Image", 404),
        ("x_q?resource_type=OS::Glance::Image", 404),
        ("p?resource_type=OS::Nova::Flavor", 404),
        ("p?resource_type=unknown", 404),
        ("p?resource_type=", 200),
        ("p?unknown=1", 200),
    ],
)
def test_a_property_is_found_by_its_name_on_a_resource(catalog: Catalog, path: str, status: int) -> None:
    catalog.good("POST", "/n/resource_types", {"name": "OS::Nova::Flavor"})
    answer = catalog.admin("GET", f"/n/properties/{path}")
    assert answer.status == status
    assert status != 200 or answer.json["name"] == "p"


def test_put_replaces_and_renames_a_property(catalog: Catalog) -> None:
    body = {"name": "q", "type": "boolean", "title": "Q"}
    assert catalog.good("PUT", "/n/properties/p", body) == body
    assert catalog.admin("GET", "/n/properties/p").status == 404
    catalog.good("POST", "/n/properties", PROPERTY)
    assert catalog.admin("PUT", "/n/properties/q", PROPERTY).status == 409
    assert catalog.admin("PUT", "/n/properties/q", {"type": "string", "title": "Q"}).status == 400
    assert catalog.good("GET", "/n/properties/q") == body


# -- tags ------------------------------------------------------------------------------------------------------


def tags(catalog: Catalog, query: str = "sort_key=name&sort_dir=asc") -> str:
    return " ".join(tag["name"] for tag in catalog.good("GET", f"/n/tags?{query}")["tags"])


def test_a_list_of_tags_takes_the_place_of_all(catalog: Catalog) -> None:
    made = catalog.good("POST", "/n/tags", {"tags": [{"name": "a"}, {"name": "b"}]})
    assert made == {"tags": [{"name": "a"}, {"name": "b"}]}
    assert tags(catalog) == "a b"
    catalog.good("POST", "/n/tags", {"tags": []})
    assert tags(catalog) == "a b", "an empty list changes nothing"


@pytest.mark.parametrize(("header", "after"), [("True", "a t"), ("yes", "a t"), ("1", "a t"), ("no", "a"), ("?", "a")])
def test_a_list_of_tags_is_added_if_the_header_says_so(catalog: Catalog, header: str, after: str) -> None:
    catalog.good("POST", "/n/tags", {"tags": [{"name": "a"}]}, X_Openstack_Append=header)
    assert tags(catalog) == after


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 400),
        ([], 400),
        ({}, 400),
        ({"tags": [{}]}, 400),
        ({"tags": [{"name": 1}]}, 400),
        ({"tags": [{"name": "n" * 81}]}, 400),
        ({"tags": [{"name": "a", "unknown": 1}]}, 400),
        ({"unknown": []}, 400),
        ({"tags": [], "created_at": "x"}, 403),
        ({"tags": [{"name": "a"}, {"name": "a"}]}, 409),
    ],
)
def test_a_refused_list_of_tags_changes_nothing(shared: Catalog, body: Any, status: int) -> None:
    assert shared.admin("POST", "/n/tags", body).status == status
    assert tags(shared) == "t"


def test_one_tag_is_made_shown_renamed_and_removed(catalog: Catalog) -> None:
    made = catalog.good("POST", "/n/tags/u")
    assert set(made) == {"name", "created_at", "updated_at"}
    assert catalog.good("GET", "/n/tags/u") == made
    assert catalog.admin("POST", "/n/tags/u").status == 409
    assert catalog.admin("POST", "/n/tags/" + "u" * 81).status == 400
    assert catalog.admin("PUT", "/n/tags/u", {"name": "t"}).status == 409
    assert catalog.admin("PUT", "/n/tags/u", {}).status == 400
    assert catalog.admin("PUT", "/n/tags/u", {"name": "v", "updated_at": "x"}).status == 403
    assert catalog.good("PUT", "/n/tags/u", {"name": "v"})["created_at"] == made["created_at"]
    assert catalog.admin("DELETE", "/n/tags/u").status == 404
    assert catalog.admin("DELETE", "/n/tags/v").status == 204


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "c b a"),
        ("sort_dir=asc", "a b c"),
        ("limit=2", "c b"),
        ("limit=0", ""),
        ("limit=", "c b a"),
        ("marker=c", "b a"),
        ("marker=", "c b a"),
        ("sort_key=name&sort_dir=asc&marker=a&limit=1", "b"),
        ("visibility=shared", "c b a"),
    ],
)
def test_tags_are_sorted_and_paged(catalog: Catalog, query: str, expected: str) -> None:
    catalog.good("POST", "/n/tags", {"tags": [{"name": "a"}]})
    for name in "bc":
        catalog.good("POST", f"/n/tags/{name}")
    assert tags(catalog, query) == expected


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=-1", 400),
        ("limit=x", 400),
        ("sort_dir=up", 400),
        ("sort_key=namespace_id", 400),
        ("visibility=odd", 400),
        ("marker=nothing", 404),
    ],
)
def test_the_list_of_tags_refuses_what_it_does_not_know(shared: Catalog, query: str, status: int) -> None:
    assert shared.admin("GET", f"/n/tags?{query}").status == status


# -- resource types --------------------------------------------------------------------------------------------


def test_a_resource_type_is_known_once_it_is_associated(catalog: Catalog) -> None:
    made = catalog.good("POST", "/n/resource_types", {"name": "T", "prefix": "t_", "properties_target": "image"})
    assert list(made) == ["name", "prefix", "properties_target", "created_at", "updated_at"]
    listed = catalog.good("GET", "/n/resource_types")["resource_type_associations"]
    assert [tie["name"] for tie in listed] == ["OS::Glance::Image", "T"]
    assert catalog.admin("DELETE", "/n/resource_types/T").status == 204
    assert catalog.admin("DELETE", "/n/resource_types/T").status == 404
    known = catalog.call("GET", "/v2/metadefs/resource_types", token="reader").json["resource_types"]
    assert [entry["name"] for entry in known] == ["OS::Glance::Image", "T"]
    assert set(known[0]) == {"name", "created_at", "updated_at"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 400),
        ({}, 400),
        ({"name": ""}, 400),
        ({"name": "n" * 81}, 400),
        ({"name": "x", "prefix": "p" * 81}, 400),
        ({"name": "x", "unknown": 1}, 400),
        ({"name": "x", "created_at": "y"}, 403),
        ({"name": "OS::Glance::Image"}, 409),
        ({"name": "x", "prefix": "", "properties_target": ""}, 201),
    ],
)
def test_associations_are_checked_on_the_way_in(shared: Catalog, body: Any, status: int) -> None:
    assert shared.admin("POST", "/n/resource_types", body).status == status


# -- all at once -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["objects", "properties", "tags"])
def test_a_kind_can_be_emptied_and_leaves_the_others(catalog: Catalog, kind: str) -> None:
    before = catalog.good("GET", "/n")
    assert catalog.admin("DELETE", f"/n/{kind}").status == 204
    after = catalog.good("GET", "/n")
    assert {key: value for key, value in before.items() if key != kind} == after


# -- characters ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"namespace": "\U0001f600"}),
        ("", {"namespace": "m", "description": "\U0001f600"}),
        ("/n/objects", {"name": "o", "description": "\U0001f600"}),
        ("/n/properties", {**PROPERTY, "name": "p", "title": "\U0001f600"}),
        ("/n/tags/%F0%9F%98%80", None),
    ],
)
def test_characters_of_four_bytes_are_refused(shared: Catalog, path: str, body: Any) -> None:
    assert shared.call("POST", f"{NAMESPACES}{path}", token="admin", body=body).status == 400
