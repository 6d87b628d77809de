"""Tenants, users, roles, services and endpoints of v2.0, as the admin's half has them."""

from typing import Any

import pytest

from tests.api.legacy.identity_v2.conftest import PASSWORD, Halves

READS = ("/tenants", "/users", "/OS-KSADM/roles", "/OS-KSADM/services", "/endpoints", "/tenants/x/users", "/users/x")


def test_only_admins_may_look(halves: Halves) -> None:
    ann = halves.user("ann", "a")
    for path in READS:
        assert halves.call("GET", path, token=ann).status == 403
        assert halves.call("GET", path, token="nonsense").status == 401
        assert halves.call("GET", path).status == (404 if "/x" in path else 200)


MISTAKES: list[tuple[str, str, Any, int]] = [
    ("POST", "/tenants", {}, 400),
    ("POST", "/tenants", {"tenant": {"name": ""}}, 400),
    ("POST", "/tenants", {"tenant": {"name": "t", "enabled": "yes"}}, 400),
    ("POST", "/tenants", {"tenant": {"name": "admin"}}, 409),
    ("POST", "/tenants/nothing", {"tenant": {"name": "t"}}, 404),
    ("DELETE", "/tenants/nothing", None, 404),
    ("DELETE", "/tenants/default", None, 404),
    ("POST", "/users", {"user": {}}, 400),
    ("POST", "/users", {"user": {"name": "u", "enabled": 1}}, 400),
    ("POST", "/users", {"user": {"name": "u", "password": 7}}, 400),
    ("POST", "/users", {"user": {"name": "admin"}}, 409),
    ("POST", "/users", {"user": {"name": "u", "tenantId": "nothing"}}, 404),
    ("PUT", "/users/nothing", {"user": {"name": "u"}}, 404),
    ("PUT", "/users/nothing", {"user": {"id": "other"}}, 400),
    ("POST", "/OS-KSADM/roles", {"role": {}}, 400),
    ("POST", "/OS-KSADM/roles", {"role": {"name": "admin"}}, 409),
    ("GET", "/OS-KSADM/roles/admin", None, 404),
    ("POST", "/OS-KSADM/services", {"OS-KSADM:service": {"name": "x"}}, 400),
    ("POST", "/OS-KSADM/services", {"service": {"type": "x"}}, 400),
    ("DELETE", "/OS-KSADM/services/nothing", None, 404),
    ("POST", "/endpoints", {"endpoint": {"publicurl": "http://x"}}, 400),
    ("POST", "/endpoints", {"endpoint": {"service_id": "nothing", "publicurl": "http://x"}}, 400),
    ("DELETE", "/endpoints/nothing", None, 404),
    ("PUT", "/users/u/roles/OS-KSADM/r", None, 501),
    ("GET", "/tokens/revoked", None, 410),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), MISTAKES)
def test_mistakes_are_answered_with(shared: Halves, method: str, path: str, body: Any, status: int) -> None:
    answer = shared.call(method, path, body)
    assert answer.status == status, answer.text
    assert answer.json["error"]["code"] == status


def test_a_tenant_from_its_creation_to_its_end(halves: Halves) -> None:
    made = halves.create("/tenants", "tenant", name="tour", description=None, enabled=True, color="red")
    assert made == {"id": made["id"], "name": "tour", "description": "", "enabled": True, "color": "red"}
    assert halves.call("GET", "/tenants?name=tour").json["tenant"]["id"] == made["id"]
    assert halves.call("GET", "/tenants?name=nothing").status == 404
    for method in ("POST", "PUT"):
        changed = halves.call(method, f"/tenants/{made['id']}", {"tenant": {"id": made["id"], "description": method}})
        assert changed.status == 200 and changed.json["tenant"]["description"] == method
    assert halves.call("DELETE", f"/tenants/{made['id']}").status == 204
    assert halves.call("GET", f"/tenants/{made['id']}").status == 404


def test_lists_of_tenants_have_pages(shared: Halves) -> None:
    first = shared.call("GET", "/tenants?limit=1").json["tenants"]
    rest = shared.call("GET", f"/tenants?limit=5&marker={first[0]['id']}").json
    assert len(first) == len(rest["tenants"]) == 1 and rest["tenants_links"] == []
    assert shared.call("GET", "/tenants?limit=x").status == 400


