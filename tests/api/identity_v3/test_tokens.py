"""Tokens over HTTP: every scope, what their bodies say, who may look at whose, and how they end."""

import base64
import hashlib
import hmac
import json
import re
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.api.identity_v3.client import PASSWORD, Client, password_auth

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z")


def issue(client: Client, auth: Any, query: str = "") -> Any:
    return client.call("POST", f"/v3/auth/tokens{query}", {"auth": auth}, token="")


@pytest.mark.parametrize(
    ("scope", "has", "has_not"),
    [
        ("project:admin", {"project", "is_domain", "roles", "catalog"}, {"domain", "system"}),
        ("system", {"system", "roles", "catalog"}, {"project", "domain", "is_domain"}),
        ("unscoped", set(), {"project", "domain", "system", "roles", "catalog"}),
        ({"unscoped": {}}, set(), {"project", "roles", "catalog"}),
        (None, set(), {"project", "roles", "catalog"}),
    ],
)
def test_token_body_has_what_its_scope_needs(client: Client, scope: Any, has: set[str], has_not: set[str]) -> None:
    answer = issue(client, password_auth("admin", PASSWORD, scope))
    assert answer.status == 201
    token = answer.json["token"]
    common = {"methods", "user", "audit_ids", "expires_at", "issued_at"}
    assert has | common <= set(token) and not has_not & set(token)
    assert TIME.fullmatch(token["expires_at"]) and TIME.fullmatch(token["issued_at"])
    assert token["user"]["domain"] == {"id": "default", "name": "Default"}
    if "roles" in has:
        assert {role["name"] for role in token["roles"]} == {"admin", "manager", "member", "reader"}


def test_catalog_follows_the_address_of_the_client(client: Client) -> None:
    client.host = "lab.example:1234"
    catalog = issue(client, password_auth("admin", PASSWORD, "system")).json["token"]["catalog"]
    urls = {e["url"] for service in catalog for e in service["endpoints"]}
    assert urls == {"http://lab.example:1234/v3", "http://lab.example:9292"}
    assert all(e["region"] == e["region_id"] == "RegionOne" for s in catalog for e in s["endpoints"])


def test_nocatalog_leaves_the_catalog_out(client: Client) -> None:
    assert "catalog" not in issue(client, password_auth("admin", PASSWORD, "system"), "?nocatalog").json["token"]


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        (None, 400),
        ({}, 400),
        ({"identity": {}}, 400),
        ({"identity": {"methods": []}}, 401),
        ({"identity": {"methods": ["password"]}}, 400),
        ({"identity": {"methods": ["magic"], "magic": {}}}, 401),
        ({"identity": {"methods": ["token"], "token": {}}}, 400),
        ({"identity": {"methods": ["token"], "token": {"id": "junk"}}}, 404),
        ({"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}}, 400),
        (password_auth("admin", "wrong"), 401),
        (password_auth("nobody", PASSWORD), 401),
        (password_auth("admin", PASSWORD, domain="nowhere"), 401),
        (password_auth("admin", PASSWORD, "project:nothing"), 401),
        (password_auth("admin", PASSWORD, "domain:default"), 401),
        (password_auth("admin", PASSWORD, "domain:nowhere"), 401),
        (password_auth("admin", PASSWORD, {"project": {"name": "admin"}}), 400),
        (password_auth("admin", PASSWORD, {"project": {}}), 400),
        (password_auth("admin", PASSWORD, {}), 400),
        (password_auth("admin", PASSWORD, {"system": {"all": True}, "domain": {"id": "default"}}), 400),
        (password_auth("admin", PASSWORD, 7), 400),
    ],
)
def test_bad_credentials_are_refused(client: Client, auth: Any, status: int) -> None:
    answer = issue(client, auth)
    assert answer.status == status, answer.text
    assert answer.json["error"]["code"] == status
    assert "x-subject-token" not in answer.headers
    if status == 401:
        assert answer.headers["www-authenticate"] == 'Keystone uri="http://cloud.example:5000/v3"'
        assert "password" not in answer.text and "user" not in answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"auth": NaN}', b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_400(client: Client, body: bytes) -> None:
    assert client.call("POST", "/v3/auth/tokens", body, token="").status == 400


def test_rescoping_keeps_the_end_the_methods_and_the_chain(client: Client) -> None:
    first = client.log_in(scope="unscoped")
    shown = client.call("GET", "/v3/auth/tokens", headers={"X-Subject-Token": first}).json["token"]
    client.time.pass_seconds(60)
    auth = {
        "identity": {"methods": ["token"], "token": {"id": first}},
        "scope": {"project": {"name": "admin", "domain": {"name": "Default"}}},
    }
    second = issue(client, auth).json["token"]
    assert second["expires_at"] == shown["expires_at"]
    assert set(second["methods"]) == {"password", "token"}
    assert second["audit_ids"][1] == shown["audit_ids"][0] != second["audit_ids"][0]


def test_a_token_of_the_system_is_not_rescoped_to_a_project(client: Client) -> None:
    auth = {
        "identity": {"methods": ["token"], "token": {"id": client.log_in(scope="system")}},
        "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
    }
    assert issue(client, auth).status == 403


