"""An operator's policy file for the image API: every policy is asked where Glance asks it, and refuses as there.

The codes of `REFUSED` are those that Glance 33 gave to an admin with the policy at hand set to `!`; those of
`manage_image_cache` its source says.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.api.image_v2 import metadef_items
from appliance.api.image_v2.routes import build
from appliance.image.metadefs.namespaces import Metadefs
from appliance.image.policies import BASE, OURS, RULES
from appliance.values import Caller
from tests.api.image_v2.client import Answer, Cloud
from tests.api.image_v2.metadefs_client import NAMESPACES

PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
OCTETS = {"Content-Type": "application/octet-stream"}
UNKNOWN = "12345678-1234-1234-1234-123456789abc"
URL = {"url": "http://127.0.0.1:9/x", "metadata": {}}
COPY = {"method": {"name": "copy-image"}, "stores": ["second"]}
IMPORT = {"method": {"name": "web-download", "uri": "http://127.0.0.1:9/x"}}
PROPERTY = {"name": "new", "title": "t", "type": "string"}

MORE_CALLERS = {
    "uploader": Caller("u-uploader", "p-owner", roles=frozenset({"image-uploader"})),
    "image-admin": Caller("u-image-admin", "p-other", roles=frozenset({"image-admin", "reader"})),
}


class Ruled(Cloud):
    """A cloud with a policy file, which a test may write anew, and with metadata definitions."""

    def __init__(self, directory: Path, policies: str = "", **settings: Any) -> None:
        self.file = directory / "policy.yaml"
        self.write(policies)
        super().__init__(directory, policy_file=str(self.file), **settings)

    def write(self, policies: str) -> None:
        self.file.write_text(policies)

    def _build(self) -> None:
        super()._build()
        metadefs = Metadefs(self.db, self.images.policies, self.settings, self.clock)
        self.app = build(
            self.images,
            self.authenticate,
            self.settings,
            identity_url=lambda _: "http://id.test/v3",
            more_routes=(*metadef_items.routes(metadefs, self.settings),),
        )

    def authenticate(self, token: str, method: str, path: str) -> Caller:
        return MORE_CALLERS[token] if token in MORE_CALLERS else super().authenticate(token, method, path)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ruled, dict[str, str]]]:
    """A cloud with something behind every path, and the ids of it."""
    directory = tmp_path_factory.mktemp("ruled")
    cloud = Ruled(
        directory,
        enabled_backends=("first:file", "second:file", "web:http"),
        image_cache_dir=str(directory / "cache"),
        show_multiple_locations=True,
    )
    active, queued = cloud.active(visibility="shared")["id"], cloud.new()["id"]
    cloud.share(active)
    made = {
        NAMESPACES: {"namespace": "NS", "visibility": "public"},
        f"{NAMESPACES}/NS/objects": {"name": "thing"},
        f"{NAMESPACES}/NS/properties": PROPERTY | {"name": "thing"},
        f"{NAMESPACES}/NS/tags/thing": None,
        f"{NAMESPACES}/NS/resource_types": {"name": "thing"},
    }
    for path, body in made.items():
        assert cloud.call("POST", path, token="admin", body=body).status in (200, 201), path
    yield cloud, {"active": active, "queued": queued}
    cloud.close()


Row = tuple[str, str, str, Any, int]
REFUSED: list[Row] = [
    ("add_image", "POST", "/v2/images", {"name": "x"}, 403),
    ("publicize_image", "POST", "/v2/images", {"visibility": "public"}, 403),
    ("communitize_image", "POST", "/v2/images", {"visibility": "community"}, 403),
    ("get_images", "GET", "/v2/images", None, 403),
    ("get_image", "GET", "/v2/images/{active}", None, 404),
    ("get_image", "GET", "/v2/images/{active}/tasks", None, 404),
    ("get_image", "GET", "/v2/images/{active}/members", None, 404),
    ("modify_image", "PATCH", "/v2/images/{active}", [{"op": "replace", "path": "/name", "value": "y"}], 403),
    ("modify_image", "PUT", "/v2/images/{active}/tags/t", None, 403),
    ("modify_image", "DELETE", "/v2/images/{active}/tags/t", None, 403),
    ("modify_image", "PUT", "/v2/images/{queued}/stage", b"x", 403),
    ("modify_image", "POST", "/v2/images/{queued}/import", IMPORT, 403),
    (
        "publicize_image",
        "PATCH",
        "/v2/images/{active}",
        [{"op": "replace", "path": "/visibility", "value": "public"}],
        403,
    ),
    (
        "communitize_image",
        "PATCH",
        "/v2/images/{active}",
        [{"op": "replace", "path": "/visibility", "value": "community"}],
        403,
    ),
    ("delete_image", "DELETE", "/v2/images/{active}", None, 403),
    ("upload_image", "PUT", "/v2/images/{queued}/file", b"x", 403),
    ("download_image", "GET", "/v2/images/{active}/file", None, 403),
    ("download_from_store", "GET", "/v2/images/{active}/file?prefer=first", None, 403),
    ("deactivate", "POST", "/v2/images/{active}/actions/deactivate", None, 403),
    ("reactivate", "POST", "/v2/images/{active}/actions/reactivate", None, 403),
    ("copy_image", "POST", "/v2/images/{active}/import", COPY, 403),
    ("add_member", "POST", "/v2/images/{active}/members", {"member": "m"}, 403),
    ("get_members", "GET", "/v2/images/{active}/members", None, 403),
    ("get_member", "GET", "/v2/images/{active}/members/p-consumer", None, 404),
    ("get_member", "PUT", "/v2/images/{active}/members/p-consumer", {"status": "accepted"}, 403),
    ("get_member", "DELETE", "/v2/images/{active}/members/p-consumer", None, 403),
    ("modify_member", "PUT", "/v2/images/{active}/members/p-consumer", {"status": "accepted"}, 403),
    ("delete_member", "DELETE", "/v2/images/{active}/members/p-consumer", None, 403),
    ("set_image_location", "PATCH", "/v2/images/{queued}", [{"op": "add", "path": "/locations/-", "value": URL}], 403),
    ("delete_image_location", "PATCH", "/v2/images/{active}", [{"op": "remove", "path": "/locations/0"}], 403),
    ("get_image_location", "DELETE", "/v2/stores/first/{active}", None, 403),
    ("delete_image_location", "DELETE", "/v2/stores/first/{active}", None, 403),
    ("add_image_location", "POST", "/v2/images/{queued}/locations", {"url": URL["url"]}, 403),
    ("fetch_image_location", "GET", "/v2/images/{active}/locations", None, 403),
    ("stores_info_detail", "GET", "/v2/info/stores/detail", None, 403),
    ("tasks_api_access", "GET", "/v2/tasks", None, 403),
    ("tasks_api_access", "POST", "/v2/tasks", {"type": "import", "input": {}}, 403),
    ("tasks_api_access", "GET", f"/v2/tasks/{UNKNOWN}", None, 403),
    ("cache_list", "GET", "/v2/cache", None, 403),
    ("cache_image", "PUT", "/v2/cache/{active}", None, 403),
    ("cache_delete", "DELETE", "/v2/cache/{active}", None, 403),
    ("cache_delete", "DELETE", "/v2/cache", None, 403),
    ("cache_clean", "POST", "/v2/cache/clean", None, 403),
    ("cache_prune", "POST", "/v2/cache/prune", None, 403),
    ("list_cached_nodes", "GET", "/v2/cache/nodes/{active}", None, 403),
    ("manage_image_cache", "GET", "/v2/cached_images", None, 403),
    ("manage_image_cache", "PUT", "/v2/queued_images/{active}", None, 403),
    ("get_metadef_namespaces", "GET", NAMESPACES, None, 403),
    ("get_metadef_namespace", "GET", f"{NAMESPACES}/NS", None, 404),
    ("add_metadef_namespace", "POST", NAMESPACES, {"namespace": "new"}, 403),
    ("modify_metadef_namespace", "PUT", f"{NAMESPACES}/NS", {"namespace": "NS"}, 403),
    ("delete_metadef_namespace", "DELETE", f"{NAMESPACES}/NS", None, 403),
    ("delete_metadef_namespace", "DELETE", f"{NAMESPACES}/NS/objects", None, 403),
    ("delete_metadef_namespace", "DELETE", f"{NAMESPACES}/NS/tags", None, 403),
    ("get_metadef_objects", "GET", f"{NAMESPACES}/NS/objects", None, 403),
    ("get_metadef_object", "GET", f"{NAMESPACES}/NS/objects/thing", None, 403),
    ("add_metadef_object", "POST", f"{NAMESPACES}/NS/objects", {"name": "new"}, 403),
    ("add_metadef_object", "POST", NAMESPACES, {"namespace": "new", "objects": [{"name": "x"}]}, 403),
    ("modify_metadef_object", "PUT", f"{NAMESPACES}/NS/objects/thing", {"name": "thing"}, 403),
    ("delete_metadef_object", "DELETE", f"{NAMESPACES}/NS/objects/thing", None, 403),
    ("get_metadef_properties", "GET", f"{NAMESPACES}/NS/properties", None, 403),
    ("get_metadef_property", "GET", f"{NAMESPACES}/NS/properties/thing", None, 403),
    ("add_metadef_property", "POST", f"{NAMESPACES}/NS/properties", PROPERTY, 403),
    ("modify_metadef_property", "PUT", f"{NAMESPACES}/NS/properties/thing", PROPERTY | {"name": "thing"}, 403),
    ("remove_metadef_property", "DELETE", f"{NAMESPACES}/NS/properties/thing", None, 403),
    ("get_metadef_tags", "GET", f"{NAMESPACES}/NS/tags", None, 403),
    ("get_metadef_tag", "GET", f"{NAMESPACES}/NS/tags/thing", None, 403),
    ("add_metadef_tag", "POST", f"{NAMESPACES}/NS/tags/new", None, 403),
    ("add_metadef_tags", "POST", f"{NAMESPACES}/NS/tags", {"tags": [{"name": "new"}]}, 403),
    ("modify_metadef_tag", "PUT", f"{NAMESPACES}/NS/tags/thing", {"name": "thing"}, 403),
    ("delete_metadef_tag", "DELETE", f"{NAMESPACES}/NS/tags/thing", None, 403),
    ("delete_metadef_tags", "DELETE", f"{NAMESPACES}/NS/tags", None, 403),
    ("list_metadef_resource_types", "GET", "/v2/metadefs/resource_types", None, 403),
    ("list_metadef_resource_types", "GET", f"{NAMESPACES}/NS/resource_types", None, 403),
    ("add_metadef_resource_type_association", "POST", f"{NAMESPACES}/NS/resource_types", {"name": "new"}, 403),
    ("remove_metadef_resource_type_association", "DELETE", f"{NAMESPACES}/NS/resource_types/thing", None, 403),
]
EMPTIED = [
    ("get_image", "/v2/images", "images"),
    ("get_member", "/v2/images/{active}/members", "members"),
    ("get_metadef_namespace", NAMESPACES, "namespaces"),
    ("get_metadef_resource_type", f"{NAMESPACES}/NS/resource_types", "resource_type_associations"),
]
"""Policies that are asked of everything in a list."""


def ask(cloud: Cloud, ids: dict[str, str], method: str, path: str, body: Any, token: str = "admin") -> Answer:
    headers = PATCH if method == "PATCH" else OCTETS if isinstance(body, bytes) else {}
    return cloud.call(method, path.format(**ids), token=token, body=body, headers=headers)


@pytest.mark.parametrize(("policy", "method", "path", "body", "status"), REFUSED)
def test_a_policy_for_nobody_refuses_as_glance_does(
    world: tuple[Ruled, dict[str, str]], policy: str, method: str, path: str, body: Any, status: int
) -> None:
    cloud, ids = world
    cloud.write(f'{policy}: "!"')
    answer = ask(cloud, ids, method, path, body)
    assert (answer.status, policy in answer.body.decode() or status == 404) == (status, True)


@pytest.mark.parametrize(("policy", "path", "key"), EMPTIED)
def test_a_list_leaves_out_what_its_policy_refuses(
    world: tuple[Ruled, dict[str, str]], policy: str, path: str, key: str
) -> None:
    cloud, ids = world
    cloud.write("")
    assert ask(cloud, ids, "GET", path, None).json[key]
    cloud.write(f'{policy}: "!"')
    assert ask(cloud, ids, "GET", path, None).json[key] == []


def test_every_policy_of_the_image_api_is_in_these_tables() -> None:
    assert {row[0] for row in (*REFUSED, *EMPTIED)} == set(RULES) - set(BASE) - set(OURS)


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[Ruled]:
    cloud = Ruled(tmp_path)
    yield cloud
    cloud.close()


UPLOADER = """
uploads: role:image-uploader and project_id:%(project_id)s
add_image: rule:context_is_admin or rule:uploads
upload_image: rule:context_is_admin or rule:uploads
get_image: rule:context_is_admin or rule:uploads or role:reader
"""


def test_a_role_of_ones_own_may_make_and_upload_images_and_nothing_else(ruled: Ruled) -> None:
    ruled.write(UPLOADER)
    image = ruled.new("uploader")
    assert ruled.put(image["id"], b"data", "uploader").status == 204
    assert ruled.call("DELETE", f"/v2/images/{image['id']}", token="uploader").status == 403
    assert ruled.call("POST", "/v2/images", body={"name": "x"}).status == 403


def test_members_may_publish_images_of_their_own_project(ruled: Ruled) -> None:
    ruled.write("publicize_image: role:member and project_id:%(project_id)s")
    image = ruled.active()
    publish = {"op": "replace", "path": "/visibility", "value": "public"}
    assert ruled.patch(image["id"], publish).status == 200
    assert ruled.call("POST", "/v2/images", body={"visibility": "public"}).status == 201


@pytest.mark.parametrize(("secret", "status"), [("yes", 403), ("no", 200), (None, 200)])
def test_a_property_may_forbid_the_download(ruled: Ruled, secret: str | None, status: int) -> None:
    ruled.write("restricted: not ('yes':%(secret)s and not rule:context_is_admin)\ndownload_image: rule:restricted\n")
    properties: dict[str, Any] = {} if secret is None else {"secret": secret}
    image = ruled.active(**properties)
    assert ruled.call("GET", f"/v2/images/{image['id']}/file").status == status
    assert ruled.call("GET", f"/v2/images/{image['id']}/file", token="admin").status == 200


def test_who_is_an_admin_may_be_said_anew(ruled: Ruled) -> None:
    """Such an admin sees what is private to others, and reads what is deactivated."""
    image = ruled.active(name="theirs", visibility="private")
    ruled.write("context_is_admin: role:image-admin")
    assert ruled.call("POST", f"/v2/images/{image['id']}/actions/deactivate").status == 204
    assert ruled.call("GET", f"/v2/images/{image['id']}/file").status == 403
    assert ruled.call("GET", f"/v2/images/{image['id']}/file", token="image-admin").status == 200
    assert ruled.names(token="image-admin") == ["theirs"]
    assert ruled.call("GET", f"/v2/images/{image['id']}", token="admin").status == 404


def test_only_the_owner_changes_an_image_whatever_a_policy_says(ruled: Ruled) -> None:
    ruled.write("modify_image: '@'\ndelete_image: '@'\npublicize_image: '@'")
    image = ruled.active(visibility="public")
    rename = {"op": "replace", "path": "/name", "value": "x"}
    answer = ruled.patch(image["id"], rename, token="other")
    assert (answer.status, "You do not own this image" in answer.body.decode()) == (403, True)
    assert ruled.call("DELETE", f"/v2/images/{image['id']}", token="other").status == 403


def test_a_policy_opens_no_image_that_is_not_visible(ruled: Ruled) -> None:
    ruled.write("get_image: '@'\ndownload_image: '@'")
    image = ruled.active(visibility="private")
    assert ruled.call("GET", f"/v2/images/{image['id']}/file", token="other").status == 404


def test_images_may_be_made_for_others_where_a_policy_lets(ruled: Ruled) -> None:
    ruled.write("add_image: role:member")
    assert ruled.call("POST", "/v2/images", body={"owner": "p-other"}).json["owner"] == "p-other"