def test_users_see_their_own_tenants_on_the_public_half(halves: Halves) -> None:
    ann = halves.user("ann", "a")
    listed = halves.public.call("GET", "/v2.0/tenants", token=ann).json["tenants"]
    assert [tenant["name"] for tenant in listed] == ["a"]
    unscoped = halves.token("ann", "pw").json["access"]["token"]["id"]
    assert halves.public.call("GET", "/v2.0/tenants", token=unscoped).json["tenants"] == listed


def test_a_user_with_a_tenant_is_a_member_there_and_may_work(halves: Halves) -> None:
    halves.user("ann", "a")
    access = halves.token("ann", "pw", "a").json["access"]
    names = {role["name"] for role in access["user"]["roles"]}
    assert {"_member_", "member", "reader"} <= names
    tenant, user = access["token"]["tenant"]["id"], access["user"]["id"]
    granted = halves.call("GET", f"/tenants/{tenant}/users/{user}/roles").json["roles"]
    assert [role["name"] for role in granted] == ["_member_"]
    assert [one["name"] for one in halves.call("GET", f"/tenants/{tenant}/users").json["users"]] == ["ann"]
    other = halves.create("/tenants", "tenant", name="b")["id"]
    changed = halves.call("PUT", f"/users/{user}/OS-KSADM/tenant", {"user": {"id": user, "tenantId": other}})
    assert changed.json["user"]["tenantId"] == other
    assert halves.token("ann", "pw", "a").status == 401 and halves.token("ann", "pw", "b").status == 200


def test_a_role_called_member_means_what_it_meant(halves: Halves) -> None:
    halves.create("/OS-KSADM/roles", "role", name="Member")
    token = halves.user("bob", "b", "Member")
    assert {"name": "reader"} in halves.call("GET", f"/tokens/{token}").json["access"]["user"]["roles"]


def test_a_user_from_creation_to_end(halves: Halves) -> None:
    made = halves.create(
        "/users", "user", name="ann", password="pw", email="a@example.com", tenantId=None, enabled=True
    )
    assert made["username"] == "ann" and made["email"] == "a@example.com" and "tenantId" not in made
    assert not {"password", "domain_id", "default_project_id"} & set(made)
    path = f"/users/{made['id']}"
    assert halves.call("GET", "/users?name=ann").json["user"]["id"] == made["id"]
    changed = halves.call("PUT", path, {"user": {"id": made["id"], "name": "bea", "email": None}}).json["user"]
    assert changed["name"] == "bea" and changed["email"] is None
    assert halves.call("PUT", f"{path}/OS-KSADM/password", {"user": {"password": "new"}}).status == 200
    assert halves.token("bea", "pw").status == 401 and halves.token("bea", "new").status == 200
    assert halves.call("PUT", f"{path}/OS-KSADM/enabled", {"user": {"enabled": False}}).status == 200
    assert halves.token("bea", "new").status == 401
    assert halves.call("DELETE", path).status == 204 and halves.call("GET", path).status == 404


PASSWORD_CHANGES: list[tuple[dict[str, Any], int]] = [
    ({"password": "new"}, 400),
    ({"original_password": "pw"}, 400),
    ({"password": "new", "original_password": "wrong"}, 401),
    ({"password": "new", "original_password": "pw"}, 200),
]


@pytest.mark.parametrize(("body", "status"), PASSWORD_CHANGES)
def test_users_change_their_own_password(halves: Halves, body: dict[str, Any], status: int) -> None:
    token = halves.user("ann", "a")
    user = halves.call("GET", "/users?name=ann").json["user"]["id"]
    answer = halves.public.call("PATCH", f"/v2.0/OS-KSCRUD/users/{user}", {"user": body}, token)
    assert answer.status == status, answer.text
    if status == 200:
        fresh = answer.json["access"]["token"]
        assert fresh["tenant"]["name"] == "a" and halves.call("GET", f"/tokens/{fresh['id']}").status == 200
        assert halves.call("GET", f"/tokens/{token}").status == 404


def test_nobody_changes_the_password_of_another(halves: Halves) -> None:
    ann = halves.user("ann", "a")
    admin = halves.call("GET", "/users?name=admin").json["user"]["id"]
    body = {"user": {"password": "new", "original_password": PASSWORD}}
    assert halves.public.call("PATCH", f"/v2.0/OS-KSCRUD/users/{admin}", body, ann).status == 403