def test_revoking_a_token_ends_it_and_what_was_made_from_it(client: Client) -> None:
    first = client.log_in(scope="unscoped")
    auth = {"identity": {"methods": ["token"], "token": {"id": first}}, "scope": {"system": {"all": True}}}
    second = issue(client, auth).headers["x-subject-token"]
    third = client.log_in(scope="unscoped")
    assert client.call("DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": first}).status == 204
    seen = [client.call("GET", "/v3/auth/projects", token=token).status for token in (first, second, third)]
    assert seen == [401, 401, 200]
    assert client.call("DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": first}).status == 404


def test_revoking_without_cascade_leaves_descendants(client: Client) -> None:
    first = client.log_in(scope="unscoped")
    auth = {"identity": {"methods": ["token"], "token": {"id": first}}, "scope": {"system": {"all": True}}}
    second = issue(client, auth).headers["x-subject-token"]
    client.call("DELETE", "/v3/auth/tokens?cascade=false", headers={"X-Subject-Token": first})
    assert client.call("GET", "/v3/auth/projects", token=second).status == 200


def test_an_expired_token_is_only_shown_to_who_allows_it(client: Client) -> None:
    old = client.log_in(scope="system")
    client.time.pass_seconds(3601)
    client.token = client.log_in(scope="project:admin")
    assert client.call("GET", "/v3/users", token=old).status == 401
    subject = {"X-Subject-Token": old}
    assert client.call("GET", "/v3/auth/tokens", headers=subject).status == 404
    assert client.call("GET", "/v3/auth/tokens?allow_expired=1", headers=subject).status == 200
    client.time.pass_seconds(172800)
    client.token = client.log_in(scope="project:admin")
    assert client.call("GET", "/v3/auth/tokens?allow_expired=1", headers=subject).status == 404


def test_head_shows_no_body(client: Client) -> None:
    answer = client.call("HEAD", "/v3/auth/tokens", headers={"X-Subject-Token": client.token or ""})
    assert (answer.status, answer.text) == (200, "")
    assert answer.headers["x-subject-token"] == client.token


def forged(client: Client) -> dict[str, str]:
    """Tokens that no key of ours has signed, or that were changed after."""
    token = client.log_in(scope="project:admin")
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    public = client.identity.keyring.public_pems()[0].encode()
    unsigned = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{payload}"
    mac = base64.urlsafe_b64encode(hmac.digest(public, unsigned.encode(), hashlib.sha256)).rstrip(b"=").decode()
    other = ec.generate_private_key(ec.SECP256R1())
    return {
        "another key": jwt.encode(claims, other, algorithm="ES256"),
        "alg none": jwt.encode(claims, "", algorithm="none"),
        "public key as secret": f"{unsigned}.{mac}",
        "other claims": f"{header}.{part({**claims, 'openstack_system': 'all'})}.{signature}",
        "truncated": token[:-5],
        "no signature": f"{header}.{payload}.",
        "not ascii": token + "é",
        "too long": token + "A" * 9000,
        "empty parts": "..",
        "signed junk": client.identity.keyring.sign({"sub": "x"}),
        "signed wrong types": client.identity.keyring.sign({**claims, "openstack_project_id": ["x"]}),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "another key",
        "alg none",
        "public key as secret",
        "other claims",
        "truncated",
        "no signature",
        "not ascii",
        "too long",
        "empty parts",
        "signed junk",
        "signed wrong types",
    ],
)
def test_a_forged_token_is_refused(client: Client, kind: str) -> None:
    token = forged(client)[kind]
    assert client.call("GET", "/v3/auth/projects", token=token).status == 401
    assert client.call("GET", "/v3/auth/tokens", headers={"X-Subject-Token": token}).status == 404


def test_rotating_keys_logs_nobody_out(client: Client) -> None:
    before = client.log_in(scope="system")
    client.identity.rotate_keys()
    client.identity.rotate_keys()
    after = client.log_in(scope="system")
    assert client.call("GET", "/v3/users", token=before).status == 200
    assert client.call("GET", "/v3/users", token=after).status == 200
    assert len(client.identity.keyring.public_pems()) == 3


def test_rotation_drops_keys_whose_tokens_have_all_ended(client: Client) -> None:
    for _ in range(3):
        client.time.pass_seconds(200_000)
        client.identity.rotate_keys()
    assert len(client.identity.keyring.public_pems()) == 2


def test_auth_lists_show_where_one_may_go(client: Client) -> None:
    unscoped = client.log_in(scope="unscoped")
    projects = client.call("GET", "/v3/auth/projects", token=unscoped).json["projects"]
    assert [project["name"] for project in projects] == ["admin"]
    assert client.call("GET", "/v3/auth/domains", token=unscoped).json["domains"] == []
    assert client.call("GET", "/v3/auth/system", token=unscoped).json["system"] == [{"all": True}]
    assert client.call("GET", "/v3/auth/catalog", token=unscoped).status == 403
    assert client.call("GET", "/v3/auth/catalog").json["catalog"]


def test_validate_gives_the_image_rooms_a_plain_caller(client: Client) -> None:
    caller = client.identity.validate(client.log_in(scope="project:admin"))
    assert caller.roles == {"admin", "manager", "member", "reader"}
    assert (caller.project_name, caller.user_name, caller.user_domain_id) == ("admin", "admin", "default")
    assert "eyJ" not in repr(caller)
