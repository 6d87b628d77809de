"""One-time passwords: off until asked for, good once, and no full log-in on their own."""

import base64
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import WrongUsage
from appliance.identity.auth.totp import passcode
from appliance.identity.lookup import Lookup
from appliance.settings import Settings
from tests.api.identity_v3.client import Answer, Client, start
from tests.databases import open_test_database

SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
WITH_TOTP = Settings(auth_methods=("password", "token", "totp"))
ALONE = Settings(auth_methods=("password", "token", "totp"), totp_alone=True)


@pytest.fixture
def settings() -> Settings:
    return ALONE


@pytest.fixture
def anna(client: Client) -> str:
    return new_anna(client)


def new_anna(client: Client) -> str:
    user: str = client.create("user", {"name": "anna", "password": "one"})["id"]
    client.create("credential", {"type": "totp", "blob": SEED, "user_id": user})
    return user


def log_in(client: Client, user: str, code: str, *more: str, receipt: str = "", **shown: Any) -> Answer:
    """By passcode, and by more methods."""
    identity: dict[str, Any] = {"methods": ["totp", *more], "totp": {"user": {"id": user, "passcode": code}}, **shown}
    headers = {"Openstack-Auth-Receipt": receipt} if receipt else {}
    body = {"auth": {"identity": identity, "scope": "unscoped"}}
    return client.call("POST", "/v3/auth/tokens", body, token="", headers=headers)


def code_of(client: Client, windows_ago: int = 0, seed: str = SEED) -> str:
    code = passcode(seed, client.time() - windows_ago * 30_000_000)
    assert code is not None
    return code


@pytest.fixture
def in_a_window(client: Client) -> None:
    """Early in a half minute, so that it does not end while a test runs."""
    into = client.time() / 1_000_000 % 30
    client.time.pass_seconds(31 - into)


def test_the_method_is_off_until_it_is_asked_for(tmp_path: Path) -> None:
    db = open_test_database(tmp_path / "default.db")
    client = start(tmp_path, Settings(), db)
    user = new_anna(client)
    assert log_in(client, user, code_of(client)).status == 401
    db.close()


@pytest.mark.parametrize(("windows_ago", "status"), [(-1, 401), (0, 201), (1, 201), (2, 401)])
def test_this_half_minute_and_the_one_before_are_taken(
    client: Client, anna: str, in_a_window: None, windows_ago: int, status: int
) -> None:
    assert log_in(client, anna, code_of(client, windows_ago)).status == status


def test_a_code_is_good_once(client: Client, anna: str, in_a_window: None) -> None:
    code = code_of(client)
    assert [log_in(client, anna, code).status for _ in range(2)] == [201, 401]
    assert log_in(client, anna, code_of(client, 1)).status == 201
    client.time.pass_seconds(30)
    assert log_in(client, anna, code).status == 401
    assert log_in(client, anna, code_of(client)).status == 201


def test_a_code_is_good_once_though_its_seed_is_stored_twice(client: Client, anna: str, in_a_window: None) -> None:
    client.create("credential", {"type": "totp", "blob": SEED, "user_id": anna})
    assert [log_in(client, anna, code_of(client)).status for _ in range(2)] == [201, 401]


def test_a_code_stays_used_across_a_restart(tmp_path: Path) -> None:
    db = open_test_database(tmp_path / "first.db")
    client = start(tmp_path, ALONE, db)
    user = new_anna(client)
    code = code_of(client)
    assert log_in(client, user, code).status == 201
    db.close()
    db = open_test_database(tmp_path / "first.db")
    again = start(tmp_path, ALONE, db)
    assert log_in(again, user, code).status == 401
    db.close()


def test_a_code_stays_used_when_the_clock_is_set_back(client: Client, anna: str, in_a_window: None) -> None:
    code = code_of(client)
    assert log_in(client, anna, code).status == 201
    client.time.pass_seconds(7200)
    assert log_in(client, anna, code_of(client)).status == 201
    client.time.pass_seconds(-7200)
    assert log_in(client, anna, code).status == 401


