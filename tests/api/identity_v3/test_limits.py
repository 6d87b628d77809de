"""Registered limits and limits: all or none, one for each place, and who sees which."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client
from tests.api.identity_v3.scenarios import Scenario, play

REGISTERED = "/v3/registered_limits"
LIMITS = "/v3/limits"


@pytest.fixture
def names(client: Client) -> dict[str, str]:
    """Limits registered for `cores` in RegionOne and `ram` anywhere, one overridden for the project admin."""
    service = client.create("service", {"type": "compute"})["id"]
    (project,) = client.call("GET", "/v3/projects?name=admin").json["projects"]
    domain = client.create("domain", {"name": "d"})["id"]
    found = {"S": service, "P": project["id"], "D": domain}
    found["Q"] = client.create("project", {"name": "q", "domain_id": domain})["id"]
    found["user"] = client.create("user", {"name": "u", "domain_id": domain, "password": "secret"})["id"]
    rows = [registered(), registered(resource_name="ram", region_id=None)]
    body = {"registered_limits": [row["registered_limits"][0] for row in rows]}
    made = play(client, ("POST", REGISTERED, body, 201), found).json["registered_limits"]
    found |= {"R": made[0]["id"], "M": made[1]["id"]}
    found["L"] = play(client, ("POST", LIMITS, limit(), 201), found).json["limits"][0]["id"]
    return found


def registered(**values: Any) -> dict[str, Any]:
    return {
        "registered_limits": [
            {"service_id": "{S}", "region_id": "RegionOne", "resource_name": "cores", "default_limit": 10, **values}
        ]
    }


def limit(**values: Any) -> dict[str, Any]:
    row = {
        "service_id": "{S}",
        "region_id": "RegionOne",
        "resource_name": "cores",
        "resource_limit": 20,
        "project_id": "{P}",
        **values,
    }
    return {"limits": [{key: value for key, value in row.items() if value != "-"}]}


SCENARIOS: list[Scenario] = [
    ("POST", REGISTERED, registered(resource_name="disk", default_limit=-1), 201, "/v3/registered_limits/", '!"next"'),
    ("POST", REGISTERED, registered(resource_name="disk", description=None), 201, '"description": null'),
    ("POST", REGISTERED, registered(), 409),
    ("POST", REGISTERED, registered(resource_name="ram", region_id=None), 409),
    ("POST", REGISTERED, {"registered_limits": registered(resource_name="x")["registered_limits"] * 2}, 409),
    ("POST", REGISTERED, {"registered_limits": []}, 400),
    ("POST", REGISTERED, {"registered_limits": {}}, 400),
    ("POST", REGISTERED, {}, 400),
    *(
        ("POST", REGISTERED, registered(**{key: value}), 400)
        for key, value in [
            ("default_limit", -2),
            ("default_limit", 2**31),
            ("default_limit", "5"),
            ("default_limit", 1.5),
            ("service_id", "none"),
            ("service_id", "0" * 32),
            ("region_id", "nowhere"),
            ("resource_name", ""),
            ("resource_name", "x" * 256),
            ("description", 5),
            ("surprise", 1),
        ]
    ),
    ("GET", f"{REGISTERED}/{{R}}", None, 200, '"default_limit": 10'),
    ("GET", f"{REGISTERED}/none", None, 404),
    ("GET", f"{REGISTERED}?resource_name=ram&service_id={{S}}", None, 200, "{M}", "!{R}"),
    ("GET", f"{REGISTERED}?region_id=RegionOne", None, 200, "{R}", "!{M}"),
    ("PATCH", f"{REGISTERED}/{{M}}", {"registered_limit": {"default_limit": 3}}, 200, '"default_limit": 3'),
    ("PATCH", f"{REGISTERED}/{{M}}", {"registered_limit": {}}, 200),
    ("PATCH", f"{REGISTERED}/{{M}}", {"registered_limit": {"region_id": "RegionOne", "resource_name": "cores"}}, 409),
    ("PATCH", f"{REGISTERED}/{{M}}", {"registered_limit": {"region_id": "nowhere"}}, 400),
    ("PATCH", f"{REGISTERED}/{{M}}", {"registered_limit": {"id": "x"}}, 400),
    ("PATCH", f"{REGISTERED}/{{R}}", {"registered_limit": {"default_limit": 3}}, 403),
    ("PATCH", f"{REGISTERED}/none", {"registered_limit": {"default_limit": 3}}, 404),
    ("DELETE", f"{REGISTERED}/{{M}}", None, 204),
    ("DELETE", f"{REGISTERED}/{{R}}", None, 403),
    ("DELETE", f"{REGISTERED}/none", None, 404),
    ("POST", LIMITS, limit(project_id="{Q}"), 201, '"domain_id": null', "/v3/limits/"),
    ("POST", LIMITS, limit(project_id="-", domain_id="{D}"), 201, '"project_id": null'),
    ("POST", LIMITS, limit(project_id="{D}"), 201, '"domain_id": "{D}"'),
    ("POST", LIMITS, limit(), 409),
    ("POST", LIMITS, limit(region_id="-"), 403),
    ("POST", LIMITS, limit(resource_name="disk"), 403),
    ("POST", LIMITS, limit(project_id="-"), 400),
    ("POST", LIMITS, limit(domain_id="{D}"), 400),
    ("POST", LIMITS, limit(project_id="none"), 400),
    ("POST", LIMITS, limit(project_id="-", domain_id="{P}"), 400),
    ("POST", LIMITS, limit(resource_limit=-2), 400),
    ("POST", LIMITS, {"limits": limit(project_id="{Q}")["limits"] + limit()["limits"]}, 409),
    ("GET", f"{LIMITS}?project_id={{P}}&resource_name=cores&region_id=RegionOne", None, 200, "{L}"),
    ("GET", f"{LIMITS}?domain_id={{D}}", None, 200, "!{L}"),
    ("GET", f"{LIMITS}/{{L}}", None, 200, '"resource_limit": 20', '"service_id": "{S}"', "!registered_limit_id"),
    ("GET", f"{LIMITS}/none", None, 404),
    ("GET", f"{LIMITS}/model", None, 200, '"name": "flat"'),
    ("PATCH", f"{LIMITS}/{{L}}", {"limit": {"resource_limit": 5, "description": "d"}}, 200, '"resource_limit": 5'),
    ("PATCH", f"{LIMITS}/{{L}}", {"limit": {"resource_limit": None}}, 400),
    ("PATCH", f"{LIMITS}/{{L}}", {"limit": {"project_id": "{Q}"}}, 400),
    ("PATCH", f"{LIMITS}/none", {"limit": {"resource_limit": 5}}, 404),
    ("DELETE", f"{LIMITS}/{{L}}", None, 204),
    ("DELETE", f"{LIMITS}/none", None, 404),
    ("DELETE", "/v3/services/{S}", None, 204),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda row: f"{row[0]} {row[1]}")
def test_limits_answer_as_keystone(client: Client, names: dict[str, str], scenario: Scenario) -> None:
    play(client, scenario, names)


def test_several_limits_are_made_all_or_none(client: Client, names: dict[str, str]) -> None:
    body = {"limits": limit(project_id="{Q}")["limits"] + limit()["limits"]}
    play(client, ("POST", LIMITS, body, 409), names)
    play(client, ("GET", f"{LIMITS}?project_id={{Q}}", None, 200, '"limits": []'), names)


@pytest.mark.parametrize(
    ("scope", "sees", "may_see"),
    [
        ("project_id:{Q}", {"Q"}, {"Q": 200, "D": 403, "P": 403}),
        ("domain:{D}", {"Q", "D"}, {"Q": 200, "D": 200, "P": 403}),
        ("system", {"Q", "D", "P"}, {"Q": 200, "D": 200, "P": 200}),
        ("unscoped", set(), {"Q": 403, "D": 403, "P": 403}),
    ],
)
def test_limits_are_seen_from_where_they_hold(
    client: Client, names: dict[str, str], scope: str, sees: set[str], may_see: dict[str, int]
) -> None:
    limits = {"P": names["L"]}
    for name, place in (("Q", {"project_id": "{Q}"}), ("D", {"project_id": "-", "domain_id": "{D}"})):
        row = ("POST", LIMITS, limit(**place), 201)
        limits[name] = play(client, row, names).json["limits"][0]["id"]
    (role,) = client.call("GET", "/v3/roles?name=reader").json["roles"]
    for where in ("projects/{Q}", "domains/{D}", "system"):
        play(client, ("PUT", f"/v3/{where}/users/{{user}}/roles/{role['id']}", None, 204), names)
    token = client.log_in("u", "secret", scope.format(**names), names["D"])
    found = {row["id"] for row in client.call("GET", LIMITS, token=token).json["limits"]}
    assert found == {limits[name] for name in sees}
    assert {name: client.call("GET", f"{LIMITS}/{limits[name]}", token=token).status for name in may_see} == may_see


def test_limits_end_with_their_project(client: Client, names: dict[str, str]) -> None:
    made = play(client, ("POST", LIMITS, limit(project_id="{Q}"), 201), names).json["limits"][0]["id"]
    play(client, ("DELETE", "/v3/projects/{Q}", None, 204), names)
    assert client.call("GET", f"{LIMITS}/{made}").status == 404
