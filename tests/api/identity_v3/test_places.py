"""Domains and projects: names, the tree, tags, disabling and deleting."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x" * 64}, 201),
        ({"name": "x" * 65}, 400),
        ({"name": " "}, 400),
        ({"name": "admin"}, 409),
        ({"name": "x", "enabled": 1}, 400),
        ({"name": "x", "domain_id": "nowhere"}, 400),
        ({"name": "x", "parent_id": "nowhere"}, 400),
        ({"name": "x", "description": None}, 201),
        ({"name": "x", "tags": ["a,b"]}, 400),
        ({"name": "x", "tags": ["a", "a"]}, 400),
        ({"name": "x", "is_domain": True, "parent_id": "default"}, 400),
        ({"name": "x", "is_domain": True}, 201),
        ({"name": "x", "drawer": 7}, 201),
    ],
)
def test_new_projects_are_checked(client: Client, body: dict[str, Any], status: int) -> None:
    answer = client.call("POST", "/v3/projects", {"project": body})
    assert answer.status == status, answer.text
    if status == 201:
        project = answer.json["project"]
        assert project["parent_id"] == project["domain_id"] == (None if "is_domain" in body else "default")
        assert client.call("GET", f"/v3/projects/{project['id']}").json["project"] == project


def branch(client: Client, depth: int) -> list[str]:
    """Projects below each other."""
    ids: list[str] = []
    for level in range(depth):
        body = {"name": f"level-{level}", **({"parent_id": ids[-1]} if ids else {})}
        ids.append(client.create("project", body)["id"])
    return ids


def test_the_tree_is_five_deep_and_shown_both_ways(client: Client) -> None:
    ids = branch(client, 5)
    body = {"project": {"name": "too-deep", "parent_id": ids[-1]}}
    assert client.call("POST", "/v3/projects", body).status == 403
    path = f"/v3/projects/{ids[1]}"
    assert client.call("GET", f"{path}?parents_as_ids").json["project"]["parents"] == {ids[0]: {"default": None}}
    subtree = client.call("GET", f"{path}?subtree_as_ids").json["project"]["subtree"]
    assert subtree == {ids[2]: {ids[3]: {ids[4]: None}}}
    assert client.call("GET", f"{path}?subtree_as_list").json["project"]["subtree"] == []
    assert client.call("GET", f"{path}?subtree_as_list&subtree_as_ids").status == 400
    found = client.call("GET", f"/v3/projects?parent_id={ids[0]}").json["projects"]
    assert [project["id"] for project in found] == [ids[1]]


def test_a_parent_is_not_deleted_or_disabled_before_its_children(client: Client) -> None:
    parent, child = branch(client, 2)

    def change(project: str, **values: Any) -> int:
        return client.call("PATCH", f"/v3/projects/{project}", {"project": values}).status

    assert client.call("DELETE", f"/v3/projects/{parent}").status == 403
    assert change(parent, enabled=False) == 403
    assert change(child, enabled=False) == 200
    assert change(parent, enabled=False) == 200
    assert change(child, enabled=True) == 403
    assert client.call("POST", "/v3/projects", {"project": {"name": "x", "parent_id": parent}}).status == 400
    assert change(child, parent_id="default") == 403
    assert change(child, is_domain=True) == 400
    assert change(child, domain_id="other") == 400
    assert change(child, id="other") == 400
    assert [client.call("DELETE", f"/v3/projects/{one}").status for one in (child, parent)] == [204, 204]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("tags=a", {"one", "two"}),
        ("tags=a,b", {"two"}),
        ("tags-any=b,c", {"two", "three"}),
        ("not-tags=a,b", {"one", "three", "admin", "service"}),
        ("not-tags-any=a,b", {"three", "admin", "service"}),
    ],
)
def test_projects_are_found_by_tags(client: Client, query: str, names: set[str]) -> None:
    for name, tags in (("one", ["a"]), ("two", ["a", "b"]), ("three", ["c"])):
        client.create("project", {"name": name, "tags": tags})
    assert {project["name"] for project in client.call("GET", f"/v3/projects?{query}").json["projects"]} == names


def test_tags_are_added_checked_replaced_and_removed(client: Client) -> None:
    path = f"/v3/projects/{client.create('project', {'name': 'x'})['id']}/tags"
    assert client.call("PUT", f"{path}/gr%C3%BCn").status == 201
    assert client.call("GET", path).json["tags"] == ["grün"]
    assert client.call("HEAD", f"{path}/gr%C3%BCn").status == 204
    assert client.call("GET", f"{path}/red").status == 404
    assert client.call("PUT", f"{path}/{'x' * 256}").status == 400
    assert client.call("PUT", path, {"tags": ["a", "b"]}).json["tags"] == ["a", "b"]
    assert client.call("PUT", path, {"tags": [str(n) for n in range(81)]}).status == 400
    assert client.call("DELETE", f"{path}/a").status == 204
    assert client.call("DELETE", f"{path}/a").status == 404
    assert client.call("DELETE", path).status == 204
    assert client.call("GET", path).json["tags"] == []


def test_a_disabled_project_or_domain_ends_its_tokens(client: Client) -> None:
    domain = client.create("domain", {"name": "d"})
    project = client.create("project", {"name": "work", "domain_id": domain["id"]})
    user = client.create("user", {"name": "anna", "password": "one", "domain_id": domain["id"]})
    role = client.create("role", {"name": "cook"})
    client.call("PUT", f"/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
    for path, key in ((f"/v3/projects/{project['id']}", "project"), (f"/v3/domains/{domain['id']}", "domain")):
        token = client.log_in("anna", "one", f"project_id:{project['id']}", domain["id"])
        client.call("PATCH", path, {key: {"enabled": False}})
        assert client.call("GET", "/v3/auth/projects", token=token).status == 401, path
        client.call("PATCH", path, {key: {"enabled": True}})
        assert client.call("GET", "/v3/auth/projects", token=token).status == 401, path
    client.log_in("anna", "one", f"project_id:{project['id']}", domain["id"])


def test_a_domain_is_deleted_with_all_it_owns_once_it_is_disabled(client: Client) -> None:
    domain = client.create("domain", {"name": "d", "description": "x"})
    assert set(domain) == {"id", "name", "description", "enabled", "tags", "options", "links"}
    own = {"domain_id": domain["id"]}
    made = {kind: client.create(kind, {"name": "x", **own})["id"] for kind in ("user", "group", "role")}
    parent = client.create("project", {"name": "p", **own})
    made["project"] = client.create("project", {"name": "c", "parent_id": parent["id"], **own})["id"]
    path = f"/v3/domains/{domain['id']}"
    assert client.call("DELETE", path).status == 403
    assert client.call("PATCH", path, {"domain": {"enabled": False}}).status == 200
    assert client.call("DELETE", path).status == 204
    for kind, made_id in made.items():
        assert client.call("GET", f"/v3/{kind}s/{made_id}").status == 404, kind


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "Default"}, 409),
        ({"name": "x" * 65}, 400),
        ({}, 400),
        ({"name": "x", "explicit_domain_id": "a" * 32}, 201),
        ({"name": "x", "explicit_domain_id": "no"}, 400),
    ],
)
def test_new_domains_are_checked(client: Client, body: dict[str, Any], status: int) -> None:
    answer = client.call("POST", "/v3/domains", {"domain": body})
    assert answer.status == status, answer.text
    if "explicit_domain_id" in body and status == 201:
        assert answer.json["domain"]["id"] == "a" * 32


def test_an_immutable_project_stands(client: Client) -> None:
    project = client.create("project", {"name": "x", "options": {"immutable": True}})
    path = f"/v3/projects/{project['id']}"
    assert client.call("DELETE", path).status == 403
    assert client.call("PATCH", path, {"project": {"name": "y"}}).status == 403
    assert client.call("PATCH", path, {"project": {"options": {"immutable": False}}}).status == 200
    assert client.call("DELETE", path).status == 204
