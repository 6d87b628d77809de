"""Every route of the metadata definitions, for everybody, in public, private and protected namespaces."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.image_v2.metadefs_client import NAMESPACES, PROPERTY, Catalog
from tests.api.image_v2.metadefs_client import catalog as make

EVERYBODY = (None, "reader", "member", "other", "service", "unscoped", "admin")


def furnish(catalog: Catalog) -> None:
    catalog.furnish("n", owner="p-owner", visibility="public")
    catalog.furnish("hidden", owner="p-owner")
    catalog.furnish("kept", owner="p-owner", visibility="public", protected=True)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    for made in make(tmp_path):
        furnish(made)
        yield made


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """The same, for tests that change nothing."""
    for made in make(tmp_path_factory.mktemp("untouched")):
        furnish(made)
        yield made


READS = ["", "/objects", "/objects/o", "/properties", "/properties/p", "/tags", "/tags/t", "/resource_types"]

WRITES: list[tuple[str, str, Any, int]] = [
    ("PUT", "", {"namespace": "n"}, 200),
    ("POST", "/objects", {"name": "new"}, 201),
    ("PUT", "/objects/o", {"name": "o"}, 200),
    ("POST", "/properties", {**PROPERTY, "name": "new"}, 201),
    ("PUT", "/properties/p", PROPERTY, 200),
    ("POST", "/tags", {"tags": [{"name": "t"}, {"name": "u"}]}, 201),
    ("POST", "/tags/new", None, 201),
    ("PUT", "/tags/t", {"name": "t"}, 200),
    ("POST", "/resource_types", {"name": "OS::Nova::Flavor"}, 201),
]

DELETES = [
    "",
    "/objects",
    "/objects/o",
    "/properties",
    "/properties/p",
    "/tags",
    "/tags/t",
    "/resource_types/OS::Glance::Image",
]


def statuses(catalog: Catalog, method: str, path: str, body: Any = None) -> list[int]:
    """What everybody gets, the administrator last."""
    return [catalog.call(method, path, token=who, body=body).status for who in EVERYBODY]


@pytest.mark.parametrize("path", READS)
def test_public_namespaces_are_read_by_all_readers(untouched: Catalog, path: str) -> None:
    assert statuses(untouched, "GET", f"{NAMESPACES}/n{path}") == [401, 200, 200, 200, 404, 404, 200]


@pytest.mark.parametrize("path", READS)
def test_private_namespaces_exist_for_their_project_only(untouched: Catalog, path: str) -> None:
    assert statuses(untouched, "GET", f"{NAMESPACES}/hidden{path}") == [401, 200, 200, 404, 404, 404, 200]


@pytest.mark.parametrize(("method", "path", "body", "status"), WRITES)
def test_public_namespaces_are_changed_by_admins_only(
    catalog: Catalog, method: str, path: str, body: Any, status: int
) -> None:
    assert statuses(catalog, method, f"{NAMESPACES}/n{path}", body) == [401, 403, 403, 403, 404, 404, status]


@pytest.mark.parametrize(("method", "path", "body", "status"), WRITES)
def test_private_namespaces_do_not_betray_themselves_to_writers(
    catalog: Catalog, method: str, path: str, body: Any, status: int
) -> None:
    body = {"namespace": "hidden"} if path == "" else body
    assert statuses(catalog, method, f"{NAMESPACES}/hidden{path}", body) == [401, 403, 403, 404, 404, 404, status]


@pytest.mark.parametrize("path", DELETES)
def test_only_admins_delete(catalog: Catalog, path: str) -> None:
    assert statuses(catalog, "DELETE", f"{NAMESPACES}/n{path}") == [401, 403, 403, 403, 404, 404, 204]
    assert statuses(catalog, "DELETE", f"{NAMESPACES}/hidden{path}") == [401, 403, 403, 404, 404, 404, 204]


@pytest.mark.parametrize("path", DELETES)
def test_protected_namespaces_lose_nothing(untouched: Catalog, path: str) -> None:
    assert statuses(untouched, "DELETE", f"{NAMESPACES}/kept{path}") == [401, 403, 403, 403, 404, 404, 403]
    assert untouched.admin("GET", "/kept/objects/o").status == 200


def test_protected_namespaces_can_still_be_changed(catalog: Catalog) -> None:
    for method, path, body, status in WRITES[1:]:
        assert catalog.admin(method, f"/kept{path}", body).status == status, path
    catalog.good("PUT", "/kept", {"namespace": "kept", "protected": False})
    assert catalog.admin("DELETE", "/kept").status == 204


def test_only_admins_make_namespaces(catalog: Catalog) -> None:
    assert statuses(catalog, "POST", NAMESPACES, {"namespace": "new"}) == [401, 403, 403, 403, 404, 404, 201]


def test_lists_are_for_readers(untouched: Catalog) -> None:
    assert statuses(untouched, "GET", NAMESPACES) == [401, 200, 200, 200, 404, 404, 200]
    assert statuses(untouched, "GET", "/v2/metadefs/resource_types") == [401, 200, 200, 200, 404, 404, 200]


@pytest.mark.parametrize(
    ("who", "names"),
    [("admin", "hidden kept n"), ("member", "hidden kept n"), ("reader", "hidden kept n"), ("other", "kept n")],
)
def test_lists_hold_what_the_caller_may_see(untouched: Catalog, who: str, names: str) -> None:
    found = untouched.call("GET", f"{NAMESPACES}?sort_key=namespace&sort_dir=asc", token=who).json["namespaces"]
    assert " ".join(item["namespace"] for item in found) == names


def test_what_is_in_no_namespace_is_not_found(untouched: Catalog) -> None:
    calls = [(method, path, body) for method, path, body, _ in WRITES] + [("DELETE", path, None) for path in DELETES]
    for method, path, body in calls:
        presenter = statuses(untouched, method, f"{NAMESPACES}/nowhere{path}", body)
        assert presenter == [401, *[404] * 6], (method, path)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (NAMESPACES, {"GET", "POST"}),
        (f"{NAMESPACES}/n", {"GET", "PUT", "DELETE"}),
        (f"{NAMESPACES}/n/objects", {"GET", "POST", "DELETE"}),
        (f"{NAMESPACES}/n/objects/o", {"GET", "PUT", "DELETE"}),
        (f"{NAMESPACES}/n/properties", {"GET", "POST", "DELETE"}),
        (f"{NAMESPACES}/n/properties/p", {"GET", "PUT", "DELETE"}),
        (f"{NAMESPACES}/n/tags", {"GET", "POST", "DELETE"}),
        (f"{NAMESPACES}/n/tags/t", {"GET", "POST", "PUT", "DELETE"}),
        (f"{NAMESPACES}/n/resource_types", {"GET", "POST"}),
        (f"{NAMESPACES}/n/resource_types/OS::Glance::Image", {"DELETE"}),
        ("/v2/metadefs/resource_types", {"GET"}),
    ],
)
def test_other_methods_are_refused_with_the_list_of_those_allowed(
    untouched: Catalog, path: str, allowed: set[str]
) -> None:
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - allowed:
        answer = untouched.call(method, path, token="admin")
        assert (answer.status, set(answer.headers["allow"].split(", "))) == (405, allowed), method


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/n", 400),
        ("DELETE", "/n", 400),
        ("GET", "/n/objects/o", 400),
        ("DELETE", "/n/objects/o", 400),
        ("GET", "/n/properties", 400),
        ("GET", "/n/tags/t", 400),
        ("POST", "/n/tags/u", 400),
        ("DELETE", "/n/tags/t", 400),
        ("GET", "/n/resource_types", 400),
        ("DELETE", "/n/resource_types/OS::Glance::Image", 400),
        ("GET", "/n/objects", 200),
        ("DELETE", "/n/objects", 204),
        ("GET", "/n/properties/p", 200),
        ("DELETE", "/n/properties/p", 204),
        ("GET", "/n/tags", 200),
    ],
)
def test_a_body_is_refused_where_the_original_refuses_it(catalog: Catalog, method: str, path: str, status: int) -> None:
    assert catalog.admin(method, path, {}).status == status
