"""Values at the edge of what a field takes: what Keystone 30 answered when it was asked the same."""

from collections.abc import Callable
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


# Kind, attribute, value, and what Keystone answered to a POST and to a PATCH with it; None where it was not asked.
EACH: list[tuple[str, str, Any, int | None, int | None]] = [
    ("service", "description", None, 201, 200),
    ("service", "description", 1, 201, 200),
    ("service", "description", ["a"], 201, 200),
    ("service", "name", None, 400, 400),
    ("service", "enabled", "true", 400, 400),
    ("service", "id", None, 201, 200),
    ("service", "id", "x", 201, 400),
    ("endpoint", "region", "", 201, 200),
    ("endpoint", "region", "a" * 255, 201, 200),
    ("endpoint", "region", "a" * 256, 400, 400),
    ("endpoint", "region_id", "", 400, 400),
    ("endpoint", "region_id", "nope", 400, 400),
    ("endpoint", "id", None, 400, 200),
    ("endpoint", "id", "x", 201, 400),
    ("endpoint", "url", "http://" + "a" * 218, 201, 200),
    ("endpoint", "url", "http://" + "a" * 219, 400, 400),
    ("endpoint_group", "name", "a" * 256, 400, 400),
    ("endpoint_group", "filters", {}, 400, 200),
    ("endpoint_group", "x", 1, 400, 400),
    ("consumer", "description", "a" * 64, 201, 200),
    ("consumer", "description", "a" * 65, 400, 400),
    ("consumer", "description", 1, 400, 400),
    ("consumer", "secret", "x", 201, 400),
    ("policy", "blob", None, 400, 400),
    ("policy", "type", "a" * 256, 400, 400),
    ("policy", "id", None, 201, 400),
    ("region", "x", 1, 201, 200),
    ("region", "id", None, 201, 200),
    ("region", "parent_region_id", "nope", 404, 404),
    ("role", "id", None, 201, 200),
    ("role", "description", "a" * 256, 400, 400),
    ("group", "id", None, 201, 200),
    ("group", "domain_id", None, 400, 400),
    ("group", "domain_id", [], 400, 400),
    ("group", "description", None, 201, 200),
    ("group", "description", 1, 400, 400),
    ("project", "id", None, 201, 200),
    ("project", "parent_id", None, 201, 403),
    ("project", "parent_id", "", 400, 403),
    ("project", "parent_id", [], 400, 403),
    ("project", "domain_id", "", 400, 400),
    ("project", "is_domain", None, 400, 400),
    ("project", "description", None, 201, 200),
    ("project", "enabled", "true", 400, 400),
    ("project", "tags", ["a", "a"], 400, 400),
    ("domain", "id", "x", 201, 200),
    ("domain", "id", None, 201, 200),
    ("domain", "domain_id", "x", None, 200),
    ("domain", "parent_id", "x", None, 200),
    ("domain", "is_domain", False, None, 200),
    ("domain", "explicit_domain_id", [], 400, 200),
    ("domain", "explicit_domain_id", "a-b", 400, 200),
    ("domain", "description", None, 201, 200),
    ("domain", "description", 1, 400, 400),
    ("user", "id", None, 201, 400),
    ("user", "default_project_id", "a" * 65, 400, 400),
    ("user", "options", None, 400, 400),
    ("credential", "blob", None, 400, 400),
    ("credential", "type", "a" * 256, 400, None),
    ("trust", "redelegation_count", -1, 400, None),
]

ALONE = ["endpoint", "endpoint_group", "role", "group", "project", "domain", "user", "trust"]
BESIDE_OTHERS = ["region", "service", "credential", "policy", "consumer"]

PATHS = {
    "consumer": "/v3/OS-OAUTH1/consumers",
    "policy": "/v3/policies",
    "endpoint_group": "/v3/OS-EP-FILTER/endpoint_groups",
    "trust": "/v3/OS-TRUST/trusts",
}


def path_of(kind: str) -> str:
    return PATHS.get(kind, f"/v3/{kind}s")


@pytest.fixture
def fresh(client: Client) -> Callable[[str], dict[str, Any]]:
    """Makes what is enough for a new one of a kind."""
    service = client.create("service", {"type": "t"})["id"]
    user = client.create("user", {"name": "somebody"})["id"]

    def make(kind: str) -> dict[str, Any]:
        name = {"name": client.name(kind)}
        return {
            "region": {},
            "service": {"type": "t"},
            "endpoint": {"interface": "public", "service_id": service, "url": "http://x"},
            "endpoint_group": {**name, "filters": {"interface": "public"}},
            "policy": {"blob": "b", "type": "t"},
            "consumer": {"description": "d"},
            "credential": {"blob": "b", "type": "t", "user_id": user},
            "trust": {"trustor_user_id": user, "trustee_user_id": user, "impersonation": False},
            "domain": {**name, "enabled": False},
        }.get(kind, name)

    return make


@pytest.mark.parametrize(("kind", "name", "value", "created", "changed"), EACH, ids=lambda part: str(part)[:30])
def test_a_value_is_taken_or_refused(
    client: Client,
    fresh: Callable[[str], dict[str, Any]],
    kind: str,
    name: str,
    value: Any,
    created: int | None,
    changed: int | None,
) -> None:
    found: list[int | None] = [None, None]
    if created is not None:
        found[0] = client.call("POST", path_of(kind), {kind: {**fresh(kind), name: value}}).status
    if changed is not None:
        path = f"{path_of(kind)}/{client.create(kind, fresh(kind), path_of(kind))['id']}"
        found[1] = client.call("PATCH", path, {kind: {name: value}}).status
    assert found == [created, changed]


