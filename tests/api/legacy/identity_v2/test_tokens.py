"""Tokens of v2.0: issued, shown to services, revoked; and the bootstrap token."""

from typing import Any

import pytest

from tests.api.identity_v3.client import password_auth
from tests.api.legacy.identity_v2.conftest import BOOTSTRAP, PASSWORD, Halves

USER = {"username": "admin", "password": PASSWORD}


def test_a_token_of_a_tenant_comes_with_its_catalog(shared: Halves) -> None:
    access = shared.token("admin", PASSWORD, "admin").json["access"]
    assert access["token"]["tenant"]["name"] == "admin" and access["token"]["tenant"]["enabled"] is True
    assert access["token"]["expires"].endswith("Z") and "." not in access["token"]["expires"]
    assert access["user"]["username"] == access["user"]["name"] == "admin"
    assert {"name": "admin"} in access["user"]["roles"]
    assert access["metadata"]["is_admin"] == 0 and access["metadata"]["roles"]
    identity = next(entry for entry in access["serviceCatalog"] if entry["type"] == "identity")
    assert identity["endpoints"][0]["publicURL"] == "http://cloud.example:5000/v2.0"
    image = next(entry for entry in access["serviceCatalog"] if entry["type"] == "image")
    assert image["endpoints"][0]["adminURL"] == "http://cloud.example:9292"


def test_a_token_without_a_tenant_has_no_catalog(shared: Halves) -> None:
    access = shared.token("admin", PASSWORD).json["access"]
    assert "tenant" not in access["token"] and access["serviceCatalog"] == [] and access["user"]["roles"] == []


SIGN_INS: list[tuple[Any, int]] = [
    ({}, 400),
    ({"auth": {}}, 400),
    ({"auth": {"passwordCredentials": {}}}, 400),
    ({"auth": {"passwordCredentials": {"username": "admin"}}}, 400),
    ({"auth": {"passwordCredentials": {"username": 7, "password": "x"}}}, 400),
    ({"auth": {"passwordCredentials": {"username": "a" * 256, "password": "x"}}}, 400),
    ({"auth": {"token": {}}}, 400),
    ({"auth": {"token": {"id": "nonsense"}}}, 401),
    ({"auth": {"passwordCredentials": {**USER, "password": "wrong"}}}, 401),
    ({"auth": {"passwordCredentials": {**USER, "username": "nobody"}}}, 401),
    ({"auth": {"passwordCredentials": USER, "tenantName": "nowhere"}}, 401),
    ({"auth": {"passwordCredentials": USER, "tenantId": "nowhere"}}, 401),
    ({"auth": {"passwordCredentials": USER, "tenantName": "service"}}, 401),
    ({"auth": {"passwordCredentials": USER, "tenantId": "default"}}, 401),
    ({"auth": {"passwordCredentials": USER, "tenantName": "", "tenantId": ""}}, 200),
    ({"auth": {"passwordCredentials": USER, "tenantName": "admin"}}, 200),
]


@pytest.mark.parametrize(("body", "status"), SIGN_INS, ids=str)
def test_sign_ins_are_answered(shared: Halves, body: Any, status: int) -> None:
    for half in (shared.public, shared.admin):
        answer = half.call("POST", "/v2.0/tokens", body, token="")
        assert answer.status == status, answer.text
        if status == 401:
            assert answer.headers["www-authenticate"] == f'Keystone uri="http://{half.host}"'
            assert answer.json["error"]["title"] == "Unauthorized"


def test_a_token_buys_one_of_another_tenant(halves: Halves) -> None:
    first = halves.token("admin", PASSWORD).json["access"]["token"]["id"]
    body = {"auth": {"token": {"id": first}, "tenantName": "admin"}}
    access = halves.public.call("POST", "/v2.0/tokens", body, token="").json["access"]
    assert access["token"]["tenant"]["name"] == "admin" and len(access["token"]["audit_ids"]) == 2


def test_users_and_projects_of_other_domains_do_not_exist(halves: Halves) -> None:
    domain = halves.today.create("domain", {"name": "elsewhere"})["id"]
    user = halves.today.create("user", {"name": "far", "domain_id": domain, "password": "pw"})
    project = halves.today.create("project", {"name": "away", "domain_id": domain})
    assert halves.token("far", "pw").status == 401
    body = {"auth": {"passwordCredentials": {"userId": user["id"], "password": "pw"}}}
    assert halves.public.call("POST", "/v2.0/tokens", body, token="").status == 401
    assert halves.call("GET", f"/users/{user['id']}").status == 404
    assert halves.call("GET", f"/tenants/{project['id']}").status == 404
    assert "far" not in halves.call("GET", "/users").text and "away" not in halves.call("GET", "/tenants").text
    foreign = halves.today.call("POST", "/v3/auth/tokens", {"auth": password_auth("far", "pw", None, domain)}, token="")
    assert halves.call("GET", f"/tokens/{foreign.headers['x-subject-token']}").status == 401


