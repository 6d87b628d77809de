"""Tokens that are kept between commands: whose, for how long, and what ends them."""

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.cli.client.credentials import Credentials
from appliance.cli.client.session import KeptToken, TokenCache
from tests.cli.conftest import Program
from tests.cli.fake_cloud import FakeCloud
from tests.e2e.conftest import PASSWORD, Appliance

AUTH = {"auth_url": "http://x:5000", "username": "u", "password": "p", "project_name": "q"}
CREDENTIALS = Credentials(auth=AUTH, source="a test")


def token(seconds: float = 3600) -> KeptToken:
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    return KeptToken("t", {"expires_at": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "user": {"id": "u"}})


@pytest.fixture
def cache(tmp_path: Path) -> TokenCache:
    return TokenCache({"HOME": str(tmp_path)})


def test_a_token_is_found_again_by_the_next_command(cache: TokenCache, tmp_path: Path) -> None:
    cache.put(CREDENTIALS, token())
    found = TokenCache({"HOME": str(tmp_path)}).get(CREDENTIALS)
    assert found is not None and found.id == "t" and found.document["user"] == {"id": "u"}


@pytest.mark.parametrize(
    "change", [{"password": "other"}, {"username": "v"}, {"project_name": "r"}, {"auth_url": "http://y:5000"}]
)
def test_it_is_of_these_credentials_alone(cache: TokenCache, change: dict[str, str]) -> None:
    cache.put(CREDENTIALS, token())
    assert cache.get(replace(CREDENTIALS, auth={**AUTH, **change})) is None


def test_one_that_is_about_to_end_is_not_used(cache: TokenCache) -> None:
    cache.put(CREDENTIALS, token(30))
    assert cache.get(CREDENTIALS) is None


def test_it_is_for_its_user_alone_and_has_no_password_in_it(cache: TokenCache, tmp_path: Path) -> None:
    cache.put(CREDENTIALS, token())
    (file,) = (tmp_path / ".cache/glance-appliance/tokens").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert '"p"' not in file.read_text()


def test_a_file_that_others_can_read_is_not_trusted(cache: TokenCache, tmp_path: Path) -> None:
    cache.put(CREDENTIALS, token())
    (file,) = (tmp_path / ".cache/glance-appliance/tokens").iterdir()
    file.chmod(0o644)
    assert cache.get(CREDENTIALS) is None


def test_a_cache_directory_of_ones_own_is_taken(tmp_path: Path) -> None:
    TokenCache({"HOME": "/nowhere", "XDG_CACHE_HOME": str(tmp_path)}).put(CREDENTIALS, token())
    assert list(tmp_path.glob("glance-appliance/tokens/*"))


@pytest.mark.parametrize("environment", [{}, {"HOME": "/proc/nowhere"}, {"XDG_CACHE_HOME": "relative"}])
def test_without_a_place_nothing_is_kept(environment: dict[str, str]) -> None:
    cache = TokenCache(environment)
    cache.put(CREDENTIALS, token())
    assert cache.get(CREDENTIALS) is None


def test_the_second_command_signs_in_no_more(program: Program) -> None:
    cloud = FakeCloud(b"data")
    cloud.expires = token().document["expires_at"]
    try:
        for _ in range(2):
            program("image", "show", "fake", **cloud.shell)
        assert cloud.requests.count("POST /v3/auth/tokens") == 1
    finally:
        cloud.close()


def as_admin(server: Appliance) -> dict[str, Any]:
    return {
        "OS_AUTH_URL": server.identity,
        "OS_USERNAME": "admin",
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": "admin",
    }


def test_a_wrong_password_is_noticed_while_a_token_is_kept(server: Appliance, program: Program) -> None:
    program("image", "list", **as_admin(server))
    said = program("image", "list", code=1, **{**as_admin(server), "OS_PASSWORD": "wrong"}).sentence()
    assert "does not accept the credentials" in said
    program("image", "list", **as_admin(server))


def test_a_token_that_was_revoked_elsewhere_is_replaced(server: Appliance, program: Program, admin: Program) -> None:
    kept = program("token", "issue", "-f", "value", "-c", "id", **as_admin(server)).text.strip()
    admin("token", "revoke", kept)
    assert program("image", "list", **as_admin(server)).error == ""


def test_a_role_that_was_granted_since_is_in_force(server: Appliance, program: Program, admin: Program) -> None:
    admin("user", "create", "rising", "--project", "admin", "--password-stdin", stdin=b"x\n")
    shell = {**as_admin(server), "OS_USERNAME": "rising", "OS_PASSWORD": "x"}
    assert "(HTTP 403)" in program("user", "list", code=1, **shell).sentence()
    admin("role", "grant", "admin", "--user", "rising", "--project", "admin")
    assert "rising" in program("user", "list", **shell).text
    admin("role", "revoke", "admin", "--user", "rising", "--project", "admin")
    admin("user", "delete", "rising")


def test_issue_brings_a_new_token_and_revoke_ends_the_kept_one(server: Appliance, program: Program) -> None:
    issued = [program("token", "issue", "-f", "value", "-c", "id", **as_admin(server)).text for _ in range(2)]
    assert issued[0] != issued[1]
    program("token", "revoke", **as_admin(server))
    assert not list(program.home.glob(".cache/glance-appliance/tokens/*"))