@pytest.mark.parametrize("kind", ALONE)
def test_a_body_has_nothing_beside_the_resource(
    client: Client, fresh: Callable[[str], dict[str, Any]], kind: str
) -> None:
    assert client.call("POST", path_of(kind), {kind: fresh(kind), "x": 1}).status == 400


@pytest.mark.parametrize("kind", BESIDE_OTHERS)
def test_a_body_may_have_something_beside_the_resource(
    client: Client, fresh: Callable[[str], dict[str, Any]], kind: str
) -> None:
    assert client.call("POST", path_of(kind), {kind: fresh(kind), "x": 1}).status == 201


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("service", "description", None),
        ("service", "description", 1),
        ("service", "description", ["a"]),
        ("region", "x", {"a": None}),
        ("region", "enabled", False),
        ("endpoint", "region", ""),
    ],
)
def test_a_value_is_shown_as_it_was_given(
    client: Client, fresh: Callable[[str], dict[str, Any]], kind: str, name: str, value: Any
) -> None:
    made = client.create(kind, {**fresh(kind), name: value})
    changed = client.create(kind, fresh(kind))
    client.call("PATCH", f"/v3/{kind}s/{changed['id']}", {kind: {name: value}})
    shown = [client.call("GET", f"/v3/{kind}s/{one['id']}").json[kind][name] for one in (made, changed)]
    assert [made[name], *shown] == [value] * 3


def test_a_service_without_a_description_shows_none(client: Client) -> None:
    assert "description" not in client.create("service", {"type": "t"})


@pytest.mark.parametrize("kind", ["role", "user", "project", "domain"])
def test_an_option_that_is_null_is_not_set(client: Client, kind: str) -> None:
    option = "lock_password" if kind == "user" else "immutable"
    assert client.create(kind, {"name": "a", "options": {option: None}})["options"] == {}


def test_a_role_of_a_domain_is_not_assigned_on_the_system(client: Client) -> None:
    role = client.create("role", {"name": "a", "domain_id": "default"})["id"]
    user = client.create("user", {"name": "a"})["id"]
    assert client.call("PUT", f"/v3/system/users/{user}/roles/{role}").status == 400


def test_a_role_is_implied_once(client: Client) -> None:
    prior, implied = (client.create("role", {"name": name})["id"] for name in "ab")
    path = f"/v3/roles/{prior}/implies/{implied}"
    assert [client.call("PUT", path).status for _ in range(2)] == [201, 409]


def test_a_tag_is_added_once(client: Client) -> None:
    path = f"/v3/projects/{client.create('project', {'name': 'a'})['id']}/tags/x"
    assert [client.call("PUT", path).status for _ in range(2)] == [201, 400]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("role.id=", 400),
        ("group.id=", 400),
        ("scope.project.id=", 400),
        ("scope.domain.id=", 400),
        ("user.id=", 200),
        ("scope.system=", 200),
        ("include_subtree", 400),
        ("include_subtree=0", 400),
        ("user.id=nope", 200),
        ("user.id=nope&effective", 404),
        ("user.id=nope&effective=0", 200),
        ("user.id=nope&effective=false", 404),
        ("scope.project.id=nope", 200),
        ("scope.project.id=nope&effective", 404),
        ("group.id=nope&effective", 400),
    ],
)
def test_a_query_of_role_assignments(client: Client, query: str, status: int) -> None:
    assert client.call("GET", f"/v3/role_assignments?{query}").status == status


@pytest.mark.parametrize(("value", "named"), [("", True), ("=", True), ("=false", True), ("=x", True), ("=0", False)])
def test_a_flag_of_a_query_is_a_yes_unless_it_is_0(client: Client, value: str, named: bool) -> None:
    row = client.call("GET", f"/v3/role_assignments?include_names{value}").json["role_assignments"][0]
    assert ("name" in row["role"]) is named


def test_the_first_of_repeated_filters_counts(client: Client) -> None:
    admin = client.call("GET", "/v3/users?name=admin").json["users"][0]["id"]
    rows = client.call("GET", f"/v3/role_assignments?user.id={admin}&user.id=nope").json["role_assignments"]
    assert {row["user"]["id"] for row in rows} == {admin}


def test_only_all_asks_for_the_system(client: Client) -> None:
    lists = [client.call("GET", f"/v3/role_assignments?{q}").json["role_assignments"] for q in ("", "scope.system=x")]
    assert lists[0] == lists[1]


@pytest.mark.parametrize("kind", ["projects", "domains"])
def test_a_limit_of_nothing_shows_all_projects_and_domains(client: Client, kind: str) -> None:
    client.create(kind[:-1], {"name": "another"})
    answers = [client.call("GET", f"/v3/{kind}{query}").json for query in ("", "?limit=0")]
    assert answers[0][kind] == answers[1][kind]
    assert "truncated" not in answers[1]


@pytest.mark.parametrize("limit", ["-1", "x", "1.5", "9" * 5000])
def test_a_limit_that_is_no_number_is_refused(client: Client, limit: str) -> None:
    assert client.call("GET", f"/v3/users?limit={limit}").status == 400


@pytest.mark.parametrize("kind", ["users", "roles", "services", "endpoints"])
def test_a_limit_of_nothing_shows_nothing_of_what_is_there(client: Client, kind: str) -> None:
    answer = client.call("GET", f"/v3/{kind}?limit=0")
    assert (answer.status, answer.json[kind], answer.json["truncated"]) == (200, [], True)


def test_a_region_keeps_its_id_when_none_is_given(client: Client) -> None:
    client.create("region", {"id": "north"})
    answer = client.call("PATCH", "/v3/regions/north", {"region": {"id": None}})
    assert (answer.status, answer.json["region"]["id"]) == (200, "north")
