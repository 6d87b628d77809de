"""What a request is refused with first: a bad body, a policy, or an id that is unknown. As Keystone 30 answered."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client

NOBODY = "f" * 32

# Method, path, and what a reader of another domain is answered: about things that exist, and with each id unknown in
# turn. `{…}` is the id of a thing in the domain `people`.
KNOWN_OR_NOT: list[tuple[str, str, list[int]]] = [
    ("GET", "users/{user}", [403, 403]),
    ("DELETE", "users/{user}", [403, 403]),
    ("GET", "groups/{group}", [403, 403]),
    ("DELETE", "groups/{group}", [403, 404]),
    ("GET", "groups/{group}/users", [403, 403]),
    ("GET", "groups/{group}/users/{user}", [403, 403, 403]),
    ("GET", "projects/{project}", [403, 403]),
    ("DELETE", "projects/{project}", [403, 403]),
    ("PUT", "projects/{project}/tags/x", [403, 403]),
    ("GET", "domains/{domain}", [403, 403]),
    ("DELETE", "domains/{domain}", [403, 404]),
    ("GET", "roles/{role}", [403, 404]),
    ("DELETE", "roles/{role}", [403, 404]),
    ("GET", "roles/{domain_role}", [403, 404]),
    ("DELETE", "roles/{domain_role}", [403, 404]),
    ("GET", "roles/{role}/implies", [403, 404]),
    ("GET", "roles/{role}/implies/{implied}", [403, 404, 404]),
    ("HEAD", "roles/{role}/implies/{implied}", [403, 404, 404]),
    ("PUT", "roles/{role}/implies/{implied}", [403, 404, 404]),
    ("DELETE", "roles/{role}/implies/{implied}", [403, 404, 404]),
    ("GET", "system/users/{user}/roles", [403, 404]),
    ("GET", "system/users/{user}/roles/{role}", [403, 404, 404]),
    ("PUT", "system/users/{user}/roles/{role}", [403, 404, 404]),
    ("DELETE", "system/users/{user}/roles/{role}", [403, 403, 404]),
    ("GET", "system/groups/{group}/roles", [403, 404]),
    ("PUT", "system/groups/{group}/roles/{role}", [403, 404, 404]),
    ("DELETE", "system/groups/{group}/roles/{role}", [403, 403, 404]),
    ("GET", "projects/{project}/users/{user}/roles", [403, 404, 404]),
    ("PUT", "projects/{project}/users/{user}/roles/{role}", [403, 404, 404, 404]),
    ("DELETE", "projects/{project}/users/{user}/roles/{role}", [403, 404, 403, 404]),
    ("GET", "OS-INHERIT/domains/{domain}/users/{user}/roles/inherited_to_projects", [403, 403, 403]),
    ("GET", "OS-INHERIT/projects/{project}/users/{user}/roles/{role}/inherited_to_projects", [403, 403, 403, 403]),
    ("PUT", "OS-INHERIT/projects/{project}/users/{user}/roles/{role}/inherited_to_projects", [403, 403, 403, 403]),
    ("DELETE", "OS-INHERIT/projects/{project}/users/{user}/roles/{role}/inherited_to_projects", [403, 403, 403, 403]),
    ("PUT", "OS-INHERIT/domains/{domain}/groups/{group}/roles/{role}/inherited_to_projects", [403, 403, 403, 403]),
    ("GET", "services/{service}", [403, 403]),
    ("DELETE", "services/{service}", [403, 403]),
    ("DELETE", "regions/{region}", [403, 403]),
    ("GET", "limits/{limit}", [403, 403]),
    ("DELETE", "limits/{limit}", [403, 404]),
    ("GET", "domains/{domain}/config", [403, 403]),
]

# Path, body, and what the reader of another domain and the administrator are answered to a PATCH.
PATCHED: list[tuple[str, Any, int, int]] = [
    ("domains/{domain}", {"domain": {"description": "d"}}, 403, 200),
    (f"domains/{NOBODY}", {"domain": {"description": "d"}}, 404, 404),
    (f"domains/{NOBODY}", {"domain": {}}, 400, 400),
    ("domains/{domain}", {"domain": {"name": 1}}, 400, 400),
    ("groups/{group}", {"group": {"description": "d"}}, 403, 200),
    (f"groups/{NOBODY}", {"group": {"description": "d"}}, 403, 404),
    (f"groups/{NOBODY}", {"group": {"id": "x"}}, 403, 400),
    ("roles/{role}", {"role": {"description": "d"}}, 403, 200),
    (f"roles/{NOBODY}", {"role": {"description": "d"}}, 404, 404),
    (f"roles/{NOBODY}", {"role": {"id": "x"}}, 404, 404),
    (f"roles/{NOBODY}", {"role": {}}, 400, 400),
    ("users/{user}", {"user": {"description": "d"}}, 403, 200),
    (f"users/{NOBODY}", {"user": {"description": "d"}}, 403, 404),
    (f"users/{NOBODY}", {"user": {"id": "x"}}, 403, 404),
    ("projects/{project}", {"project": {}}, 403, 200),
    ("projects/{project}", {}, 403, 200),
    ("projects/{project}", None, 403, 200),
    ("projects/{project}", {"project": []}, 400, 400),
    ("projects/{project}", {"project": None}, 400, 400),
    ("projects/{project}", {"x": 1}, 400, 400),
    (f"projects/{NOBODY}", {"project": {}}, 403, 404),
    (f"projects/{NOBODY}", {"project": {"id": "x"}}, 403, 400),
    ("services/{service}", {"service": {"description": "d"}}, 403, 200),
    (f"services/{NOBODY}", {"service": {"description": "d"}}, 403, 404),
    (f"services/{NOBODY}", {"service": {"id": "x"}}, 403, 400),
    (f"endpoints/{NOBODY}", {"endpoint": {"id": "x"}}, 403, 400),
    (f"policies/{NOBODY}", {"policy": {"id": "x"}}, 403, 400),
    (f"OS-OAUTH1/consumers/{NOBODY}", {"consumer": {"id": "x"}}, 403, 400),
    ("limits/{limit}", {"limit": {"resource_limit": 1}}, 403, 200),
    (f"limits/{NOBODY}", {"limit": {"resource_limit": 1}}, 404, 404),
]


@pytest.fixture
def ids(client: Client) -> dict[str, str]:
    """One of each in the domain `people`, and a reader on a project of the domain `strangers`."""
    people, strangers = (client.create("domain", {"name": name})["id"] for name in ("people", "strangers"))
    ids = {"domain": people, "region": client.create("region", {})["id"]}
    for kind in ("user", "group", "project"):
        ids[kind] = client.create(kind, {"name": "some", "domain_id": people})["id"]
    ids["role"] = client.create("role", {"name": "some"})["id"]
    ids["implied"] = client.create("role", {"name": "implied"})["id"]
    ids["domain_role"] = client.create("role", {"name": "some", "domain_id": people})["id"]
    ids["service"] = client.create("service", {"type": "some"})["id"]
    what = {"service_id": ids["service"], "resource_name": "some"}
    identity = client.identity
    identity.registered_limits.create([{**what, "default_limit": 1}])
    ids["limit"] = identity.limits.create([{**what, "resource_limit": 1, "project_id": ids["project"]}])[0].id
    reader = client.create("user", {"name": "reader", "domain_id": strangers, "password": "pass"})["id"]
    project = client.create("project", {"name": "theirs", "domain_id": strangers})["id"]
    roles = {role["name"]: role["id"] for role in client.call("GET", "/v3/roles").json["roles"]}
    assert client.call("PUT", f"/v3/projects/{project}/users/{reader}/roles/{roles['reader']}").status == 204
    ids["token"] = client.log_in("reader", "pass", f"project_id:{project}", strangers)
    return ids


@pytest.mark.parametrize(("method", "path", "expected"), KNOWN_OR_NOT, ids=lambda part: str(part))
def test_an_unknown_id_is_a_404_before_the_policy_where_keystone_says_so(
    client: Client, ids: dict[str, str], method: str, path: str, expected: list[int]
) -> None:
    names = [part[1:].split("}")[0] for part in path.split("/") if part.startswith("{")]
    found = [client.call(method, f"/v3/{path.format(**ids)}", token=ids["token"]).status]
    for name in names:
        unknown = path.format(**{**ids, name: NOBODY})
        found.append(client.call(method, f"/v3/{unknown}", token=ids["token"]).status)
    assert found == expected


@pytest.mark.parametrize(("path", "body", "stranger", "admin"), PATCHED, ids=lambda part: str(part)[:50])
def test_a_change_is_checked_in_keystones_order(
    client: Client, ids: dict[str, str], path: str, body: Any, stranger: int, admin: int
) -> None:
    path = f"/v3/{path.format(**ids)}"
    found = [client.call("PATCH", path, body, token).status for token in (ids["token"], None)]
    assert found == [stranger, admin]


def test_an_empty_change_of_a_project_changes_nothing(client: Client, ids: dict[str, str]) -> None:
    path = f"/v3/projects/{ids['project']}"
    before = client.call("GET", path).json
    assert client.call("PATCH", path, {"project": {}}).json == before


def test_tags_are_looked_at_after_the_policy(client: Client, ids: dict[str, str]) -> None:
    path = f"/v3/projects/{ids['project']}/tags"
    assert [client.call("PUT", path, {}, token).status for token in (ids["token"], None)] == [403, 400]


def test_a_group_of_a_configuration_is_looked_at_before_its_domain(client: Client) -> None:
    assert client.call("GET", f"/v3/domains/{NOBODY}/config/no-such-group").status == 403
    assert client.call("GET", f"/v3/domains/{NOBODY}/config/ldap").status == 404
