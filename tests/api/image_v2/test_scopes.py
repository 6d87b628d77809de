"""Tokens for the system or a domain: the policies of the image API let in neither, whatever the roles.

The codes are those that Glance 33 gave to an admin of the system, and to one of a domain.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.image_v2.client import Cloud
from tests.api.image_v2.metadefs_client import NAMESPACES, Catalog
from tests.api.image_v2.metadefs_client import catalog as make

PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
OCTETS = {"Content-Type": "application/octet-stream"}
UNKNOWN = "12345678-1234-1234-1234-123456789abc"
WEB = {"method": {"name": "web-download", "uri": "http://example.com/x"}}
TASK = {"type": "import", "input": {"import_from": "http://x", "import_from_format": "raw", "image_properties": {}}}

# what is asked of an image: method, path after the image's, body, headers; the status if it is shared, and otherwise
Requests = list[tuple[str, str, Any, dict[str, str], int, int]]
OF_A_QUEUED_IMAGE: Requests = [
    ("PUT", "/file", b"x", OCTETS, 404, 404),
    ("PUT", "/stage", b"x", OCTETS, 404, 404),
    ("POST", "/import", WEB, {}, 404, 404),
    ("POST", "/locations", {"url": "http://x"}, {}, 404, 404),
]
OF_AN_ACTIVE_IMAGE: Requests = [
    ("GET", "", None, {}, 404, 404),
    ("GET", "/file", None, {}, 404, 404),
    ("GET", "/tasks", None, {}, 404, 404),
    ("GET", "/locations", None, {}, 404, 404),
    ("PATCH", "", [{"op": "replace", "path": "/name", "value": "y"}], PATCH, 404, 404),
    (
        "PATCH",
        "",
        [{"op": "add", "path": "/locations/-", "value": {"url": "http://x", "metadata": {}}}],
        PATCH,
        404,
        404,
    ),
    ("PUT", "/file", b"x", OCTETS, 404, 404),
    ("POST", "/import", {"method": {"name": "copy-image"}, "stores": ["other"]}, {}, 404, 404),
    ("POST", "/actions/deactivate", None, {}, 404, 404),
    ("POST", "/actions/reactivate", None, {}, 404, 404),
    ("PUT", "/tags/t", None, {}, 404, 404),
    ("DELETE", "/tags/t", None, {}, 404, 404),
    ("GET", "/members", None, {}, 404, 403),
    ("POST", "/members", {"member": "m"}, {}, 404, 403),
    ("GET", "/members/p", None, {}, 404, 404),
    ("PUT", "/members/p", {"status": "accepted"}, {}, 404, 403),
    ("DELETE", "/members/p", None, {}, 404, 403),
    ("DELETE", "", None, {}, 404, 404),
]

OF_THE_SERVICE: list[tuple[str, str, Any, int]] = [
    ("GET", "/v2/images", None, 403),
    ("POST", "/v2/images", {"name": "z"}, 403),
    ("POST", "/v2/images", {"name": "z", "owner": "p1"}, 403),
    ("POST", "/v2/images", {"name": "z", "visibility": "public"}, 403),
    ("POST", "/v2/images", {"name": 7}, 400),
    ("GET", f"/v2/images/{UNKNOWN}", None, 404),
    ("GET", "/v2/info/import", None, 200),
    ("GET", "/v2/info/stores", None, 200),
    ("GET", "/v2/info/stores/detail", None, 403),
    ("GET", "/v2/info/usage", None, 200),
    ("GET", "/v2/schemas/image", None, 200),
    ("GET", "/v2/tasks", None, 403),
    ("POST", "/v2/tasks", TASK, 403),
    ("GET", f"/v2/tasks/{UNKNOWN}", None, 403),
    ("DELETE", f"/v2/tasks/{UNKNOWN}", None, 403),
    ("GET", "/v2/cache", None, 403),
    ("DELETE", "/v2/cache", None, 403),
    ("POST", "/v2/cache/prune", None, 403),
    ("POST", "/v2/cache/clean", None, 403),
    ("PUT", f"/v2/cache/{UNKNOWN}", None, 404),
    ("GET", f"/v2/cache/nodes/{UNKNOWN}", None, 403),
    ("GET", "/v2/cached_images", None, 403),
    ("GET", "/v2/queued_images", None, 403),
    ("PUT", f"/v2/queued_images/{UNKNOWN}", None, 403),
]

OF_DEFINITIONS: list[tuple[str, str, Any]] = [
    ("GET", NAMESPACES, None),
    ("POST", NAMESPACES, {"namespace": "new"}),
    ("GET", f"{NAMESPACES}/there", None),
    ("PUT", f"{NAMESPACES}/there", {"namespace": "there", "visibility": "public"}),
    ("DELETE", f"{NAMESPACES}/unknown", None),
    ("GET", f"{NAMESPACES}/there/objects", None),
    ("POST", f"{NAMESPACES}/there/objects", {"name": "o"}),
    ("GET", f"{NAMESPACES}/there/properties", None),
    ("POST", f"{NAMESPACES}/there/properties", {"name": "p", "type": "string", "title": "t"}),
    ("GET", f"{NAMESPACES}/there/tags", None),
    ("POST", f"{NAMESPACES}/there/tags/t", None),
    ("DELETE", f"{NAMESPACES}/there/tags", None),
    ("GET", f"{NAMESPACES}/there/resource_types", None),
    ("GET", "/v2/metadefs/resource_types", None),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory: Path = tmp_path_factory.mktemp("scopes")
    cloud = Cloud(
        directory,
        enabled_backends=("local:file", "other:file", "web:http"),
        image_cache_dir=str(directory / "cache"),
        show_multiple_locations=True,
    )
    cloud.images.recover()
    yield cloud
    cloud.close()


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    for made in make(tmp_path_factory.mktemp("definitions")):
        made.namespace("there")
        yield made


@pytest.mark.parametrize("who", ["system", "domain"])
@pytest.mark.parametrize("visibility", ["private", "shared", "community", "public"])
@pytest.mark.parametrize(
    ("queued", "method", "path", "body", "headers", "of_shared", "of_others"),
    [*((True, *asked) for asked in OF_A_QUEUED_IMAGE), *((False, *asked) for asked in OF_AN_ACTIVE_IMAGE)],
)
def test_no_image_is_open_to_them(
    cloud: Cloud,
    who: str,
    visibility: str,
    queued: bool,
    method: str,
    path: str,
    body: Any,
    headers: dict[str, str],
    of_shared: int,
    of_others: int,
) -> None:
    image = cloud.new("admin", name="x", visibility=visibility)["id"]
    assert queued or cloud.put(image, b"some data", "admin").status == 204
    answer = cloud.call(method, f"/v2/images/{image}{path}", token=who, body=body, headers=headers)
    assert answer.status == (of_shared if visibility == "shared" else of_others), answer
    assert cloud.call("GET", f"/v2/images/{image}", token="admin").json["name"] == "x"


@pytest.mark.parametrize("who", ["system", "domain"])
@pytest.mark.parametrize(("method", "path", "body", "status"), OF_THE_SERVICE)
def test_of_the_service_they_may_ask_what_anybody_may(
    cloud: Cloud, who: str, method: str, path: str, body: Any, status: int
) -> None:
    assert cloud.call(method, path, token=who, body=body).status == status


@pytest.mark.parametrize("who", ["system", "domain"])
@pytest.mark.parametrize(("method", "path", "body"), OF_DEFINITIONS)
def test_metadata_definitions_are_not_there_for_them(
    catalog: Catalog, who: str, method: str, path: str, body: Any
) -> None:
    assert catalog.call(method, path, token=who, body=body).status == 404


def test_the_appliance_s_own_operations_are_open_to_an_admin_of_the_system(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, delayed_delete=True)
    image = cloud.active()["id"]
    assert cloud.call("DELETE", f"/v2/images/{image}").status == 204
    cloud.images.deletion.restore(cloud.authenticate("system", "", ""), image)
    assert cloud.show(image)["status"] == "active"
    cloud.close()