def test_grants_are_made_once_and_taken_once(halves: Halves) -> None:
    halves.user("ann", "a")
    access = halves.token("ann", "pw", "a").json["access"]
    role = halves.create("/OS-KSADM/roles", "role", name="actor")
    path = f"/tenants/{access['token']['tenant']['id']}/users/{access['user']['id']}/roles/OS-KSADM/{role['id']}"
    assert [halves.call("PUT", path).status for _ in range(2)] == [200, 409]
    assert halves.call("PUT", path.replace(role["id"], "nothing")).status == 404
    assert [halves.call("DELETE", path).status for _ in range(2)] == [204, 404]
    assert halves.call("GET", f"/users/{access['user']['id']}/roles").json == {"roles": []}
    assert halves.call("DELETE", f"/OS-KSADM/roles/{role['id']}").status == 204


def test_endpoints_are_one_row_here_and_three_in_v3(halves: Halves) -> None:
    service = halves.create("/OS-KSADM/services", "OS-KSADM:service", name="tours", type="tour", description="d")["id"]
    urls = {"publicurl": "http://x/$(tenant_id)s", "internalurl": "http://x/%(tenant_id)s", "adminurl": None}
    made = halves.create("/endpoints", "endpoint", service_id=service, region="new", **urls)
    assert made["region"] == "new" and made["adminurl"] is None
    rows = halves.today.call("GET", f"/v3/endpoints?service_id={service}").json["endpoints"]
    assert {row["interface"] for row in rows} == {"public", "internal"}
    assert not {"legacy_endpoint_id", "legacy_id"} & set(rows[0])
    listed = {row["id"]: row for row in halves.call("GET", "/endpoints").json["endpoints"]}
    assert listed[made["id"]]["publicurl"] == urls["publicurl"]
    catalog = halves.token("admin", PASSWORD, "admin").json["access"]
    tour = next(entry for entry in catalog["serviceCatalog"] if entry["type"] == "tour")
    tenant = catalog["token"]["tenant"]["id"]
    assert tour["endpoints"][0]["publicURL"] == tour["endpoints"][0]["internalURL"] == f"http://x/{tenant}"
    assert halves.call("DELETE", f"/endpoints/{made['id']}").status == 204
    assert halves.today.call("GET", f"/v3/endpoints?service_id={service}").json["endpoints"] == []
    bad = {"endpoint": {"service_id": service, "publicurl": "http://x/$(nothing)s"}}
    assert halves.call("POST", "/endpoints", bad).status == 400
    assert halves.call("DELETE", f"/OS-KSADM/services/{service}").status == 204


def test_a_second_image_service_stands_behind_ours_in_the_catalog(halves: Halves) -> None:
    for _ in range(4):
        service = halves.create("/OS-KSADM/services", "OS-KSADM:service", name="glance", type="image")["id"]
        halves.create(
            "/endpoints", "endpoint", service_id=service, region="regionOne", publicurl="http://controller:9292"
        )
    catalog = halves.token("admin", PASSWORD, "admin").json["access"]["serviceCatalog"]
    images = [entry["endpoints"][0]["publicURL"] for entry in catalog if entry["type"] == "image"]
    assert images == ["http://cloud.example:9292", *["http://controller:9292"] * 4]


def test_ec2_credentials_belong_to_their_user(halves: Halves) -> None:
    ann, bob = halves.user("ann", "a"), halves.user("bob", "b")
    access = halves.call("GET", f"/tokens/{ann}").json["access"]
    path = f"/users/{access['user']['id']}/credentials/OS-EC2"
    body = {"tenant_id": access["token"]["tenant"]["id"]}
    for half in (halves.public, halves.admin):
        made = half.call("POST", f"/v2.0{path}", body, ann)
        assert made.status == 200 and set(made.json["credential"]) == {
            *("user_id", "tenant_id", "access", "secret", "trust_id"),
        }
        one = f"{path}/{made.json['credential']['access']}"
        assert half.call("GET", f"/v2.0{one}", token=ann).status == 200
        assert half.call("GET", f"/v2.0{one}", token=bob).status == 403
        assert half.call("POST", f"/v2.0{path}", body, bob).status == 403
        assert half.call("DELETE", f"/v2.0{one}", token=ann).status == 204
        assert half.call("GET", f"/v2.0{one}", token=ann).status == 404
    assert halves.call("GET", path).json == {"credentials": []}
    assert halves.call("POST", path, {}).status == 400
    for token, status in ((ann, 403), (halves.admin.token, 401)):
        assert halves.call("POST", "/ec2tokens", {"ec2Credentials": {}}, token).status == status
