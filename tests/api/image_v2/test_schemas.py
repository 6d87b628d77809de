"""`GET /v2/schemas/…`, for everybody with a token."""

from collections.abc import Iterator

import pytest

from tests.api.image_v2.metadefs_client import Catalog
from tests.api.image_v2.metadefs_client import catalog as make

NAMES = {
    "image": "image",
    "images": "images",
    "member": "member",
    "members": "members",
    "task": "task",
    "tasks": "tasks",
    "metadefs/namespace": "namespace",
    "metadefs/namespaces": "namespaces",
    "metadefs/resource_type": "resource_type_association",
    "metadefs/resource_types": "resource_type_associations",
    "metadefs/property": "property",
    "metadefs/properties": "properties",
    "metadefs/object": "object",
    "metadefs/objects": "objects",
    "metadefs/tag": "tag",
    "metadefs/tags": "tags",
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    yield from make(tmp_path_factory.mktemp("schemas"), disk_formats=("raw", "qcow2"))


@pytest.mark.parametrize("path", NAMES)
def test_every_schema_is_served_under_its_name(catalog: Catalog, path: str) -> None:
    for who in ("reader", "member", "other", "admin", "service", "unscoped"):
        answer = catalog.call("GET", f"/v2/schemas/{path}", token=who)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert answer.json["name"] == NAMES[path]
    assert catalog.call("GET", f"/v2/schemas/{path}", token=None).status == 401


@pytest.mark.parametrize("path", NAMES)
def test_schemas_are_only_read(catalog: Catalog, path: str) -> None:
    for method in ("HEAD", "POST", "PUT", "PATCH", "DELETE"):
        answer = catalog.call(method, f"/v2/schemas/{path}")
        assert (answer.status, answer.headers["allow"]) == (405, "GET")
    assert catalog.call("GET", f"/v2/schemas/{path}", body={}).status == 400
    assert catalog.call("GET", f"/v2/schemas/{path}/").status == 404


def test_a_collection_holds_its_items_schema(catalog: Catalog) -> None:
    item = catalog.call("GET", "/v2/schemas/image").json
    page = catalog.call("GET", "/v2/schemas/images").json
    assert page["properties"]["images"]["items"] == item
    assert [link["rel"] for link in page["links"]] == ["first", "next", "describedby"]
    assert [link["rel"] for link in item["links"]] == ["self", "enclosure", "describedby"]
    assert item["additionalProperties"] == {"type": "string"}
    assert item["properties"]["disk_format"]["enum"] == [None, "raw", "qcow2"]


def test_tasks_in_a_list_have_no_input_result_or_message(catalog: Catalog) -> None:
    whole = set(catalog.call("GET", "/v2/schemas/task").json["properties"])
    page = catalog.call("GET", "/v2/schemas/tasks").json
    assert whole - set(page["properties"]["tasks"]["items"]["properties"]) == {"input", "result", "message"}
    assert set(page["properties"]) == {"tasks", "schema"}


@pytest.mark.parametrize(
    ("path", "required"),
    [
        ("namespace", ["namespace"]),
        ("property", ["type", "title", "name"]),
        ("object", ["name"]),
        ("tag", ["name"]),
        ("resource_type", ["name"]),
    ],
)
def test_metadata_schemas_name_what_is_required(catalog: Catalog, path: str, required: list[str]) -> None:
    schema = catalog.call("GET", f"/v2/schemas/metadefs/{path}").json
    assert schema["required"] == required
    assert schema["additionalProperties"] is False


def test_properties_are_a_mapping_by_name(catalog: Catalog) -> None:
    schema = catalog.call("GET", "/v2/schemas/metadefs/properties").json
    values = schema["properties"]["properties"]["additionalProperties"]
    assert values["required"] == ["type", "title"]
    assert "definitions" not in values
    assert "definitions" in schema
