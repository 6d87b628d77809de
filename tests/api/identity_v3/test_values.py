"""Values at the edge of what a field takes: what Keystone 30 answered when it was asked the same."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client

LONG, LONGER = "a" * 64, "a" * 65


@pytest.mark.parametrize(
    ("kind", "body", "status", "shown"),
    [
        ("user", {"name": "a", "default_project_id": LONG}, 201, {"default_project_id": LONG}),
        ("user", {"name": "a", "default_project_id": LONGER}, 400, {}),
        ("user", {"name": "a", "federated": []}, 201, {"federated": None}),
        ("user", {"name": " a "}, 201, {"name": "a"}),
        ("user", {"name": "a" * 255}, 201, {}),
        ("user", {"name": "a" * 256}, 400, {}),
        ("user", {"name": "  "}, 400, {}),
        ("user", {"name": "a", "enabled": ""}, 400, {}),
        ("user", {"name": "a", "enabled": None}, 400, {}),
        ("user", {"name": "a", "color": ["red"]}, 201, {"color": ["red"]}),
        ("group", {"name": LONG}, 201, {}),
        ("group", {"name": LONGER}, 400, {}),
        ("group", {"name": " a "}, 201, {"name": "a"}),
        ("domain", {"name": LONGER}, 400, {}),
        ("domain", {"name": "a", "description": "a" * 255}, 201, {}),
        ("domain", {"name": "a", "description": "a" * 256}, 400, {}),
        ("project", {"name": LONGER}, 400, {}),
        ("project", {"name": "a", "description": "a" * 256}, 201, {}),
        ("project", {"name": "a", "is_domain": ""}, 400, {}),
        ("role", {"name": "a", "description": "a" * 255}, 201, {}),
        ("role", {"name": "a", "description": "a" * 256}, 400, {}),
        ("role", {"name": "a" * 256}, 400, {}),
        ("credential", {"type": "t", "blob": "b", "user_id": "u", "id": None}, 400, {}),
        ("credential", {"type": "t", "blob": "b", "user_id": LONGER}, 400, {}),
        ("credential", {"type": "t" * 256, "blob": "b", "user_id": "u"}, 400, {}),
        ("credential", {"type": "t", "blob": "b", "user_id": "u", "project_id": LONGER}, 400, {}),
    ],
    ids=lambda part: str(part)[:60],
)
def test_values_are_taken_as_keystone_takes_them(
    client: Client, kind: str, body: dict[str, Any], status: int, shown: dict[str, Any]
) -> None:
    answer = client.call("POST", f"/v3/{kind}s", {kind: body})
    assert answer.status == status, answer.text
    for name, value in shown.items():
        assert answer.json[kind].get(name) == value


@pytest.mark.parametrize("limit", ["-1", "x", "1.5", "9" * 5000])
def test_a_limit_that_is_no_number_is_refused(client: Client, limit: str) -> None:
    assert client.call("GET", f"/v3/users?limit={limit}").status == 400


@pytest.mark.parametrize("kind", ["users", "roles", "services", "endpoints", "projects", "domains"])
def test_a_limit_of_nothing_shows_nothing_of_what_is_there(client: Client, kind: str) -> None:
    answer = client.call("GET", f"/v3/{kind}?limit=0")
    assert (answer.status, answer.json[kind], answer.json["truncated"]) == (200, [], True)


def test_a_region_keeps_its_id_when_none_is_given(client: Client) -> None:
    client.create("region", {"id": "north"})
    answer = client.call("PATCH", "/v3/regions/north", {"region": {"id": None}})
    assert (answer.status, answer.json["region"]["id"]) == (200, "north")
