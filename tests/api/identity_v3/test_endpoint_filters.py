"""OS-EP-FILTER: endpoint groups, and catalogs narrowed to what a project was given."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client
from tests.api.identity_v3.scenarios import Scenario, play

GROUPS = "/v3/OS-EP-FILTER/endpoint_groups"
PROJECTS = "/v3/OS-EP-FILTER/projects"


def group(**values: Any) -> dict[str, Any]:
    return {"endpoint_group": values}


@pytest.fixture
def names(client: Client) -> dict[str, str]:
    (service,) = client.call("GET", "/v3/services?type=image").json["services"]
    endpoints = client.call("GET", f"/v3/endpoints?service_id={service['id']}").json["endpoints"]
    made = client.create("endpoint_group", {"name": "images", "filters": {"service_id": service["id"]}}, GROUPS)
    (project,) = client.call("GET", "/v3/projects?name=admin").json["projects"]
    return {"S": service["id"], "E": endpoints[0]["id"], "G": made["id"], "P": project["id"]}


GROUP: list[Scenario] = [
    ("POST", GROUPS, group(name="g", filters={"interface": "public"}), 201, '"description": null'),
    ("POST", GROUPS, group(name="images", filters={"region_id": None}), 201),
    ("POST", GROUPS, group(name="g", filters={}), 400),
    ("POST", GROUPS, group(name="g"), 400),
    ("POST", GROUPS, group(filters={"interface": "public"}), 400),
    ("POST", GROUPS, group(name="g", filters={"interface": "any"}), 400),
    ("POST", GROUPS, group(name="g", filters={"enabled": True}), 400),
    ("POST", GROUPS, group(name="g", filters={"url": "x"}), 400),
    ("POST", GROUPS, group(name="g", filters={"interface": "public"}, extra=1), 400),
    ("GET", f"{GROUPS}/{{G}}", None, 200, '"images"', f"{GROUPS}/{{G}}"),
    ("GET", f"{GROUPS}?name=images", None, 200, "{G}"),
    ("GET", f"{GROUPS}?name=none", None, 200, "!{G}"),
    ("GET", f"{GROUPS}/none", None, 404),
    ("PATCH", f"{GROUPS}/{{G}}", group(name="other"), 200, '"other"'),
    ("PATCH", f"{GROUPS}/{{G}}", group(filters={}), 200),
    ("PATCH", f"{GROUPS}/{{G}}", group(filters={"url": "x"}), 400),
    ("PATCH", f"{GROUPS}/{{G}}", group(), 400),
    ("PATCH", f"{GROUPS}/none", group(name="x"), 404),
    ("HEAD", f"{GROUPS}/{{G}}", None, 200),
    ("DELETE", f"{GROUPS}/{{G}}", None, 204),
    ("DELETE", f"{GROUPS}/none", None, 404),
    ("GET", f"{GROUPS}/{{G}}/endpoints", None, 200, "{E}"),
    ("GET", f"{GROUPS}/none/endpoints", None, 404),
    ("GET", f"{GROUPS}/{{G}}/projects", None, 200, '"projects": []'),
    ("GET", f"{GROUPS}/none/projects", None, 200, '"projects": []'),
    ("GET", f"{GROUPS}/{{G}}/projects/{{P}}", None, 404),
    ("PUT", f"{GROUPS}/{{G}}/projects/{{P}}", None, 204),
    ("PUT", f"{GROUPS}/{{G}}/projects/none", None, 404),
    ("PUT", f"{GROUPS}/none/projects/{{P}}", None, 404),
    ("DELETE", f"{GROUPS}/{{G}}/projects/{{P}}", None, 404),
    ("GET", f"{PROJECTS}/none/endpoint_groups", None, 404),
    ("GET", f"{PROJECTS}/{{P}}/endpoints", None, 200, '"endpoints": []'),
    ("GET", f"{PROJECTS}/none/endpoints", None, 404),
    ("GET", f"{PROJECTS}/{{P}}/endpoints/{{E}}", None, 404),
    ("PUT", f"{PROJECTS}/{{P}}/endpoints/{{E}}", None, 204),
    ("PUT", f"{PROJECTS}/none/endpoints/{{E}}", None, 404),
    ("PUT", f"{PROJECTS}/{{P}}/endpoints/none", None, 404),
    ("DELETE", f"{PROJECTS}/{{P}}/endpoints/{{E}}", None, 404),
    ("GET", "/v3/OS-EP-FILTER/endpoints/none/projects", None, 404),
]


@pytest.mark.parametrize("scenario", GROUP, ids=lambda row: f"{row[0]} {row[1]}")
def test_endpoint_filters_answer_as_keystone(client: Client, names: dict[str, str], scenario: Scenario) -> None:
    play(client, scenario, names)


def catalog_types(client: Client) -> list[str]:
    token = client.log_in(scope="project:admin")
    return [entry["type"] for entry in client.call("GET", "/v3/auth/catalog", token=token).json["catalog"]]


def test_a_project_with_a_group_sees_only_its_endpoints(client: Client, names: dict[str, str]) -> None:
    given = f"{GROUPS}/{names['G']}/projects/{names['P']}"
    assert set(catalog_types(client)) == {"identity", "image"}
    assert client.call("PUT", given).status == 204
    assert client.call("PUT", given).status == 409
    assert client.call("GET", given).json["project_endpoint_group"]["project_id"] == names["P"]
    assert client.call("GET", f"{PROJECTS}/{names['P']}/endpoint_groups").json["endpoint_groups"][0]["id"] == names["G"]
    assert client.call("GET", f"{GROUPS}/{names['G']}/projects").json["projects"][0]["name"] == "admin"
    assert catalog_types(client) == ["image"]
    assert client.call("DELETE", given).status == 204
    assert set(catalog_types(client)) == {"identity", "image"}


def test_a_project_with_an_endpoint_of_its_own_sees_that_alone(client: Client, names: dict[str, str]) -> None:
    given = f"{PROJECTS}/{names['P']}/endpoints/{names['E']}"
    assert client.call("PUT", given).status == 204
    assert client.call("PUT", given).status == 409
    assert client.call("HEAD", given).status == 204
    assert [e["id"] for e in client.call("GET", f"{PROJECTS}/{names['P']}/endpoints").json["endpoints"]] == [names["E"]]
    found = client.call("GET", f"/v3/OS-EP-FILTER/endpoints/{names['E']}/projects").json["projects"]
    assert [project["id"] for project in found] == [names["P"]]
    (entry,) = client.call("GET", "/v3/auth/catalog").json["catalog"]
    assert [endpoint["id"] for endpoint in entry["endpoints"]] == [names["E"]]
    assert client.call("DELETE", f"/v3/endpoints/{names['E']}").status == 204
    assert client.call("GET", f"{PROJECTS}/{names['P']}/endpoints").json["endpoints"] == []
