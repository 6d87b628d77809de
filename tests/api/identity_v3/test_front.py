"""What load balancers, browsers and clients that join addresses carelessly meet before any route."""

from pathlib import Path

import pytest

from appliance.settings import Settings
from tests.api.identity_v3.client import PASSWORD, Client, password_auth

ORIGIN = "https://horizon.test"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cors_allowed_origins=(ORIGIN,), disable_by_file_path=str(tmp_path / "disabled"))


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/", {"GET", "HEAD"}), ("/v3/users", {"GET", "HEAD", "POST"}), ("/v3/auth/tokens", {"GET", "POST", "DELETE"})],
)
def test_options_says_what_a_path_takes(client: Client, path: str, allowed: set[str]) -> None:
    answer = client.call("OPTIONS", path, token="")
    assert (answer.status, answer.text) == (200, "")
    assert allowed | {"OPTIONS"} <= set(answer.headers["allow"].split(", "))


def test_options_of_a_path_that_is_not_there_is_404(client: Client) -> None:
    assert client.call("OPTIONS", "/v3/nothing", token="").status == 404


def test_healthcheck_needs_no_token(client: Client) -> None:
    assert (client.call("GET", "/healthcheck", token="").status, client.call("HEAD", "/healthcheck").status) == (
        200,
        204,
    )
    assert client.call("GET", "/healthcheck", token="").text == "OK"


def test_healthcheck_is_503_while_the_file_is_there(client: Client, tmp_path: Path) -> None:
    (tmp_path / "disabled").touch()
    assert client.call("GET", "/healthcheck", token="").status == 503


def test_page_of_an_allowed_origin_may_log_in(client: Client) -> None:
    asked = client.call(
        "OPTIONS",
        "/v3/auth/tokens",
        token="",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type, x-auth-token, openstack-auth-receipt",
        },
    )
    assert (asked.status, asked.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert asked.headers["access-control-allow-credentials"] == "true"
    body = {"auth": password_auth("admin", PASSWORD)}
    answer = client.call("POST", "/v3/auth/tokens", body, token="", headers={"Origin": ORIGIN})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (201, ORIGIN)
    assert "X-Subject-Token" in answer.headers["access-control-expose-headers"]


def test_page_may_read_why_it_was_refused(client: Client) -> None:
    answer = client.call("GET", "/v3/users", token="", headers={"Origin": ORIGIN})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, ORIGIN)


def test_page_of_another_origin_is_told_nothing(client: Client) -> None:
    answer = client.call("GET", "/v3", token="", headers={"Origin": "https://evil.test"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/v3//auth/tokens", "/v3/auth/tokens"),
        ("/v3///auth//tokens", "/v3/auth/tokens"),
        ("/v3//users?name=a%20b&x=1", "/v3/users?name=a%20b&x=1"),
        ("/v3//users/a%20b/application_credentials", "/v3/users/a%20b/application_credentials"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_doubled_slashes_are_redirected_with_method_and_query(
    client: Client, method: str, path: str, clean: str
) -> None:
    answer = client.call(method, path, {} if method == "POST" else None, token="")
    assert (answer.status, answer.headers["location"]) == (308, f"http://cloud.example:5000{clean}")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v3//nope", 404),
        ("GET", "//nope", 404),
        ("GET", "/v3//users//x//y//z", 404),
        ("PUT", "/v3//users", 405),
        ("GET", "//v3/users", 308),
    ],
)
def test_doubled_slashes_of_what_is_not_there_are_not_redirected(
    client: Client, method: str, path: str, status: int
) -> None:
    assert client.call(method, path, token="").status == status


def test_address_with_a_slash_at_its_end_works(client: Client) -> None:
    assert client.call("GET", "/v3/", token="").status == 200
    assert client.call("GET", "/v3//", token="").status == 200
