"""JSON Home: for who asks for it, complete, and true."""

import re
from typing import Any

import pytest

from tests.api.identity_v3.client import Client

RELATION = "https://docs.openstack.org/api/openstack-identity/3"


@pytest.mark.parametrize(("path", "prefix"), [("/", "/v3"), ("/v3", ""), ("/v3/", "")])
@pytest.mark.parametrize("accept", ["application/json-home", "application/json;q=0.5, application/json-home"])
def test_json_home_is_given_to_who_asks(client: Client, path: str, prefix: str, accept: str) -> None:
    answer = client.call("GET", path, token="", headers={"Accept": accept})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json-home")
    resources = answer.json["resources"]
    assert resources[f"{RELATION}/rel/users"] == {"href": f"{prefix}/users"}
    assert resources[f"{RELATION}/ext/OS-TRUST/1.0/rel/trust_role"] == {
        "href-template": f"{prefix}/OS-TRUST/trusts/{{trust_id}}/roles/{{role_id}}",
        "href-vars": {
            "trust_id": f"{RELATION}/ext/OS-TRUST/1.0/param/trust_id",
            "role_id": f"{RELATION}/param/role_id",
        },
    }
    assert resources[f"{RELATION}/rel/limits"]["hints"] == {"status": "experimental"}


@pytest.mark.parametrize("accept", [None, "", "*/*", "application/json", "text/html"])
def test_others_get_the_versions(client: Client, accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}
    assert client.call("GET", "/", token="", headers=headers).status == 300
    assert "version" in client.call("GET", "/v3", token="", headers=headers).json


def shape(path: str) -> str:
    return re.sub(r"{\w+}|<\w+>", "*", path)


def test_every_address_in_json_home_is_answered(client: Client) -> None:
    found: dict[str, Any] = client.call("GET", "/", headers={"Accept": "application/json-home"}).json["resources"]
    answered = {shape(route.path) for route in client.app.routes}
    assert {shape(entry.get("href") or entry["href-template"]) for entry in found.values()} <= answered
    assert len(found) > 100
