"""Regions, services and endpoints, and what they make of the catalog."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client
from tests.api.identity_v3.scenarios import Scenario, play


@pytest.fixture
def names(client: Client) -> dict[str, str]:
    """A region with a child, and a service with an endpoint in the child."""
    client.create("region", {"id": "north"})
    client.create("region", {"id": "north-1", "parent_region_id": "north"})
    service = client.create("service", {"type": "compute", "name": "nova"})["id"]
    endpoint = {"service_id": service, "interface": "public", "url": "http://c/$(project_id)s", "region_id": "north-1"}
    return {"S": service, "E": client.create("endpoint", endpoint)["id"]}


def region(**values: Any) -> dict[str, Any]:
    return {"region": values}


def service(**values: Any) -> dict[str, Any]:
    return {"service": values}


def endpoint(**values: Any) -> dict[str, Any]:
    return {"endpoint": {"service_id": "{S}", "interface": "public", "url": "http://a", **values}}


REGIONS: list[Scenario] = [
    ("POST", "/v3/regions", region(id="south"), 201, '"description": ""', '"parent_region_id": null'),
    ("POST", "/v3/regions", region(id="south", surprise=1), 201, "surprise"),
    ("POST", "/v3/regions", region(id=""), 201),
    ("POST", "/v3/regions", region(id=None), 201),
    ("POST", "/v3/regions", region(), 201),
    ("POST", "/v3/regions", region(id="a b/c"), 201),
    ("POST", "/v3/regions", region(id="north"), 409),
    ("POST", "/v3/regions", region(id=5), 400),
    ("POST", "/v3/regions", region(id="x" * 256), 400),
    ("POST", "/v3/regions", region(description="x" * 256), 400),
    ("POST", "/v3/regions", region(parent_region_id="nowhere"), 404),
    ("POST", "/v3/regions", {}, 400),
    ("PUT", "/v3/regions/west", region(description="d"), 201, '"id": "west"'),
    ("PUT", "/v3/regions/west", region(id="east"), 400),
    ("PUT", "/v3/regions/north", region(), 409),
    ("PUT", "/v3/regions/west", None, 400),
    ("GET", "/v3/regions/north-1", None, 200, '"parent_region_id": "north"', "/v3/regions/north-1"),
    ("GET", "/v3/regions?parent_region_id=north", None, 200, '"north-1"', '!"RegionOne"'),
    ("GET", "/v3/regions/nowhere", None, 404),
    ("PATCH", "/v3/regions/north", region(description=None), 200, '"description": ""'),
    ("PATCH", "/v3/regions/north", region(id="other"), 400),
    ("PATCH", "/v3/regions/north", region(), 400),
    ("PATCH", "/v3/regions/north", region(parent_region_id="north"), 400),
    ("PATCH", "/v3/regions/north", region(parent_region_id="north-1"), 400),
    ("PATCH", "/v3/regions/north", region(parent_region_id="nowhere"), 404),
    ("PATCH", "/v3/regions/north-1", region(parent_region_id=None), 200, '"parent_region_id": null'),
    ("PATCH", "/v3/regions/nowhere", region(description="x"), 404),
    ("DELETE", "/v3/regions/north", None, 403),
    ("DELETE", "/v3/regions/nowhere", None, 404),
]

SERVICES: list[Scenario] = [
    ("POST", "/v3/services", service(type="x"), 201, '"name": ""', '"enabled": true', "!description"),
    ("POST", "/v3/services", service(type="x", id="mine", color="red", enabled=False), 201, '"red"', '!"mine"'),
    ("POST", "/v3/services", service(), 400),
    ("POST", "/v3/services", service(type=""), 400),
    ("POST", "/v3/services", service(type="x" * 256), 400),
    ("POST", "/v3/services", service(type="x", name=""), 400),
    ("POST", "/v3/services", service(type="x", enabled="true"), 400),
    ("POST", "/v3/services", {"service": []}, 400),
    ("GET", "/v3/services/{S}", None, 200, '"nova"'),
    ("GET", "/v3/services?type=compute", None, 200, '"nova"', "!keystone"),
    ("GET", "/v3/services?name=nova&type=image", None, 200, '"services": []'),
    ("GET", "/v3/services/none", None, 404),
    ("PATCH", "/v3/services/{S}", service(description="d", color="red"), 200, '"red"', '"nova"'),
    ("PATCH", "/v3/services/{S}", service(), 400),
    ("PATCH", "/v3/services/{S}", service(id="x"), 400),
    ("PATCH", "/v3/services/{S}", service(enabled=None), 400),
    ("PATCH", "/v3/services/none", service(name="x"), 404),
    ("DELETE", "/v3/services/none", None, 404),
]

ENDPOINTS: list[Scenario] = [
    ("POST", "/v3/endpoints", endpoint(), 201, '"region_id": null', '"region": null', '"enabled": true'),
    ("POST", "/v3/endpoints", endpoint(region="east"), 201, '"region_id": "east"', '"region": "east"'),
    ("POST", "/v3/endpoints", endpoint(name="n", description="d", color="red"), 201, '"red"', '"name": "n"'),
    ("POST", "/v3/endpoints", endpoint(url="http://$(user_id)s/%(tenant_id)s"), 201),
    ("POST", "/v3/endpoints", endpoint(enabled=False, id="mine", legacy_endpoint_id="x"), 201, '!"mine"', "!legacy"),
    *(
        ("POST", "/v3/endpoints", endpoint(**{key: value}), 400)
        for key, value in [
            ("url", "no address"),
            ("url", ""),
            ("url", 5),
            ("url", "http://" + "x" * 230),
            ("url", "http://$(secret)s"),
            ("url", "http://%(project_id)d"),
            ("url", "http://100%"),
            ("url", "http://$(x"),
            ("url", "$(appliance_image_url)s:x"),
            ("interface", "publicURL"),
            ("service_id", "none"),
            ("region_id", "nowhere"),
            ("enabled", "True"),
            ("name", None),
        ]
    ),
    ("POST", "/v3/endpoints", {"endpoint": {"url": "http://x"}}, 400),
    ("GET", "/v3/endpoints/{E}", None, 200, "http://c/$(project_id)s"),
    ("GET", "/v3/endpoints?service_id={S}&interface=public&region_id=north-1", None, 200, "{E}"),
    ("GET", "/v3/endpoints?service_id={S}&interface=admin", None, 200, "!{E}"),
    ("GET", "/v3/endpoints?interface=publicURL", None, 400),
    ("GET", "/v3/endpoints/none", None, 404),
    ("PATCH", "/v3/endpoints/{E}", {"endpoint": {"region": "east"}}, 200, '"region_id": "east"'),
    ("PATCH", "/v3/endpoints/{E}", {"endpoint": {"url": "http://d", "interface": "admin"}}, 200, "http://d"),
    ("PATCH", "/v3/endpoints/{E}", {"endpoint": {"enabled": "False"}}, 400),
    ("PATCH", "/v3/endpoints/{E}", {"endpoint": {}}, 400),
    ("PATCH", "/v3/endpoints/{E}", {"endpoint": {"id": "x"}}, 400),
    ("PATCH", "/v3/endpoints/{E}", {"endpoint": {"region_id": "nowhere"}}, 400),
    ("PATCH", "/v3/endpoints/{E}", {"endpoint": {"service_id": "none"}}, 400),
    ("PATCH", "/v3/endpoints/none", {"endpoint": {"enabled": True}}, 404),
    ("DELETE", "/v3/endpoints/none", None, 404),
]


@pytest.mark.parametrize("scenario", [*REGIONS, *SERVICES, *ENDPOINTS], ids=lambda row: f"{row[0]} {row[1]}")
def test_catalog_resources_answer_as_keystone(client: Client, names: dict[str, str], scenario: Scenario) -> None:
    play(client, scenario, names)


def test_a_region_goes_with_those_below_once_its_endpoints_are_gone(client: Client, names: dict[str, str]) -> None:
    assert client.call("DELETE", f"/v3/endpoints/{names['E']}").status == 204
    assert client.call("DELETE", "/v3/regions/north").status == 204
    assert client.call("GET", "/v3/regions/north-1").status == 404


def test_a_service_goes_with_its_endpoints(client: Client, names: dict[str, str]) -> None:
    assert client.call("DELETE", f"/v3/services/{names['S']}").status == 204
    assert client.call("GET", f"/v3/endpoints/{names['E']}").status == 404


@pytest.mark.parametrize(
    ("path", "change", "shown"),
    [
        (None, {}, True),
        ("/v3/endpoints/{E}", {"endpoint": {"enabled": False}}, False),
        ("/v3/services/{S}", {"service": {"enabled": False}}, False),
        ("/v3/endpoints/{E}", {"endpoint": {"url": "http://$(bad)s"}}, False),
    ],
)
def test_the_catalog_shows_what_is_enabled_and_can_be_filled_in(
    client: Client, names: dict[str, str], path: str | None, change: dict[str, Any], shown: bool
) -> None:
    if path:
        play(client, ("PATCH", path, change, 200), names)
    urls = [e["url"] for s in client.call("GET", "/v3/auth/catalog").json["catalog"] for e in s["endpoints"]]
    assert any(url.startswith("http://c/") and "$" not in url for url in urls) == shown


def test_an_address_set_by_hand_replaces_the_one_that_follows_the_client(client: Client) -> None:
    (image,) = client.call("GET", "/v3/services?type=image").json["services"]
    (public,) = client.call("GET", f"/v3/endpoints?service_id={image['id']}&interface=public").json["endpoints"]
    assert public["url"] == "http://cloud.example:9292"
    change = {"endpoint": {"url": "https://images.example"}}
    assert client.call("PATCH", f"/v3/endpoints/{public['id']}", change).status == 200
    client.host = "elsewhere:1"
    assert client.call("GET", f"/v3/endpoints/{public['id']}").json["endpoint"]["url"] == "https://images.example"
