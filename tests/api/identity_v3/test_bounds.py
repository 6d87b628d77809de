"""How much a client may say of a resource, and ask of a list."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client

LONGEST = 65_535
DIGITS = "9" * 5_000

LISTS = (
    "users",
    "groups",
    "projects",
    "domains",
    "roles",
    "services",
    "endpoints",
    "regions",
    "credentials",
    "policies",
    "registered_limits",
    "limits",
    "OS-EP-FILTER/endpoint_groups",
)
FILTERS = ("name", "type", "parent_region_id", "service_id", "resource_name", "user_id")


@pytest.mark.parametrize("path", LISTS)
def test_a_list_takes_filters_but_not_any_number(client: Client, path: str) -> None:
    for count, statuses in ((10, {200}), (990, {200, 400})):
        many = "&".join(f"{name}=x" for name in FILTERS for _ in range(count))
        answer = client.call("GET", f"/v3/{path}?{many}")
        assert answer.status in statuses, answer.text[-300:]


def test_too_many_filters_are_refused_in_a_sentence(client: Client) -> None:
    answer = client.call("GET", "/v3/users?" + "&".join("name__contains=x" for _ in range(990)))
    assert answer.status == 400 and "Too many filters" in answer.text


@pytest.mark.parametrize("name", ["tags", "tags-any", "not-tags", "not-tags-any"])
def test_a_filter_takes_as_many_tags_as_a_project_has(client: Client, name: str) -> None:
    for count, status in ((80, 200), (81, 400), (30_000, 400)):
        assert client.call("GET", f"/v3/projects?{name}=" + ",".join(f"t{n}" for n in range(count))).status == status


@pytest.mark.parametrize("path", [f"users?limit={DIGITS}", f"projects?limit=-{DIGITS}", f"roles?limit={2**63}"])
def test_a_page_size_of_any_length_is_no_surprise(client: Client, path: str) -> None:
    assert client.call("GET", f"/v3/{path}").status in (200, 400)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("user", {"name": "n", "description": "…"}),
        ("user", {"name": "n", "invented": "…"}),
        ("project", {"name": "n", "description": "…"}),
        ("project", {"name": "n", "invented": "…"}),
        ("domain", {"name": "n", "description": "…"}),
        ("group", {"name": "n", "description": "…"}),
        ("role", {"name": "n", "description": "…"}),
        ("service", {"type": "t", "description": "…"}),
        ("region", {"description": "…"}),
        ("policy", {"type": "t", "blob": "…"}),
        ("credential", {"type": "t", "blob": "…", "user_id": "me"}),
    ],
)
def test_a_text_is_not_longer_than_keystone_could_store(client: Client, kind: str, body: dict[str, Any]) -> None:
    me = client.call("GET", "/v3/auth/tokens", headers={"X-Subject-Token": client.token or ""}).json["token"]["user"]
    plural = "policies" if kind == "policy" else f"{kind}s"
    for length, status in ((200, 201), (LONGEST + 1, 400), (500_000, 400)):
        filled = {key: "x" * length if value == "…" else value for key, value in body.items()}
        filled = {key: me["id"] if value == "me" else value for key, value in filled.items()}
        if "name" in filled:
            filled["name"] = f"n{length}"
        answer = client.call("POST", f"/v3/{plural}", {kind: filled})
        assert answer.status == status, answer.text[:300]


def test_small_steps_do_not_make_a_large_resource(client: Client) -> None:
    user = client.create("user", {"name": "anna", "password": "one"})
    statuses = [
        client.call("PATCH", f"/v3/users/{user['id']}", {"user": {f"part{n}": "x" * 30_000}}).status for n in range(3)
    ]
    assert statuses == [200, 200, 400]
