"""Whatever is sent to the metadata definitions, the answer is never a failure of the service."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.image_v2.metadefs_client import NAMESPACES, Catalog
from tests.api.image_v2.metadefs_client import catalog as make


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    yield from make(tmp_path_factory.mktemp("fuzz"))


NAMES = st.sampled_from(["a", "b", "é", "a b", "", "x" * 80, "x" * 81]) | st.text(max_size=5)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def some(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Mostly the right shape, sometimes with any value in a place."""
    loose = {key: value | JSON for key, value in optional.items()}
    return st.fixed_dictionaries(required, optional=optional) | st.fixed_dictionaries(required, optional=loose)


PROPERTIES = some(
    {"type": st.sampled_from(["string", "integer", "array"]), "title": st.text(max_size=3)},
    {
        "name": NAMES,
        "default": JSON,
        "enum": st.lists(st.text(max_size=3), max_size=3),
        "minimum": st.integers() | st.floats(allow_nan=False),
        "maxLength": st.integers(),
        "items": JSON,
        "required": st.lists(st.text(max_size=3)),
    },
)
OBJECTS = some(
    {"name": NAMES},
    {"description": st.text(), "required": st.lists(NAMES), "properties": st.dictionaries(NAMES, PROPERTIES)},
)
TAGS = some({"name": NAMES}, {})
TYPES = some({"name": NAMES}, {"prefix": NAMES, "properties_target": NAMES})
BODIES = st.one_of(
    some(
        {"namespace": NAMES},
        {
            "visibility": st.sampled_from(["public", "private"]),
            "protected": st.booleans(),
            "owner": st.text(max_size=3),
            "objects": st.lists(OBJECTS, max_size=2),
            "properties": st.dictionaries(NAMES, PROPERTIES, max_size=2),
            "tags": st.lists(TAGS, max_size=2),
            "resource_type_associations": st.lists(TYPES, max_size=2),
        },
    ),
    OBJECTS,
    PROPERTIES,
    TAGS,
    TYPES,
    st.fixed_dictionaries({"tags": st.lists(TAGS, max_size=3)}),
    JSON,
)
PATHS = st.sampled_from(
    ["", "/{}", "/{}/objects", "/{}/objects/{}", "/{}/properties", "/{}/properties/{}"]
    + ["/{}/tags", "/{}/tags/{}", "/{}/resource_types", "/{}/resource_types/{}"]
)
QUERIES = st.dictionaries(
    st.sampled_from(["limit", "marker", "sort_key", "sort_dir", "visibility", "resource_types", "resource_type"]),
    st.sampled_from(["1", "0", "-1", "asc", "name", "namespace", "public", "id", "٣", "9" * 30]) | NAMES,
    max_size=3,
)
METHODS = st.sampled_from(["GET", "GET", "POST", "POST", "PUT", "DELETE"])


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(method=METHODS, path=PATHS, first=NAMES, second=NAMES, body=BODIES, query=QUERIES, data=st.booleans())
def test_nothing_that_is_sent_makes_the_service_fail(
    catalog: Catalog,
    method: str,
    path: str,
    first: str,
    second: str,
    body: Any,
    query: dict[str, str],
    data: bool,
) -> None:
    target = path.format(quote(first, safe="", errors="replace"), quote(second, safe="", errors="replace"))
    arguments = "&".join(f"{key}={quote(value, errors='replace')}" for key, value in query.items())
    sent = json.dumps(body).encode() if method in ("POST", "PUT") and data else None
    answer = catalog.call(method, f"{NAMESPACES}{target}?{arguments}", token="admin", body=sent)
    assert answer.status < 500, answer
    if answer.body and answer.status < 300:
        json.loads(answer.body, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
