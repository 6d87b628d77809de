"""OAuth 2.0: a token for the credentials of a client, in Keystone's words. The answers are those of Keystone 29."""

import base64
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.api.identity_v3.client import Answer, Client

PATH = "/v3/OS-OAUTH2/token"
FORM = "application/x-www-form-urlencoded"
GRANT = {"grant_type": "client_credentials"}
NO_CLIENT = {"error": "invalid_client", "error_description": "Client authentication failed."}
WRONG = {"error": "invalid_client", "error_description": "The request you have made requires authentication."}
NO_GRANT = {"error": "invalid_request", "error_description": "The parameter grant_type is required."}


@pytest.fixture
def credential(client: Client) -> dict[str, Any]:
    user = client.call("GET", "/v3/users?name=admin").json["users"][0]["id"]
    path = f"/v3/users/{user}/application_credentials"
    return client.create(
        "application_credential", {"name": client.name("credential"), "roles": [{"name": "reader"}]}, path
    )


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def ask(client: Client, form: Any, headers: dict[str, str] | None = None, kind: str = FORM) -> Answer:
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    return client.call("POST", PATH, body, token="", headers={"Content-Type": kind, **(headers or {})})


@pytest.mark.parametrize("by_header", [True, False], ids=["Basic", "in the form"])
def test_a_client_gets_a_token_of_its_application_credential(
    client: Client, credential: dict[str, Any], by_header: bool
) -> None:
    shown = {"client_id": credential["id"], "client_secret": credential["secret"]}
    headers = basic(credential["id"], credential["secret"]) if by_header else {}
    answer = ask(client, GRANT if by_header else GRANT | shown, headers)
    assert answer.status == 200, answer.text
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 3600)
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json["access_token"]
    seen = client.call("GET", "/v3/auth/tokens", token=token, headers={"X-Subject-Token": token}).json["token"]
    assert (seen["methods"], [role["name"] for role in seen["roles"]]) == (["application_credential"], ["reader"])


def test_a_token_lives_no_longer_than_its_credential(client: Client) -> None:
    user = client.call("GET", "/v3/users?name=admin").json["users"][0]["id"]
    path = f"/v3/users/{user}/application_credentials"
    ends = {"name": client.name("credential"), "expires_at": "2999-01-01T00:00:00"}
    made = client.create("application_credential", ends, path)
    assert ask(client, GRANT, basic(made["id"], made["secret"])).json["expires_in"] == 3600


REFUSED: list[tuple[dict[str, str], dict[str, str], int, dict[str, str]]] = [
    ({"x": "y"}, {}, 400, NO_GRANT),
    ({}, {}, 400, NO_GRANT),
    (
        {"grant_type": "password"},
        {},
        400,
        {
            "error": "unsupported_grant_type",
            "error_description": "The parameter grant_type password is not supported.",
        },
    ),
    (GRANT, {}, 401, NO_CLIENT),
    (GRANT | {"client_id": "{id}"}, {}, 401, NO_CLIENT),
    (GRANT | {"client_id": "", "client_secret": "{secret}"}, {}, 401, NO_CLIENT),
    (GRANT | {"client_id": "{id}", "client_secret": "wrong"}, {}, 401, WRONG),
    (GRANT | {"client_id": "nobody", "client_secret": "wrong"}, {}, 401, WRONG),
    (GRANT, {"Authorization": "Basic !!!"}, 401, NO_CLIENT),
    (GRANT, {"Authorization": "Basic /w=="}, 401, NO_CLIENT),
    (GRANT, {"Authorization": "Bearer abc"}, 401, NO_CLIENT),
]


@pytest.mark.parametrize(("form", "headers", "status", "body"), REFUSED)
def test_what_is_no_right_request_is_told_in_oauths_words(
    client: Client,
    credential: dict[str, Any],
    form: dict[str, str],
    headers: dict[str, str],
    status: int,
    body: dict[str, str],
) -> None:
    filled = {name: value.format(**credential) for name, value in form.items()}
    answer = ask(client, filled, headers)
    assert (answer.status, answer.json) == (status, body)
    assert ("www-authenticate" in answer.headers) is (status == 401)


def test_the_first_of_two_grants_counts(client: Client, credential: dict[str, Any]) -> None:
    form = b"grant_type=client_credentials&grant_type=password"
    assert ask(client, form, basic(credential["id"], credential["secret"])).status == 200


@pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
def test_only_a_form_is_read(client: Client, credential: dict[str, Any], kind: str) -> None:
    answer = ask(client, GRANT, basic(credential["id"], credential["secret"]), kind)
    assert (answer.status, answer.json) == (400, NO_GRANT)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_not_allowed(client: Client, method: str) -> None:
    answer = client.call(method, PATH, token="")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_guessing_is_slowed_down(client: Client, credential: dict[str, Any]) -> None:
    answers = [ask(client, GRANT, basic(credential["id"], f"guess {n}")) for n in range(40)]
    assert answers[-1].status == 429
    assert answers[-1].json["error"] == "other_error" and answers[-1].headers["retry-after"]


def test_a_deleted_credential_gives_no_token(client: Client, credential: dict[str, Any]) -> None:
    user = client.call("GET", "/v3/users?name=admin").json["users"][0]["id"]
    assert client.call("DELETE", f"/v3/users/{user}/application_credentials/{credential['id']}").status == 204
    assert ask(client, GRANT, basic(credential["id"], credential["secret"])).json == WRONG
