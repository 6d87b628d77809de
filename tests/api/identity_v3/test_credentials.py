"""Credentials, EC2 credentials, and the tokens that signed requests are exchanged for."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.identity_v3.client import Client
from tests.api.identity_v3.scenarios import Scenario, play
from tests.databases import SQLITE_ALONE


class World:
    """Anna, a member of the project work; Bert, a reader of it; and a service user."""

    def __init__(self, client: Client) -> None:
        self.client = client
        roles = {role["name"]: role["id"] for role in client.call("GET", "/v3/roles").json["roles"]}
        self.names = {"P": client.create("project", {"name": "work"})["id"]}
        self.tokens: dict[str, str] = {}
        for name, role in (("anna", "member"), ("bert", "reader"), ("nova", "service")):
            user = client.create("user", {"name": name, "password": "secret"})["id"]
            assert client.call("PUT", f"/v3/projects/{self.names['P']}/users/{user}/roles/{roles[role]}").status == 204
            self.names[name] = user
            self.tokens[name] = client.log_in(name, "secret", "project:work")
        self.tokens["admin"] = client.token or ""
        self.names["T"] = self.make("anna", type="totp", blob="seed", user_id="{anna}")
        ec2 = json.dumps({"access": "key", "secret": "shared"})
        self.names["E"] = self.make("anna", type="ec2", blob=ec2, user_id="{anna}", project_id="{P}")

    def make(self, who: str, **values: Any) -> str:
        row = ("POST", "/v3/credentials", {"credential": values}, 201)
        found: str = play(self.client, row, self.names, self.tokens[who]).json["credential"]["id"]
        return found

    def pair(self, who: str = "anna") -> dict[str, Any]:
        """A new EC2 credential of Anna's."""
        row = ("POST", "/v3/users/{anna}/credentials/OS-EC2", {"tenant_id": self.names["P"]}, 201)
        found: dict[str, Any] = play(self.client, row, self.names, self.tokens[who]).json["credential"]
        return found


@pytest.fixture
def world(client: Client) -> World:
    return World(client)


def credential(**values: Any) -> dict[str, Any]:
    return {"credential": values}


def ec2(blob: str, **values: Any) -> dict[str, Any]:
    return credential(**{"type": "ec2", "blob": blob, "user_id": "{anna}", "project_id": "{P}", **values})


