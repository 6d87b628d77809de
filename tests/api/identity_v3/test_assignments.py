"""Grants and how they are listed: directly, through groups, down the tree, by implication."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client


@pytest.fixture
def ids(client: Client) -> dict[str, str]:
    """A parent and a child project, a user in a group, and the standard roles by name."""
    ids = {role["name"]: role["id"] for role in client.call("GET", "/v3/roles").json["roles"]}
    ids["parent"] = client.create("project", {"name": "parent"})["id"]
    ids["child"] = client.create("project", {"name": "child", "parent_id": ids["parent"]})["id"]
    ids["user"] = client.create("user", {"name": "anna", "password": "one"})["id"]
    ids["group"] = client.create("group", {"name": "cooks"})["id"]
    assert client.call("PUT", f"/v3/groups/{ids['group']}/users/{ids['user']}").status == 204
    return ids


def grant(client: Client, path: str, ids: dict[str, str]) -> None:
    assert client.call("PUT", f"/v3/{path.format(**ids)}").status == 204


def listed(client: Client, query: str, ids: dict[str, str]) -> list[dict[str, Any]]:
    answer = client.call("GET", f"/v3/role_assignments?{query.format(**ids)}")
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.json["role_assignments"]
    return found


@pytest.mark.parametrize("actor", ["users/{user}", "groups/{group}"])
@pytest.mark.parametrize("target", ["projects/{parent}", "domains/default", "system"])
def test_a_grant_is_given_checked_listed_and_taken(
    client: Client, ids: dict[str, str], actor: str, target: str
) -> None:
    roles = f"/v3/{target}/{actor}/roles".format(**ids)
    one = f"{roles}/{ids['member']}"
    assert client.call("HEAD", one).status == 404
    assert [client.call("PUT", one).status for _ in range(2)] == [204, 204]
    assert client.call("HEAD", one).status == client.call("GET", one).status == 204
    assert [role["name"] for role in client.call("GET", roles).json["roles"]] == ["member"]
    assert client.call("DELETE", one).status == 204
    assert client.call("DELETE", one).status == 404
    assert client.call("PUT", one.replace(ids["member"], "no-such-role")).status == 404


def test_an_inherited_grant_reaches_what_is_below_and_not_the_thing_itself(client: Client, ids: dict[str, str]) -> None:
    grant(client, "OS-INHERIT/projects/{parent}/users/{user}/roles/{member}/inherited_to_projects", ids)
    projects = client.call("GET", f"/v3/users/{ids['user']}/projects").json["projects"]
    assert [project["name"] for project in projects] == ["child"]
    assert client.log_in("anna", "one", f"project_id:{ids['child']}")
    with pytest.raises(AssertionError):
        client.log_in("anna", "one", f"project_id:{ids['parent']}")
    (row,) = listed(client, "user.id={user}", ids)
    assert row["scope"] == {"project": {"id": ids["parent"]}, "OS-INHERIT:inherited_to": "projects"}
    assert row["links"]["assignment"].endswith("/inherited_to_projects")
    assert listed(client, "user.id={user}&scope.OS-INHERIT:inherited_to=projects", ids) == [row]


def test_a_grant_inherited_from_the_domain_reaches_every_project(client: Client, ids: dict[str, str]) -> None:
    grant(client, "OS-INHERIT/domains/default/groups/{group}/roles/{reader}/inherited_to_projects", ids)
    token = client.log_in("anna", "one", f"project_id:{ids['child']}")
    shown = client.call("GET", "/v3/auth/tokens", headers={"X-Subject-Token": token}).json["token"]
    assert [role["name"] for role in shown["roles"]] == ["reader"]
    with pytest.raises(AssertionError):
        client.log_in("anna", "one", "domain:default")


def test_effective_assignments_say_by_what_way(client: Client, ids: dict[str, str]) -> None:
    grant(client, "projects/{parent}/groups/{group}/roles/{manager}", ids)
    rows = listed(client, "effective&user.id={user}&scope.project.id={parent}", ids)
    assert {row["role"]["id"] for row in rows} == {ids["manager"], ids["member"], ids["reader"]}
    assert all(row["user"] == {"id": ids["user"]} and "group" not in row for row in rows)
    assert all(f"/groups/{ids['group']}/users/{ids['user']}" in row["links"]["membership"] for row in rows)
    implied = next(row for row in rows if row["role"]["id"] == ids["member"])
    assert implied["links"]["assignment"].endswith(f"/groups/{ids['group']}/roles/{ids['manager']}")
    assert "prior_role" in implied["links"]
    (only,) = listed(client, "effective&user.id={user}&role.id={reader}", ids)
    assert only["role"] == {"id": ids["reader"]}


def test_names_and_the_subtree_are_included_on_request(client: Client, ids: dict[str, str]) -> None:
    grant(client, "projects/{child}/users/{user}/roles/{member}", ids)
    assert listed(client, "user.id={user}&scope.project.id={parent}", ids) == []
    (row,) = listed(client, "scope.project.id={parent}&include_subtree&include_names=True", ids)
    domain = {"id": "default", "name": "Default"}
    assert row["scope"] == {"project": {"id": ids["child"], "name": "child", "domain": domain}}
    assert row["user"] == {"id": ids["user"], "name": "anna", "domain": domain}
    assert row["role"] == {"id": ids["member"], "name": "member"}


def test_the_system_is_a_scope_of_its_own(client: Client, ids: dict[str, str]) -> None:
    grant(client, "system/groups/{group}/roles/{reader}", ids)
    rows = listed(client, "scope.system=all&effective&user.id={user}", ids)
    assert [row["scope"] for row in rows] == [{"system": {"all": True}}]
    assert client.log_in("anna", "one", "system")


def test_a_role_of_a_domain_counts_only_by_what_it_implies(client: Client, ids: dict[str, str]) -> None:
    ids["own"] = client.create("role", {"name": "own", "domain_id": "default"})["id"]
    other = client.create("domain", {"name": "other"})
    ids["foreign"] = client.create("role", {"name": "own", "domain_id": other["id"]})["id"]
    path = "/v3/projects/{parent}/users/{user}/roles/{foreign}".format(**ids)
    assert client.call("PUT", path).status == 403
    grant(client, "projects/{parent}/users/{user}/roles/{own}", ids)
    with pytest.raises(AssertionError):
        client.log_in("anna", "one", f"project_id:{ids['parent']}")
    client.call("PUT", f"/v3/roles/{ids['own']}/implies/{ids['member']}")
    token = client.log_in("anna", "one", f"project_id:{ids['parent']}")
    assert client.identity.validate(token).roles == {"member", "reader"}
    rows = listed(client, "effective&user.id={user}", ids)
    assert {row["role"]["id"] for row in rows} == {ids["member"], ids["reader"]}


@pytest.mark.parametrize(
    "query",
    [
        "user.id=a&group.id=b",
        "scope.project.id=a&scope.domain.id=b",
        "scope.system=all&scope.domain.id=b",
        "effective&group.id=b",
        "effective&scope.domain.id=a&scope.OS-INHERIT:inherited_to=projects",
        "include_subtree",
    ],
)
def test_what_excludes_itself_is_refused(client: Client, query: str) -> None:
    assert client.call("GET", f"/v3/role_assignments?{query}").status == 400


def test_a_lost_role_shows_in_tokens_at_once(client: Client, ids: dict[str, str]) -> None:
    for role in ("member", "service"):
        grant(client, f"projects/{{parent}}/users/{{user}}/roles/{{{role}}}", ids)
    token = client.log_in("anna", "one", f"project_id:{ids['parent']}")
    assert client.identity.validate(token).roles == {"member", "reader", "service"}
    client.call("DELETE", "/v3/projects/{parent}/users/{user}/roles/{member}".format(**ids))
    assert client.identity.validate(token).roles == {"service"}
    client.call("DELETE", "/v3/projects/{parent}/users/{user}/roles/{service}".format(**ids))
    assert client.call("GET", "/v3/auth/projects", token=token).status == 401


def test_the_default_project_is_used_only_if_it_can_be(client: Client, ids: dict[str, str]) -> None:
    client.call("PATCH", f"/v3/users/{ids['user']}", {"user": {"default_project_id": ids["parent"]}})

    def project() -> str | None:
        return client.identity.validate(client.log_in("anna", "one")).project_id

    assert project() is None
    grant(client, "projects/{parent}/users/{user}/roles/{member}", ids)
    assert project() == ids["parent"]
    assert client.identity.validate(client.log_in("anna", "one", "unscoped")).project_id is None