def test_services_have_tokens_shown(halves: Halves) -> None:
    ann = halves.user("ann", "a")
    shown = halves.call("GET", f"/tokens/{ann}").json["access"]
    assert shown["user"]["name"] == "ann" and shown["token"]["id"] == ann
    tenant = shown["token"]["tenant"]["id"]
    assert halves.call("GET", f"/tokens/{ann}?belongsTo={tenant}").status == 200
    assert halves.call("GET", f"/tokens/{ann}?belongsTo=other").status == 401
    assert halves.call("HEAD", f"/tokens/{ann}").status == 200
    assert halves.call("GET", "/tokens/nonsense").status == 404
    assert halves.call("GET", f"/tokens/{ann}/endpoints").json["endpoints"][0]["publicURL"]
    assert halves.call("GET", f"/tokens/{ann}", token=ann).status == 403
    assert halves.call("DELETE", f"/tokens/{ann}", token=ann).status == 403
    assert halves.call("DELETE", f"/tokens/{ann}").status == 204
    assert halves.call("GET", f"/tokens/{ann}").status == 404


def test_a_service_role_is_enough_to_have_tokens_shown(halves: Halves) -> None:
    service = halves.user("glance", "s", "service")
    assert halves.call("GET", f"/tokens/{service}", token=service).status == 200
    assert halves.call("GET", "/users", token=service).status == 403


ABSENT = [
    ("public", "GET", "/users"),
    ("public", "POST", "/tenants"),
    ("public", "GET", "/OS-KSADM/roles"),
    ("public", "GET", "/endpoints"),
    ("public", "GET", "/tokens/abc"),
    ("admin", "PATCH", "/OS-KSCRUD/users/abc"),
    ("admin", "GET", "/nothing"),
    ("admin", "PATCH", "/users/abc"),
]


@pytest.mark.parametrize(("half", "method", "path"), ABSENT)
def test_each_half_has_its_own_routes(shared: Halves, half: str, method: str, path: str) -> None:
    answer = getattr(shared, half).call(method, f"/v2.0{path}", token=shared.admin.token)
    assert answer.status == 404 and answer.json["error"]["code"] == 404


BOOTSTRAPS = [
    ("admin", "127.0.0.1", {}, BOOTSTRAP, 200),
    ("admin", "::1", {}, BOOTSTRAP, 200),
    ("admin", "10.0.0.1", {}, BOOTSTRAP, 401),
    ("admin", "", {}, BOOTSTRAP, 401),
    ("admin", "127.0.0.1", {"X-Forwarded-For": "10.0.0.1"}, BOOTSTRAP, 401),
    ("admin", "127.0.0.1", {"Via": "1.1 proxy"}, BOOTSTRAP, 401),
    ("admin", "127.0.0.1", {}, BOOTSTRAP[:-1], 401),
    ("admin", "127.0.0.1", {}, f"{BOOTSTRAP}é", 401),
    ("public", "127.0.0.1", {}, BOOTSTRAP, 401),
]


@pytest.mark.parametrize(("half", "remote", "headers", "token", "status"), BOOTSTRAPS)
def test_the_bootstrap_token_is_for_loopback_and_admins(
    shared: Halves, half: str, remote: str, headers: dict[str, str], token: str, status: int
) -> None:
    shared.remote = remote
    assert getattr(shared, half).call("GET", "/v2.0/tenants", None, token, headers).status == status


def test_the_bootstrap_token_is_nobody_in_v3(shared: Halves) -> None:
    assert shared.today.call("GET", "/v3/users", token=BOOTSTRAP).status == 401


def test_versions_and_extensions_need_no_token(shared: Halves) -> None:
    for half, aliases in (
        (shared.public, {"OS-EC2", "OS-KSCRUD"}),
        (shared.admin, {"OS-EC2", "OS-KSCRUD", "OS-KSADM"}),
    ):
        version = half.call("GET", "/v2.0/", token="").json["version"]
        assert version["id"] == "v2.0" and version["links"][0]["href"] == f"http://{half.host}/v2.0/"
        listed = half.call("GET", "/v2.0/extensions", token="").json["extensions"]["values"]
        assert {one["alias"] for one in listed} == aliases
        assert half.call("GET", "/v2.0/extensions/OS-EC2", token="").json["extension"]["alias"] == "OS-EC2"
        assert half.call("GET", "/v2.0/extensions/nothing", token="").status == 404
        assert half.call("GET", "/v2.0/certificates/ca", token="").status == 410