SCENARIOS: list[tuple[str, Scenario]] = [
    ("anna", ("POST", "/v3/credentials", credential(type="t", blob="b", user_id="{anna}"), 201, '"project_id": null')),
    ("anna", ("POST", "/v3/credentials", credential(type="t", blob="b", user_id="{bert}"), 403)),
    ("anna", ("POST", "/v3/credentials", credential(type="t"), 400)),
    ("admin", ("POST", "/v3/credentials", credential(type="t", blob="b", user_id="x", color="red"), 201, '"red"')),
    ("admin", ("POST", "/v3/credentials", credential(type="t", blob={"a": 1}, user_id="x"), 400)),
    ("admin", ("POST", "/v3/credentials", credential(type="t", blob="b", user_id="x", id=5), 400)),
    ("admin", ("POST", "/v3/credentials", ec2('{"access": "key", "secret": "s"}'), 409)),
    ("admin", ("POST", "/v3/credentials", ec2('{"access": "a", "secret": "s"}', project_id=None), 201)),
    ("admin", ("POST", "/v3/credentials", credential(type="ec2", blob='{"access": "b"}', user_id="{anna}"), 400)),
    *(
        ("admin", ("POST", "/v3/credentials", ec2(blob), 400))
        for blob in ("no json", "{}", '{"secret": "x"}', "[1]", "5", '{"access": 5}', "[" * 100_000)
    ),
    ("anna", ("GET", "/v3/credentials", None, 200, "{T}", "{E}")),
    ("bert", ("GET", "/v3/credentials", None, 200, '"credentials": []')),
    ("bert", ("GET", "/v3/credentials?user_id={anna}", None, 200, '"credentials": []')),
    ("admin", ("GET", "/v3/credentials?user_id={anna}&type=totp", None, 200, "{T}", "!{E}")),
    ("anna", ("GET", "/v3/credentials/{T}", None, 200, '"seed"', "/v3/credentials/{T}")),
    ("bert", ("GET", "/v3/credentials/{T}", None, 403)),
    ("nova", ("GET", "/v3/credentials/{T}", None, 403)),
    ("bert", ("GET", "/v3/credentials/none", None, 403)),
    ("admin", ("GET", "/v3/credentials/none", None, 404)),
    ("anna", ("PATCH", "/v3/credentials/{T}", credential(blob="new"), 200, '"new"')),
    ("bert", ("PATCH", "/v3/credentials/{T}", credential(blob="new"), 403)),
    ("anna", ("PATCH", "/v3/credentials/{T}", credential(user_id="{bert}"), 403)),
    ("anna", ("PATCH", "/v3/credentials/{T}", credential(type="ec2"), 400)),
    ("anna", ("PATCH", "/v3/credentials/{T}", credential(), 400)),
    ("anna", ("PATCH", "/v3/credentials/{T}", credential(id="x"), 400)),
    ("anna", ("PATCH", "/v3/credentials/{E}", credential(blob="no json"), 400)),
    ("anna", ("PATCH", "/v3/credentials/{E}", credential(blob='{"access": "k", "secret": "s"}'), 200)),
    ("anna", ("PATCH", "/v3/credentials/{E}", credential(blob='{"access": "k", "trust_id": "t"}'), 400)),
    ("anna", ("PATCH", "/v3/credentials/{E}", credential(project_id=None), 400)),
    ("anna", ("DELETE", "/v3/credentials/{T}", None, 204)),
    ("bert", ("DELETE", "/v3/credentials/{T}", None, 403)),
    ("admin", ("DELETE", "/v3/credentials/none", None, 404)),
    ("bert", ("POST", "/v3/users/{bert}/credentials/OS-EC2", {"tenant_id": "{P}"}, 403)),
    ("bert", ("POST", "/v3/users/{anna}/credentials/OS-EC2", {"tenant_id": "{P}"}, 403)),
    ("anna", ("POST", "/v3/users/{anna}/credentials/OS-EC2", {"tenant_id": "none"}, 404)),
    ("anna", ("POST", "/v3/users/{anna}/credentials/OS-EC2", {}, 404)),
    ("admin", ("POST", "/v3/users/none/credentials/OS-EC2", {"tenant_id": "{P}"}, 404)),
    ("anna", ("GET", "/v3/users/{anna}/credentials/OS-EC2", None, 200, '"shared"', '"tenant_id": "{P}"')),
    ("bert", ("GET", "/v3/users/{anna}/credentials/OS-EC2", None, 403)),
    ("admin", ("GET", "/v3/users/none/credentials/OS-EC2", None, 404)),
    ("anna", ("GET", "/v3/users/{anna}/credentials/OS-EC2/key", None, 200, '"shared"', '"trust_id": null')),
    ("bert", ("GET", "/v3/users/{anna}/credentials/OS-EC2/key", None, 403)),
    ("bert", ("GET", "/v3/users/{bert}/credentials/OS-EC2/key", None, 403)),
    ("anna", ("GET", "/v3/users/{anna}/credentials/OS-EC2/none", None, 404)),
    ("bert", ("DELETE", "/v3/users/{anna}/credentials/OS-EC2/key", None, 403)),
    ("anna", ("DELETE", "/v3/users/{anna}/credentials/OS-EC2/key", None, 204)),
    ("nova", ("POST", "/v3/ec2tokens", {}, 400)),
    ("nova", ("POST", "/v3/ec2tokens", {"credentials": {}}, 401)),
    ("nova", ("POST", "/v3/ec2tokens", {"credentials": {"signature": "x"}}, 401)),
    ("nova", ("POST", "/v3/ec2tokens", {"credentials": {"access": "none", "signature": "x"}}, 404)),
    ("nova", ("POST", "/v3/ec2tokens", {"credentials": {"access": "key"}}, 401)),
    ("nova", ("POST", "/v3/s3tokens", {"credentials": {"access": "key", "token": "x", "signature": "y"}}, 401)),
    ("anna", ("POST", "/v3/ec2tokens", {"credentials": {"access": "key"}}, 403)),
    ("anna", ("POST", "/v3/s3tokens", {"credentials": {"access": "key"}}, 403)),
    ("nova", ("GET", "/v3/ec2tokens", None, 405)),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda row: f"{row[0]}: {row[1][0]} {row[1][1]}")
def test_credentials_answer_as_keystone(client: Client, world: World, scenario: tuple[str, Scenario]) -> None:
    who, row = scenario
    play(client, row, world.names, world.tokens[who])


