"""Route × role × scope on the catalog side: who may do what, by the default policy with scopes enforced."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client
from tests.api.identity_v3.scenarios import filled
from tests.api.identity_v3.test_rules import ADMINS, EVERYONE, GLOBAL, READERS, World

SEES = GLOBAL | {"system_reader"}
"""Whoever may see what belongs to the whole cloud."""
SERVICE = ADMINS | {"service"}
GROUPS = "/v3/OS-EP-FILTER/endpoint_groups"
GIVEN = "/v3/OS-EP-FILTER/projects/{P}/endpoints"
POLICY = "/v3/policies/x/OS-ENDPOINT-POLICY"
EC2 = "/v3/users/{U}/credentials/OS-EC2"
CREDENTIAL = {"credential": {"type": "t", "blob": "b", "user_id": "{U}"}}

PROVIDER = {"auth_url": "https://there.test/v3", "sp_url": "https://there.test/sp"}

SCENARIOS: list[tuple[str, str, Any, int, set[str]]] = [
    # method, path, body, status for those who may, who may; everyone else gets 403
    ("GET", "/v3/regions/x", None, 404, EVERYONE),
    ("POST", "/v3/regions", {"region": {}}, 201, GLOBAL),
    ("PUT", "/v3/regions/RegionOne", {"region": {}}, 409, GLOBAL),
    ("PATCH", "/v3/regions/x", {"region": {"description": "d"}}, 404, GLOBAL),
    ("DELETE", "/v3/regions/x", None, 404, GLOBAL),
    ("GET", "/v3/services", None, 200, SEES),
    ("GET", "/v3/services/x", None, 404, SEES),
    ("POST", "/v3/services", {"service": {"type": "t"}}, 201, GLOBAL),
    ("PATCH", "/v3/services/x", {"service": {"name": "n"}}, 404, GLOBAL),
    ("DELETE", "/v3/services/x", None, 404, GLOBAL),
    ("GET", "/v3/endpoints", None, 200, SEES),
    ("POST", "/v3/endpoints", {"endpoint": {"service_id": "{S}", "interface": "admin", "url": "http:x"}}, 201, GLOBAL),
    ("PATCH", "/v3/endpoints/x", {"endpoint": {"enabled": True}}, 404, GLOBAL),
    ("DELETE", "/v3/endpoints/x", None, 404, GLOBAL),
    ("GET", GROUPS, None, 200, SEES),
    ("GET", f"{GROUPS}/x", None, 404, SEES),
    ("GET", f"{GROUPS}/x/projects", None, 200, SEES),
    ("GET", f"{GROUPS}/x/endpoints", None, 404, SEES),
    ("GET", f"{GROUPS}/x/projects/{{P}}", None, 404, SEES),
    ("POST", GROUPS, {"endpoint_group": {"name": "n", "filters": {"interface": "admin"}}}, 201, GLOBAL),
    ("PATCH", f"{GROUPS}/x", {"endpoint_group": {"name": "n"}}, 404, GLOBAL),
    ("DELETE", f"{GROUPS}/x", None, 404, GLOBAL),
    ("PUT", f"{GROUPS}/x/projects/{{P}}", None, 404, GLOBAL),
    ("DELETE", f"{GROUPS}/x/projects/{{P}}", None, 404, GLOBAL),
    ("GET", "/v3/OS-EP-FILTER/projects/{P}/endpoint_groups", None, 200, SEES),
    ("GET", GIVEN, None, 200, SEES),
    ("GET", f"{GIVEN}/{{E}}", None, 404, SEES),
    ("PUT", f"{GIVEN}/x", None, 404, GLOBAL),
    ("DELETE", f"{GIVEN}/x", None, 404, GLOBAL),
    ("GET", "/v3/OS-EP-FILTER/endpoints/{E}/projects", None, 200, SEES),
    ("GET", "/v3/policies", None, 200, SEES),
    ("GET", "/v3/policies/x", None, 404, SEES),
    ("POST", "/v3/policies", {"policy": {"blob": "b", "type": "t"}}, 201, GLOBAL),
    ("PATCH", "/v3/policies/x", {"policy": {"type": "t"}}, 404, GLOBAL),
    ("DELETE", "/v3/policies/x", None, 404, GLOBAL),
    ("GET", f"{POLICY}/endpoints", None, 404, SEES),
    ("GET", "/v3/endpoints/{E}/OS-ENDPOINT-POLICY/policy", None, 404, SEES),
    *(
        (method, f"{POLICY}/{place}", None, 404, SEES if method == "GET" else GLOBAL)
        for place in ("endpoints/x", "services/x", "services/x/regions/x")
        for method in ("GET", "PUT", "DELETE")
    ),
    ("GET", "/v3/credentials", None, 200, EVERYONE),
    ("GET", "/v3/credentials/x", None, 404, READERS),
    ("POST", "/v3/credentials", CREDENTIAL, 201, ADMINS),
    ("PATCH", "/v3/credentials/x", {"credential": {"blob": "b"}}, 404, ADMINS),
    ("DELETE", "/v3/credentials/x", None, 404, ADMINS),
    ("GET", EC2, None, 200, SEES),
    ("POST", EC2, {"tenant_id": "{P}"}, 201, GLOBAL),
    ("POST", "/v3/ec2tokens", {}, 400, SERVICE),
    ("POST", "/v3/s3tokens", {}, 400, SERVICE),
    ("GET", "/v3/registered_limits", None, 200, EVERYONE),
    ("GET", "/v3/registered_limits/x", None, 404, EVERYONE),
    ("DELETE", "/v3/registered_limits/x", None, 404, GLOBAL),
    ("GET", "/v3/limits", None, 200, EVERYONE),
    ("GET", "/v3/limits/model", None, 200, EVERYONE),
    ("GET", "/v3/limits/x", None, 404, READERS),
    ("GET", "/v3/OS-OAUTH1/consumers", None, 200, SEES),
    ("POST", "/v3/OS-OAUTH1/consumers", {}, 201, GLOBAL),
    ("GET", "/v3/OS-OAUTH1/consumers/x", None, 404, SEES),
    ("DELETE", "/v3/OS-OAUTH1/consumers/x", None, 404, GLOBAL),
    ("GET", "/v3/domains/{D}/config", None, 404, SEES),
    ("PUT", "/v3/domains/x/config", {}, 404, GLOBAL),
    ("PATCH", "/v3/domains/x/config", {}, 404, GLOBAL),
    ("DELETE", "/v3/domains/x/config", None, 404, GLOBAL),
    ("GET", "/v3/domains/config/default", None, 200, SEES),
    ("GET", "/v3/domains/default/config/security_compliance", None, 200, EVERYONE),
    ("GET", "/v3/OS-FEDERATION/identity_providers", None, 200, SEES),
    ("GET", "/v3/OS-FEDERATION/mappings/x", None, 404, SEES),
    ("PUT", "/v3/OS-FEDERATION/service_providers/x", {"service_provider": PROVIDER}, 201, GLOBAL),
]


@pytest.mark.parametrize("who", sorted(EVERYONE))
def test_the_catalog_side_lets_in_whom_the_policy_names(client: Client, who: str) -> None:
    world = World(client)
    token = world.token(who)
    wrong = []
    for method, path, body, status, may in SCENARIOS:
        expected = status if who in may else 403
        answer = client.call(method, filled(path, world.ids), filled(body, world.ids), token)
        if answer.status != expected:
            wrong.append(f"{method} {path} as {who}: {answer.status} instead of {expected}: {answer.text}")
    assert not wrong, "\n".join(wrong)


def test_the_catalog_side_says_nothing_without_a_token(client: Client) -> None:
    names = dict.fromkeys("DPUSE", "x")
    for method, path, *_ in SCENARIOS:
        answer = client.call(method, filled(path, names), None if method == "GET" else {}, token="")
        assert answer.status == 401, f"{method} {path}: {answer.status}"
