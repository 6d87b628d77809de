"""Whatever is sent to any route, as anybody: an answer below 500, and never a half-made image."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.image_v2.client import CALLERS, Cloud

IDS = ("71c675ab-d94f-49cd-a114-e12490b328d9", "00000000-0000-4000-8000-000000000001")
NAMES = (
    "name id status visibility owner protected os_hidden disk_format container_format min_ram min_disk tags locations "
    "size checksum created_at kernel_id os_glance_x k self deleted member method stores all_stores type input"
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TYPES = (
    "application/json",
    "application/octet-stream",
    "application/openstack-images-v2.1-json-patch",
    "application/openstack-images-v2.0-json-patch",
    "",
)
PATHS = (
    "",
    "/{i}",
    "/{i}/file",
    "/{i}/stage",
    "/{i}/import",
    "/{i}/tasks",
    "/{i}/members",
    "/{i}/members/{t}",
    "/{i}/tags/{t}",
    "/{i}/actions/deactivate",
    "/{i}/actions/reactivate",
)
QUERIES = (
    "limit marker sort sort_key sort_dir visibility member_status name id status created_at size size_min min_ram_max "
    "protected os_hidden tag k owner checksum name_min changes-since prefer"
)

words = st.sampled_from(NAMES.split())
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["raw", "bare", "public", "shared", *IDS, "in:a,b", "gt:2020-01-01", "web-download", "import"]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=9), inner, max_size=3)
)
operations = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "replace", "remove", "move"]),
        "path": st.builds(lambda word: f"/{word}", words) | st.text(max_size=9),
        "value": values,
        "add": st.text(max_size=9),
    },
)
bodies = st.one_of(st.dictionaries(words, values, max_size=5), st.lists(operations, max_size=3), values)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path_factory.mktemp("fuzz"))
    yield cloud
    cloud.close()


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(METHODS),
    path=st.sampled_from(PATHS),
    image=st.sampled_from(IDS) | st.text(max_size=9),
    text=st.text(max_size=12),
    who=st.sampled_from([*CALLERS, None]),
    kind=st.sampled_from(TYPES),
    body=st.none() | bodies | st.binary(max_size=30),
    header=st.sampled_from(["range", "content-range", "x-openstack-image-size", "x-image-meta-store", "accept"]),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=15),
)
def test_no_request_breaks_the_service(
    shared: Cloud,
    method: str,
    path: str,
    image: str,
    text: str,
    who: str | None,
    kind: str,
    body: Any,
    header: str,
    value: str,
) -> None:
    for one in IDS:
        if shared.call("GET", f"/v2/images/{one}", token="admin").status == 404:
            shared.call("POST", "/v2/images", body={"id": one, "disk_format": "raw", "container_format": "bare"})
    target = "/v2/images" + path.format(i=quote(image, safe=""), t=quote(text, safe=""))
    answer = shared.call(method, target, token=who, body=body, headers={"Content-Type": kind, header: value})
    assert answer.status < 500, answer
    passing = shared.db.rows("SELECT status FROM images WHERE status = 'saving'")
    assert not passing


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    query=st.lists(st.tuples(st.sampled_from(QUERIES.split()) | st.text(max_size=6), scalars), max_size=4),
    who=st.sampled_from(["admin", "member", "consumer"]),
)
def test_no_question_breaks_a_list(shared: Cloud, query: list[tuple[str, Any]], who: str) -> None:
    shared.call("POST", "/v2/images", body={"name": "a"})
    text = "&".join(f"{quote(name, errors='replace')}={quote(str(value), errors='replace')}" for name, value in query)
    answer = shared.call("GET", f"/v2/images?{text}", token=who)
    assert answer.status in (200, 400), answer
