"""Whatever is sent as a location, or to the cache: an answer below 500, and no data from where none may come."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.image_v2.client import CALLERS, Cloud
from tests.api.image_v2.test_fuzz import IDS, METHODS, values

URLS = (
    "http://127.0.0.1/",
    "http://127.0.0.1:99999/",
    "http://[::1",
    "http://[fe80::1%25lo]/",
    "http://169.254.169.254/latest",
    "https://0/",
    "http://a b/",
    "http:///",
    "http://\u0001/",
    "http://xn--/",
    "http:/127.0.0.1",
    "HTTP://127.0.0.1",
    "file:///etc/passwd",
    "filesystem:///etc/passwd",
    "swift+config://a/b",
    f"appliance://near/{IDS[0]}",
    "",
)
PATHS = (
    "/v2/images/{i}/locations",
    "/v2/cache",
    "/v2/cache/{i}",
    "/v2/cache/clean",
    "/v2/cache/prune",
    "/v2/cache/nodes/{i}",
    "/v2/cached_images",
    "/v2/cached_images/{i}",
    "/v2/queued_images",
    "/v2/queued_images/{i}",
    "/v2/info/usage",
    "/v2/stores/near/{i}",
)

urls = st.sampled_from(URLS) | st.text(max_size=12)
digests = st.fixed_dictionaries(
    {},
    optional={
        "checksum": st.text("0123456789abcdef", min_size=32, max_size=32) | values,
        "os_hash_algo": st.sampled_from(["sha512", "sha256", "md5", "shake_128", "none"]) | values,
        "os_hash_value": st.text("0123456789abcdefé", max_size=128) | values,
    },
)
places = st.fixed_dictionaries(
    {"url": urls}, optional={"metadata": st.just({}) | values, "validation_data": digests | values}
)
operations = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "replace", "remove"]),
        "path": st.sampled_from(["/locations", "/locations/-", "/locations/0", "/locations/²", "/locations/x/y"]),
    },
    optional={"value": places | st.lists(places, max_size=2) | values},
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory = tmp_path_factory.mktemp("fuzz")
    cloud = Cloud(
        directory,
        enabled_backends=("near:file", "web:http"),
        show_multiple_locations=True,
        show_image_direct_url=True,
        image_cache_dir=str(directory / "cache"),
        use_keystone_limits=True,
    )
    cloud.limits.update(image_count_total=9, image_size_total=9, image_stage_total=9, image_count_uploading=9)
    cloud.images.recover()
    for one in IDS:
        cloud.new(id=one)
    cloud.put(IDS[0], b"data")
    yield cloud
    cloud.close()


def check(cloud: Cloud) -> None:
    places = [place for one in IDS for place in cloud.show(one)["locations"]]
    assert [place["url"] for place in places] == [f"appliance://near/{IDS[0]}"]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    image=st.sampled_from(IDS),
    changes=st.lists(operations, min_size=1, max_size=2),
    who=st.sampled_from([*CALLERS, None]),
)
def test_no_change_of_locations_breaks_the_service(
    shared: Cloud, image: str, changes: list[dict[str, Any]], who: str | None
) -> None:
    kind = "application/openstack-images-v2.1-json-patch"
    headers = {"Content-Type": kind}
    answer = shared.call("PATCH", f"/v2/images/{image}", token=who, body=changes, headers=headers)
    assert answer.status < 500, answer
    check(shared)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from([*METHODS, "POST", "POST"]),
    path=st.sampled_from([*PATHS, PATHS[0], PATHS[0]]),
    image=st.sampled_from(IDS) | st.text(max_size=9),
    who=st.sampled_from([*CALLERS, None]),
    body=st.none() | places | values | st.binary(max_size=20),
    target=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=9),
)
def test_no_request_for_locations_or_the_cache_breaks_the_service(
    shared: Cloud, method: str, path: str, image: str, who: str | None, body: Any, target: str
) -> None:
    headers = {"x-image-cache-clear-target": target}
    address = path.format(i=quote(image, safe=""))
    answer = shared.call(method, address, token=who, body=body, headers=headers)
    assert answer.status < 500, answer
    check(shared)
