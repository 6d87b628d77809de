"""Route × role × scope: who may do what, by the default policy with scopes enforced."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client

WHO = {
    "admin": ("admin", "project_id:{P}"),
    "system_admin": ("admin", "system"),
    "system_reader": ("reader", "system"),
    "domain_admin": ("admin", "domain:{D}"),
    "domain_manager": ("manager", "domain:{D}"),
    "domain_reader": ("reader", "domain:{D}"),
    "manager": ("manager", "project_id:{P}"),
    "member": ("member", "project_id:{P}"),
    "service": ("service", "project_id:{P}"),
}
EVERYONE = {*WHO, "unscoped"}
ADMINS = {"admin", "system_admin", "domain_admin"}
"""Whoever has the role admin, on whatever: Keystone's rule says no more."""
GLOBAL = {"admin", "system_admin"}
READERS = ADMINS | {"system_reader"}
OF_DOMAIN = READERS | {"domain_manager", "domain_reader"}
MANAGERS = ADMINS | {"domain_manager"}


class World:
    """A domain with a project, a user, a group and everyone of `WHO`."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.ids: dict[str, str] = {"D": client.create("domain", {"name": "people"})["id"]}
        self.ids["P"] = client.create("project", {"name": "work", "domain_id": self.ids["D"]})["id"]
        self.ids["U"] = client.create("user", {"name": "someone", "domain_id": self.ids["D"]})["id"]
        self.ids["G"] = client.create("group", {"name": "some", "domain_id": self.ids["D"]})["id"]
        self.ids["M"] = client.create("group", {"name": "members", "domain_id": self.ids["D"]})["id"]
        self.roles = {role["name"]: role["id"] for role in client.call("GET", "/v3/roles").json["roles"]}
        self.ids |= {f"R_{name}": role_id for name, role_id in self.roles.items()}
        self.ids["DR"] = client.create("role", {"name": "own", "domain_id": self.ids["D"]})["id"]
        self.ids["S"] = client.call("GET", "/v3/services").json["services"][0]["id"]
        self.ids["E"] = client.call("GET", "/v3/endpoints").json["endpoints"][0]["id"]
        for path in ("/v3/groups/{M}/users/{U}", "/v3/projects/{P}/users/{U}/roles/{R_reader}"):
            assert client.call("PUT", path.format(**self.ids)).status == 204

    def token(self, who: str) -> str:
        """The token of one of `WHO`; the user is made when first asked for."""
        role, scope = WHO.get(who, (None, None))
        user = self.client.create("user", {"name": who, "domain_id": self.ids["D"], "password": "secret"})
        if role is None or scope is None:
            return self.client.log_in(who, "secret", "unscoped", self.ids["D"])
        scope = scope.format(**self.ids)
        target = {"project_id": f"projects/{self.ids['P']}", "domain": f"domains/{self.ids['D']}"}.get(
            scope.split(":")[0], "system"
        )
        granted = self.client.call("PUT", f"/v3/{target}/users/{user['id']}/roles/{self.roles[role]}")
        assert granted.status == 204, granted.text
        return self.client.log_in(who, "secret", scope, self.ids["D"])


NEW = {"name": "new", "domain_id": "{D}"}
ELSEWHERE = {"name": "new", "domain_id": "default"}
CHANGE = {"description": "x"}
INHERITED = "/v3/OS-INHERIT/projects/{P}/users/{U}/roles/{R_member}/inherited_to_projects"

SCENARIOS: list[tuple[str, str, Any, int, set[str]]] = [
    # method, path, body, status for those who may, who may; everyone else gets 403
    ("GET", "/v3/users", None, 200, OF_DOMAIN),
    ("GET", "/v3/users/{U}", None, 200, OF_DOMAIN),
    ("GET", "/v3/users/nobody", None, 404, READERS),
    ("POST", "/v3/users", {"user": NEW}, 201, MANAGERS),
    ("POST", "/v3/users", {"user": ELSEWHERE}, 201, ADMINS),
    ("PATCH", "/v3/users/{U}", {"user": CHANGE}, 200, MANAGERS),
    ("DELETE", "/v3/users/{U}", None, 204, MANAGERS),
    ("GET", "/v3/users/{U}/projects", None, 200, OF_DOMAIN),
    ("GET", "/v3/users/{U}/groups", None, 200, OF_DOMAIN),
    ("GET", "/v3/groups", None, 200, OF_DOMAIN),
    ("GET", "/v3/groups/{G}", None, 200, OF_DOMAIN),
    ("POST", "/v3/groups", {"group": NEW}, 201, MANAGERS),
    ("POST", "/v3/groups", {"group": ELSEWHERE}, 201, ADMINS),
    ("PATCH", "/v3/groups/{G}", {"group": CHANGE}, 200, MANAGERS),
    ("DELETE", "/v3/groups/{G}", None, 204, MANAGERS),
    ("GET", "/v3/groups/{G}/users", None, 200, OF_DOMAIN),
    ("PUT", "/v3/groups/{G}/users/{U}", None, 204, MANAGERS),
    ("HEAD", "/v3/groups/{M}/users/{U}", None, 204, OF_DOMAIN),
    ("DELETE", "/v3/groups/{M}/users/{U}", None, 204, MANAGERS),
    ("GET", "/v3/domains", None, 200, OF_DOMAIN),
    ("GET", "/v3/domains/{D}", None, 200, EVERYONE - {"unscoped"}),
    ("GET", "/v3/domains/default", None, 200, READERS),
    ("POST", "/v3/domains", {"domain": {"name": "new"}}, 201, GLOBAL),
    ("PATCH", "/v3/domains/{D}", {"domain": CHANGE}, 200, GLOBAL),
    ("DELETE", "/v3/domains/{D}", None, 403, set()),
    ("GET", "/v3/projects", None, 200, OF_DOMAIN),
    ("GET", "/v3/projects/{P}", None, 200, EVERYONE - {"unscoped"}),
    ("POST", "/v3/projects", {"project": NEW}, 201, MANAGERS),
    ("POST", "/v3/projects", {"project": ELSEWHERE}, 201, ADMINS),
    ("PATCH", "/v3/projects/{P}", {"project": CHANGE}, 200, MANAGERS),
    ("GET", "/v3/projects/{P}/tags", None, 200, EVERYONE - {"unscoped"}),
    ("PUT", "/v3/projects/{P}/tags", {"tags": ["a"]}, 200, MANAGERS),
    ("PUT", "/v3/projects/{P}/tags/another", None, 201, MANAGERS),
    ("GET", "/v3/roles", None, 200, READERS | {"domain_manager"}),
    ("GET", "/v3/roles?domain_id={D}", None, 200, GLOBAL | {"system_reader"}),
    ("GET", "/v3/roles/{R_member}", None, 200, READERS | {"domain_manager", "manager"}),
    ("GET", "/v3/roles/{R_admin}", None, 200, READERS),
    ("GET", "/v3/roles/{DR}", None, 200, GLOBAL | {"system_reader"}),
    ("POST", "/v3/roles", {"role": {"name": "new"}}, 201, GLOBAL),
    ("PATCH", "/v3/roles/{DR}", {"role": CHANGE}, 200, GLOBAL),
    ("DELETE", "/v3/roles/{DR}", None, 204, GLOBAL),
    ("GET", "/v3/role_inferences", None, 200, GLOBAL | {"system_reader"}),
    ("GET", "/v3/roles/{R_admin}/implies", None, 200, GLOBAL | {"system_reader"}),
    ("PUT", "/v3/roles/{DR}/implies/{R_reader}", None, 201, GLOBAL),
    ("HEAD", "/v3/projects/{P}/users/{U}/roles/{R_reader}", None, 204, OF_DOMAIN),
    ("GET", "/v3/projects/{P}/users/{U}/roles", None, 200, OF_DOMAIN),
    ("PUT", "/v3/projects/{P}/users/{U}/roles/{R_member}", None, 204, MANAGERS),
    ("PUT", "/v3/projects/{P}/users/{U}/roles/{R_admin}", None, 204, ADMINS),
    ("PUT", "/v3/domains/{D}/groups/{G}/roles/{R_member}", None, 204, MANAGERS),
    ("PUT", "/v3/domains/default/groups/{G}/roles/{R_member}", None, 204, ADMINS),
    ("PUT", INHERITED, None, 204, MANAGERS),
    ("DELETE", "/v3/projects/{P}/users/{U}/roles/{R_reader}", None, 204, MANAGERS),
    ("GET", "/v3/system/users/{U}/roles", None, 200, GLOBAL | {"system_reader"}),
    ("PUT", "/v3/system/users/{U}/roles/{R_reader}", None, 204, GLOBAL),
    ("PUT", "/v3/system/groups/{G}/roles/{R_reader}", None, 204, GLOBAL),
    ("GET", "/v3/role_assignments", None, 200, OF_DOMAIN),
    ("GET", "/v3/role_assignments?include_subtree&scope.project.id={P}", None, 200, OF_DOMAIN),
    ("GET", "/v3/users/{U}/application_credentials", None, 200, GLOBAL | {"system_reader"}),
    ("POST", "/v3/users/{U}/application_credentials", {"application_credential": {"name": "x"}}, 403, set()),
    ("GET", "/v3/users/{U}/access_rules", None, 200, {"system_reader", "system_admin"}),
    ("GET", "/v3/OS-TRUST/trusts", None, 200, GLOBAL | {"system_reader"}),
    ("GET", "/v3/OS-TRUST/trusts?trustor_user_id={U}", None, 200, GLOBAL | {"system_reader"}),
    ("GET", "/v3/OS-REVOKE/events", None, 200, GLOBAL | {"service"}),
    ("GET", "/v3/regions", None, 200, EVERYONE),
    ("GET", "/v3/services/{S}", None, 200, GLOBAL | {"system_reader"}),
    ("GET", "/v3/endpoints/{E}", None, 200, GLOBAL | {"system_reader"}),
    ("GET", "/v3/auth/projects", None, 200, EVERYONE),
]


def filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, str):
        return value.format(**ids)
    if isinstance(value, dict):
        return {key: filled(item, ids) for key, item in value.items()}
    return value


@pytest.mark.parametrize("who", sorted(EVERYONE))
def test_each_route_lets_in_whom_the_policy_names(client: Client, who: str) -> None:
    world = World(client)
    token = world.token(who)
    wrong = []
    for method, path, body, status, may in SCENARIOS:
        expected = status if who in may else 403
        answer = client.call(method, filled(path, world.ids), filled(body, world.ids), token)
        if answer.status != expected:
            wrong.append(f"{method} {path} as {who}: {answer.status} instead of {expected}: {answer.text}")
        restore(world, method, path, answer.status)
    assert not wrong, "\n".join(wrong)


def restore(world: World, method: str, path: str, status: int) -> None:
    """Undo what a scenario has changed, so that the next one finds the world as it was."""
    call, ids = world.client.call, world.ids
    if status == 201 and method == "POST":
        kind = path.split("/")[2]
        for found in call("GET", f"/v3/{kind}?name=new").json[kind]:
            if kind == "domains":
                call("PATCH", f"/v3/domains/{found['id']}", {"domain": {"enabled": False}})
            call("DELETE", f"/v3/{kind}/{found['id']}")
    if status != 204 or method != "DELETE":
        return
    if path == "/v3/users/{U}":
        ids["U"] = world.client.create("user", {"name": "someone", "domain_id": ids["D"]})["id"]
        call("PUT", filled("/v3/groups/{M}/users/{U}", ids))
        call("PUT", filled("/v3/projects/{P}/users/{U}/roles/{R_reader}", ids))
    elif path == "/v3/groups/{G}":
        ids["G"] = world.client.create("group", {"name": "some", "domain_id": ids["D"]})["id"]
    elif path == "/v3/roles/{DR}":
        ids["DR"] = world.client.create("role", {"name": "own", "domain_id": ids["D"]})["id"]
    elif path.startswith("/v3/groups/{M}/users"):
        call("PUT", filled(path, ids))


@pytest.mark.parametrize(
    ("method", "path"),
    [(route[0], route[1]) for route in SCENARIOS],
)
def test_nothing_is_answered_without_a_token(client: Client, method: str, path: str) -> None:
    ids = dict.fromkeys("DPUGMSE", "x") | {f"R_{name}": "x" for name in ("reader", "member", "admin")} | {"DR": "x"}
    body: dict[str, Any] | None = {} if method in ("POST", "PATCH", "PUT") else None
    assert client.call(method, path.format(**ids), body, token="").status == 401


def test_people_may_see_themselves_and_change_their_own_password(client: Client) -> None:
    user = client.create("user", {"name": "anna", "password": "one"})
    token = client.log_in("anna", "one", "unscoped")
    path = f"/v3/users/{user['id']}"
    assert client.call("GET", path, token=token).json["user"]["name"] == "anna"
    assert client.call("PATCH", path, {"user": {"name": "x"}}, token).status == 403
    body = {"user": {"original_password": "one", "password": "two"}}
    assert client.call("POST", f"{path}/password", body, token="").status == 204
    assert client.call("GET", path, token=token).status == 401
    assert client.log_in("anna", "two")


@pytest.mark.parametrize(("who", "get", "head"), [("service", 200, 403), ("system_reader", 200, 200)])
def test_services_may_look_at_tokens_but_not_check_them(client: Client, who: str, get: int, head: int) -> None:
    token = World(client).token(who)
    subject = {"X-Subject-Token": client.token or ""}
    assert client.call("GET", "/v3/auth/tokens", token=token, headers=subject).status == get
    assert client.call("HEAD", "/v3/auth/tokens", token=token, headers=subject).status == head
    assert client.call("DELETE", "/v3/auth/tokens", token=token, headers=subject).status == 403


def test_a_token_of_a_domain_sees_only_that_domain(client: Client) -> None:
    world = World(client)
    token = world.token("domain_reader")
    for kind in ("users", "groups", "projects", "domains"):
        found = client.call("GET", f"/v3/{kind}", token=token).json[kind]
        assert found and {one.get("domain_id", one["id"]) for one in found} == {world.ids["D"]}, kind