@pytest.mark.parametrize("seed", ["", "not base32!"])
@pytest.mark.parametrize("code", ["", "000000", "٠٠٠٠٠٠"])
def test_a_seed_that_makes_no_codes_takes_none(client: Client, seed: str, code: str) -> None:
    user = client.create("user", {"name": "anna", "password": "one"})["id"]
    if seed:
        client.create("credential", {"type": "totp", "blob": seed, "user_id": user})
    assert log_in(client, user, code).status == 401
    assert log_in(client, "nobody", code).status == 401


class TestBesideAnotherMethod:
    """A code is a second factor unless the operator says that it is a log-in."""

    @pytest.fixture
    def settings(self) -> Settings:
        return WITH_TOTP

    def test_a_code_alone_is_answered_with_a_receipt(self, client: Client, anna: str) -> None:
        answer = log_in(client, anna, code_of(client))
        assert answer.status == 401
        assert answer.json["required_auth_methods"] == [["password", "totp"]]
        password = {"methods": ["password"], "password": {"user": {"id": anna, "password": "one"}}}
        headers = {"Openstack-Auth-Receipt": answer.headers["openstack-auth-receipt"]}
        done = client.call("POST", "/v3/auth/tokens", {"auth": {"identity": password}}, token="", headers=headers)
        assert set(done.json["token"]["methods"]) == {"password", "totp"}

    def test_a_code_and_a_password_are_enough(self, client: Client, anna: str) -> None:
        shown = {"user": {"id": anna, "password": "one"}}
        assert log_in(client, anna, code_of(client), "password", password=shown).status == 201

    def test_a_token_made_by_a_code_alone_is_no_second_factor(self, client: Client, anna: str) -> None:
        tokens = client.identity.tokens
        token = tokens.issue(Lookup(client.identity.store), tokens.claims(anna, ("totp",), tokens.stamp())).text
        assert log_in(client, anna, code_of(client), "token", token={"id": token}).status == 401


class TestSwitchedOff:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings()

    def test_who_must_show_a_code_gets_in_without_by_no_setting(self, client: Client, anna: str) -> None:
        options = {"multi_factor_auth_rules": [["password", "totp"]]}
        assert client.call("PATCH", f"/v3/users/{anna}", {"user": {"options": options}}).status == 200
        shown = {"user": {"id": anna, "password": "one"}}
        auth = {"identity": {"methods": ["password"], "password": shown}}
        assert client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="").status == 401


def test_a_receipt_is_good_once(client: Client, anna: str) -> None:
    options = {"multi_factor_auth_rules": [["password", "totp"]]}
    assert client.call("PATCH", f"/v3/users/{anna}", {"user": {"options": options}}).status == 200
    receipt = log_in(client, anna, code_of(client)).headers["openstack-auth-receipt"]
    password = {"methods": ["password"], "password": {"user": {"id": anna, "password": "one"}}}
    statuses = [
        client.call(
            "POST",
            "/v3/auth/tokens",
            {"auth": {"identity": password}},
            token="",
            headers={"Openstack-Auth-Receipt": text},
        ).status
        for text in (receipt, receipt, with_other_signature(receipt))
    ]
    assert statuses == [201, 401, 401]


def with_other_signature(token: str) -> str:
    """The same claims with the other signature that an elliptic curve has for them: of (r, s), (r, n - s)."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    head, claims, signature = token.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    other = raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32)
    return f"{head}.{claims}.{base64.urlsafe_b64encode(other).decode().rstrip('=')}"


def test_a_method_that_there_is_not_is_refused_at_the_start(tmp_path: Path) -> None:
    db = open_test_database(tmp_path / "x.db")
    with pytest.raises(WrongUsage, match="fingerprint"):
        start(tmp_path, Settings(auth_methods=("password", "fingerprint")), db)
    db.close()


def test_signed_requests_make_no_tokens_where_that_method_is_off(client: Client) -> None:
    body = {"credentials": {"access": "x", "signature": "y"}}
    assert client.call("POST", "/v3/ec2tokens", body).status == 503