@SQLITE_ALONE
def test_secrets_are_not_in_the_rows(client: Client, world: World, tmp_path: Path) -> None:
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("appliance.db*"))
    assert world.names["T"].encode() in stored
    # With its quotes: a column of the same database has that name.
    assert b'"shared"' not in stored
    assert b"seed" not in stored
    assert (tmp_path / "keys" / "credential-keys").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", ["/v3/users/{anna}", "/v3/projects/{P}"])
def test_credentials_end_with_their_user_or_project(client: Client, world: World, path: str) -> None:
    play(client, ("DELETE", path, None, 204), world.names)
    play(client, ("GET", "/v3/credentials/{E}", None, 404), world.names)


def signed_ec2(pair: dict[str, Any], **parameters: str) -> dict[str, Any]:
    """What a service reports of a request signed in version 2."""
    shown = {"SignatureVersion": "2", "SignatureMethod": "HmacSHA256", "Filter": "a b/ü", **parameters}
    query = "&".join(f"{quote(k, safe='')}={quote(v, safe='-_~')}" for k, v in sorted(shown.items()))
    mac = hmac.digest(pair["secret"].encode(), f"GET\nec2:8773\n/\n{query}".encode(), "sha256")
    signature = base64.b64encode(mac).decode()
    return {
        "access": pair["access"],
        "signature": signature,
        "verb": "GET",
        "host": "ec2:8773",
        "path": "/",
        "params": shown,
    }


def signed_s3(pair: dict[str, Any]) -> dict[str, Any]:
    text = b"GET\n\n\nFri, 01 Jan 2027 00:00:00 GMT\n/bucket"
    mac = hmac.digest(pair["secret"].encode(), text, "sha1")
    return {
        "access": pair["access"],
        "signature": base64.b64encode(mac).decode(),
        "token": base64.urlsafe_b64encode(text).decode(),
    }


@pytest.mark.parametrize("wrapper", ["credentials", "credential", "ec2Credentials"])
def test_a_signed_request_gets_a_token_of_its_signer(client: Client, world: World, wrapper: str) -> None:
    answer = client.call("POST", "/v3/ec2tokens", {wrapper: signed_ec2(world.pair())}, world.tokens["nova"])
    assert answer.status == 200, answer.text
    token = answer.json["token"]
    assert token["methods"] == ["ec2credential"]
    assert (token["user"]["id"], token["project"]["id"]) == (world.names["anna"], world.names["P"])
    assert {role["name"] for role in token["roles"]} == {"member", "reader"} and token["catalog"]
    issued = answer.headers["x-subject-token"]
    assert client.call("GET", "/v3/auth/projects", token=issued).json["projects"][0]["id"] == world.names["P"]


def test_an_s3_signature_is_recognised_but_gives_no_token(client: Client, world: World) -> None:
    answer = client.call("POST", "/v3/s3tokens", {"credentials": signed_s3(world.pair())}, world.tokens["nova"])
    assert (answer.status, answer.json["token"]["user"]["id"]) == (200, world.names["anna"])
    assert "x-subject-token" not in answer.headers


@pytest.mark.parametrize(
    ("change", "parameters"),
    [
        ({"signature": "x"}, {}),
        ({"verb": "POST"}, {}),
        ({"verb": None}, {}),
        ({"params": []}, {}),
        ({"host": 5}, {}),
        ({}, {"Timestamp": "2010-01-01T00:00:00Z"}),
        ({}, {"Timestamp": "some day"}),
        ({}, {"SignatureVersion": "9"}),
    ],
)
def test_a_wrong_or_old_signature_is_refused(
    client: Client, world: World, change: dict[str, Any], parameters: dict[str, str]
) -> None:
    shown = {**signed_ec2(world.pair(), **parameters), **change}
    assert client.call("POST", "/v3/ec2tokens", {"credentials": shown}, world.tokens["nova"]).status == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/v3/users/{anna}", None),
        ("PATCH", "/v3/users/{anna}", {"user": {"enabled": False}}),
        ("PATCH", "/v3/projects/{P}", {"project": {"enabled": False}}),
    ],
)
def test_a_signature_is_worth_nothing_once_its_owner_is_gone(
    client: Client, world: World, method: str, path: str, body: Any
) -> None:
    signed = {"credentials": signed_ec2(world.pair())}
    play(client, (method, path, body, 204 if body is None else 200), world.names)
    token = client.log_in(scope="project:admin")
    assert client.call("POST", "/v3/ec2tokens", signed, token).status in (401, 404)


def test_access_keys_are_hashed_into_ids(world: World) -> None:
    assert world.names["E"] == hashlib.sha256(b"key").hexdigest()
