"""Multi-factor rules: a receipt stands for what was right until the rest is shown."""

from typing import Any

import pytest

from appliance.identity.auth.totp import passcode
from appliance.settings import Settings
from tests.api.identity_v3.client import Answer, Client, password_auth


@pytest.fixture
def settings() -> Settings:
    return Settings(auth_methods=("password", "token", "totp"))


@pytest.fixture
def anna(client: Client) -> str:
    """A user who must show a password and a token."""
    user = client.create("user", {"name": "anna", "password": "one"})
    client.create("user", {"name": "bert", "password": "two"})
    before = client.log_in("anna", "one", "unscoped")
    options = {"multi_factor_auth_rules": [["password", "token"]], "multi_factor_auth_enabled": True}
    assert client.call("PATCH", f"/v3/users/{user['id']}", {"user": {"options": options}}).status == 200
    return before


def by_password(client: Client, receipt: str = "", user: str = "anna", password: str = "one") -> Answer:
    headers = {"Openstack-Auth-Receipt": receipt} if receipt else {}
    auth = password_auth(user, password, "unscoped")
    return client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="", headers=headers)


def by_token(client: Client, token: str, receipt: str = "") -> Answer:
    headers = {"Openstack-Auth-Receipt": receipt} if receipt else {}
    auth: dict[str, Any] = {"identity": {"methods": ["token"], "token": {"id": token}}, "scope": "unscoped"}
    return client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="", headers=headers)


def test_too_little_is_answered_with_a_receipt(client: Client, anna: str) -> None:
    answer = by_password(client)
    assert answer.status == 401
    assert answer.json["required_auth_methods"] == [["password", "token"]]
    assert answer.json["receipt"]["methods"] == ["password"]
    assert answer.json["receipt"]["user"]["name"] == "anna"
    receipt = answer.headers["openstack-auth-receipt"]
    done = by_token(client, anna, receipt)
    assert done.status == 201, done.text
    assert set(done.json["token"]["methods"]) == {"password", "token"}


def test_a_receipt_is_no_token_and_a_token_is_no_receipt(client: Client, anna: str) -> None:
    receipt = by_password(client).headers["openstack-auth-receipt"]
    assert client.call("GET", "/v3/auth/projects", token=receipt).status == 401
    assert by_token(client, receipt).status == 404
    assert by_password(client, anna).status == 401
    assert by_password(client, "junk").status == 401


def test_a_receipt_is_for_its_user_and_its_time(client: Client, anna: str) -> None:
    receipt = by_password(client).headers["openstack-auth-receipt"]
    assert by_password(client, receipt, "bert", "two").status == 401
    client.time.pass_seconds(301)
    assert by_token(client, anna, receipt).status == 401


def test_rules_that_are_off_or_unknown_lock_nobody_out(client: Client, anna: str) -> None:
    user_id = client.call("GET", "/v3/users?name=anna").json["users"][0]["id"]
    path = f"/v3/users/{user_id}"
    for options in ({"multi_factor_auth_enabled": False}, {"multi_factor_auth_rules": [["fingerprint"]]}):
        client.call("PATCH", path, {"user": {"options": {"multi_factor_auth_enabled": True, **options}}})
        assert by_password(client).status == 201


def test_a_password_and_a_passcode_together_are_enough(client: Client) -> None:
    user = client.create("user", {"name": "carl", "password": "three"})["id"]
    seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    client.create("credential", {"type": "totp", "blob": seed, "user_id": user})
    client.call(
        "PATCH", f"/v3/users/{user}", {"user": {"options": {"multi_factor_auth_rules": [["password", "totp"]]}}}
    )

    def log_in(password: str, code: str | None) -> int:
        shown = {"user": {"id": user, "password": password}}
        auth: dict[str, Any] = {"identity": {"methods": ["password", "totp"], "password": shown}}
        auth["identity"]["totp"] = {"user": {"id": user, "passcode": code}}
        return client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="").status

    now = client.time()
    assert log_in("three", passcode(seed, now)) == 201
    assert log_in("three", passcode(seed, now - 30_000_000)) == 201
    assert log_in("three", passcode(seed, now - 120_000_000)) == 401
    assert log_in("wrong", passcode(seed, now)) == 401
    assert log_in("three", "") == 401
