"""Policies and OS-ENDPOINT-POLICY: what is kept, and which policy is for which endpoint."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client
from tests.api.identity_v3.scenarios import Scenario, play

OF = "/v3/policies/{P}/OS-ENDPOINT-POLICY"


def policy(**values: Any) -> dict[str, Any]:
    return {"policy": values}


@pytest.fixture
def names(client: Client) -> dict[str, str]:
    """Two policies, and an endpoint in a region below another."""
    client.create("region", {"id": "top"})
    client.create("region", {"id": "low", "parent_region_id": "top"})
    service = client.create("service", {"type": "t"})["id"]
    endpoint = {"service_id": service, "interface": "public", "url": "http://x", "region_id": "low"}
    first, second = (client.create("policy", {"blob": b, "type": "t"}, "/v3/policies")["id"] for b in ("one", "two"))
    return {"S": service, "E": client.create("endpoint", endpoint)["id"], "P": first, "Q": second}


POLICIES: list[Scenario] = [
    ("POST", "/v3/policies", policy(blob="b", type="application/json", color="red"), 201, '"red"', "/v3/policies/"),
    ("POST", "/v3/policies", policy(blob="", type=""), 201),
    ("POST", "/v3/policies", policy(blob={}, type="t"), 400),
    ("POST", "/v3/policies", policy(blob="b"), 400),
    ("POST", "/v3/policies", policy(blob="b", type="t" * 256), 400),
    ("POST", "/v3/policies", {}, 400),
    ("GET", "/v3/policies?type=t", None, 200, "{P}"),
    ("GET", "/v3/policies?type=u", None, 200, "!{P}"),
    ("GET", "/v3/policies/{P}", None, 200, '"one"'),
    ("GET", "/v3/policies/none", None, 404),
    ("PATCH", "/v3/policies/{P}", policy(type="u"), 200, '"one"', '"u"'),
    ("PATCH", "/v3/policies/{P}", policy(id="x"), 400),
    ("PATCH", "/v3/policies/{P}", policy(), 400),
    ("PATCH", "/v3/policies/none", policy(type="u"), 404),
    ("DELETE", "/v3/policies/{P}", None, 204),
    ("DELETE", "/v3/policies/none", None, 404),
    ("GET", f"{OF}/endpoints", None, 200, '"endpoints": []'),
    ("GET", f"{OF}/endpoints/{{E}}", None, 404),
    ("DELETE", f"{OF}/endpoints/{{E}}", None, 204),
    ("PUT", f"{OF}/endpoints/{{E}}", None, 204),
    ("PUT", f"{OF}/endpoints/none", None, 404),
    ("PUT", f"{OF}/services/none", None, 404),
    ("PUT", f"{OF}/services/{{S}}/regions/none", None, 404),
    ("PUT", "/v3/policies/none/OS-ENDPOINT-POLICY/endpoints/{E}", None, 404),
    ("GET", "/v3/endpoints/{E}/OS-ENDPOINT-POLICY/policy", None, 404),
    ("GET", "/v3/endpoints/none/OS-ENDPOINT-POLICY/policy", None, 404),
]


@pytest.mark.parametrize("scenario", POLICIES, ids=lambda row: f"{row[0]} {row[1]}")
def test_policies_answer_as_keystone(client: Client, names: dict[str, str], scenario: Scenario) -> None:
    play(client, scenario, names)


def test_the_most_particular_association_gives_the_policy(client: Client, names: dict[str, str]) -> None:
    steps: list[tuple[str, str, str | None]] = [
        # what is associated with which policy, and which policy the endpoint has then
        ("PUT", "/v3/policies/{P}/OS-ENDPOINT-POLICY/services/{S}", "one"),
        ("PUT", "/v3/policies/{Q}/OS-ENDPOINT-POLICY/services/{S}/regions/top", "two"),
        ("PUT", "/v3/policies/{P}/OS-ENDPOINT-POLICY/services/{S}/regions/low", "one"),
        ("PUT", "/v3/policies/{Q}/OS-ENDPOINT-POLICY/endpoints/{E}", "two"),
        ("DELETE", "/v3/policies/{Q}/OS-ENDPOINT-POLICY/endpoints/{E}", "one"),
        ("DELETE", "/v3/policies/{P}/OS-ENDPOINT-POLICY/services/{S}/regions/low", "two"),
        ("DELETE", "/v3/policies/{Q}", "one"),
        ("DELETE", "/v3/policies/{P}/OS-ENDPOINT-POLICY/services/{S}", None),
    ]
    for method, path, blob in steps:
        play(client, (method, path, None, 204), names)
        answer = client.call("GET", f"/v3/endpoints/{names['E']}/OS-ENDPOINT-POLICY/policy")
        assert (answer.status, answer.json.get("policy", {}).get("blob")) == (200 if blob else 404, blob), path


def test_a_place_has_one_policy_and_lists_reach_regions_below(client: Client, names: dict[str, str]) -> None:
    place = "services/{S}/regions/top"
    play(client, ("PUT", f"{OF}/{place}", None, 204), names)
    play(client, ("GET", f"{OF}/endpoints", None, 200, "{E}"), names)
    play(client, ("PUT", f"/v3/policies/{{Q}}/OS-ENDPOINT-POLICY/{place}", None, 204), names)
    play(client, ("GET", f"{OF}/{place}", None, 404), names)
    play(client, ("GET", f"/v3/policies/{{Q}}/OS-ENDPOINT-POLICY/{place}", None, 204), names)
