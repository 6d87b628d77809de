"""EC2 credentials that act by a trust or an application credential: only by one of their own user's."""

import hashlib
import json
from typing import Any

import pytest

from appliance.db.identity.credentials import CREDENTIALS
from appliance.db.records import insert
from tests.api.identity_v3.client import Client
from tests.api.identity_v3.scenarios import play
from tests.api.identity_v3.test_credentials import World, credential, ec2, signed_ec2


@pytest.fixture
def world(client: Client) -> World:
    return World(client)


def delegation(client: Client, world: World, key: str, who: str = "anna", **values: Any) -> str:
    """The id of a delegation by Anna or the admin, on Anna's or the admin's project. Trusts are for Bert."""
    token = client.identity.tokens.validate(world.tokens[who])
    user, project = token.user.id, token.project_id
    if key == "app_cred_id":
        body: dict[str, Any] = {"application_credential": {"name": client.name("robot"), **values}}
        made = client.call("POST", f"/v3/users/{user}/application_credentials", body, token.text)
    else:
        trust = {"trustor_user_id": user, "trustee_user_id": world.names["bert"], "project_id": project}
        body = {"trust": {"impersonation": True, "roles": [{"name": "reader"}], **trust, **values}}
        made = client.call("POST", "/v3/OS-TRUST/trusts", body, token.text)
    assert made.status == 201, made.text
    found: str = next(iter(made.json.values()))["id"]
    return found


def stored(client: Client, owner: str, project: str | None, blob: dict[str, Any]) -> dict[str, Any]:
    """An EC2 credential in the rows as an earlier version let delegated tokens make it: access key and secret."""
    pair = {"access": client.name("access"), "secret": "shared", **blob}
    row = {
        "id": hashlib.sha256(pair["access"].encode()).hexdigest(),
        "type": "ec2",
        "user_id": owner,
        "project_id": project,
        "sealed_blob": client.identity.sealer.seal(json.dumps(pair)),
    }
    client.identity.store.transact(lambda tx: insert(tx, CREDENTIALS, CREDENTIALS.made(row)))
    return pair


def exchanged(client: Client, world: World, pair: dict[str, Any]) -> Any:
    return client.call("POST", "/v3/ec2tokens", {"credentials": signed_ec2(pair)}, world.tokens["nova"])


@pytest.mark.parametrize("key", ["app_cred_id", "trust_id"])
def test_one_that_a_delegated_token_made_acts_by_the_delegation_and_ends_with_it(
    client: Client, world: World, key: str
) -> None:
    given = delegation(client, world, key)
    pair = stored(client, world.names["anna"], world.names["P"], {key: given})
    token = exchanged(client, world, pair).json["token"]
    shown = token["application_credential"] if key == "app_cred_id" else token["OS-TRUST:trust"]
    assert (shown["id"], token["user"]["id"]) == (given, world.names["anna"])
    place = f"users/{world.names['anna']}/application_credentials" if key == "app_cred_id" else "OS-TRUST/trusts"
    assert client.call("DELETE", f"/v3/{place}/{given}", token=world.tokens["anna"]).status == 204
    assert exchanged(client, world, pair).status == 401


def test_one_of_a_trust_uses_the_trust_up(client: Client, world: World) -> None:
    trust = delegation(client, world, "trust_id", remaining_uses=1)
    pair = stored(client, world.names["anna"], world.names["P"], {"trust_id": trust})
    assert [exchanged(client, world, pair).status for _ in range(2)] == [200, 401]


@pytest.mark.parametrize("key", ["trust_id", "app_cred_id", "access_token_id"])
def test_none_names_a_delegation_of_somebody_else(client: Client, world: World, key: str) -> None:
    """The admin's trust for Bert, the admin's application credential, an OAuth access token, which nobody has."""
    given = delegation(client, world, key, "admin") if key != "access_token_id" else "none"
    project = client.identity.tokens.validate(world.tokens["admin"]).project_id
    anna = world.names["anna"]
    row = ec2(json.dumps({"access": "new", "secret": "s", key: given}), project_id=project)
    play(client, ("POST", "/v3/credentials", row, 403), world.names, world.tokens["anna"])
    assert exchanged(client, world, stored(client, anna, project, {key: given})).status == 401


def test_one_may_name_a_delegation_of_its_user(client: Client, world: World) -> None:
    trust = delegation(client, world, "trust_id")
    blob = json.dumps({"access": "new", "secret": "shared", "trust_id": trust})
    play(client, ("POST", "/v3/credentials", ec2(blob, user_id="{bert}"), 201), world.names, world.tokens["bert"])
    token = exchanged(client, world, {"access": "new", "secret": "shared"}).json["token"]
    assert {role["name"] for role in token["roles"]} == {"reader"}


@pytest.mark.parametrize("blob", [{"trust_id": 5}, {"trust_id": ["x"]}, {"app_cred_id": "x", "trust_id": "y"}])
def test_one_names_one_delegation_by_its_id(client: Client, world: World, blob: dict[str, Any]) -> None:
    row = ec2(json.dumps({"access": "new", "secret": "s", **blob}))
    play(client, ("POST", "/v3/credentials", row, 403), world.names, world.tokens["anna"])


def test_one_does_not_take_its_delegation_along_to_another_user(client: Client, world: World) -> None:
    given = delegation(client, world, "app_cred_id")
    pair = stored(client, world.names["anna"], world.names["P"], {"app_cred_id": given})
    path = f"/v3/credentials/{hashlib.sha256(pair['access'].encode()).hexdigest()}"
    play(client, ("PATCH", path, credential(user_id="{bert}"), 403), world.names)


@pytest.mark.parametrize("secret", [None, "", 5])
def test_one_without_a_secret_has_signed_nothing(client: Client, world: World, secret: Any) -> None:
    pair = stored(client, world.names["anna"], world.names["P"], {"secret": secret})
    assert exchanged(client, world, {**pair, "secret": str(secret or "")}).status == 401


@pytest.mark.parametrize(("kind", "other"), [("totp", "ec2"), ("totp", "cert"), ("ec2", "totp"), ("ec2", "cert")])
def test_the_type_of_a_credential_stays(client: Client, world: World, kind: str, other: str) -> None:
    path = "/v3/credentials/{T}" if kind == "totp" else "/v3/credentials/{E}"
    blob = '{"access": "key", "secret": "shared"}'
    play(client, ("PATCH", path, credential(type=other, blob=blob), 400), world.names)
    play(client, ("PATCH", path, credential(type=kind), 200), world.names, world.tokens["anna"])
