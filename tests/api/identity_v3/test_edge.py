"""An edge site: the copy of a central identity service, which is another one of ours on a real socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.db.engine.base import Database, Tx
from appliance.db.identity.federation import FEDERATED_USERS, FederatedUser
from appliance.db.identity.users import FEDERATED_ID, USERS, User
from appliance.db.key_values import KeyValues
from appliance.db.records import find_many, insert
from appliance.errors import Unauthenticated, Unavailable
from appliance.identity.remote.keystone_client import KeystoneClient
from appliance.identity.remote.validator import Edge
from appliance.identity.service import Identity
from appliance.settings import Settings
from tests.api.identity_v3.client import CHEAP, PASSWORD, Client, Time
from tests.databases import open_test_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    db = open_test_database(tmp_path / "edge.db")
    yield db
    db.close()


@pytest.fixture
def edge(client: Client, address: str, database: Database, tmp_path: Path) -> Edge:
    """An edge that has its own first rows until it copies, and the central's public key."""
    settings = Settings(
        external_auth_url=address, external_username="admin", external_password=PASSWORD, external_project="admin"
    )
    identity = Identity(database, tmp_path / "edge-keys", settings, client.time, password_cost=CHEAP)
    identity.bootstrap("local", "RegionOne")
    (tmp_path / "edge-keys" / "public" / "central.pem").write_text(client.identity.keyring.public_pems()[0])
    identity.keyring.reload()
    return Edge(identity, KeystoneClient(settings), KeyValues(database), settings)


def test_a_central_token_is_validated_by_the_copy_alone(client: Client, edge: Edge) -> None:
    roles = {role["name"]: role["id"] for role in client.call("GET", "/v3/roles").json["roles"]}
    domain = client.create("domain", {"name": "d"})["id"]
    parent = client.create("project", {"name": "parent", "domain_id": domain})["id"]
    child = client.create("project", {"name": "child", "domain_id": domain, "parent_id": parent})["id"]
    user = client.create("user", {"name": "anna", "password": "one", "domain_id": domain})["id"]
    group = client.create("group", {"name": "cooks", "domain_id": domain})["id"]
    client.call("PUT", f"/v3/groups/{group}/users/{user}")
    path = f"/v3/OS-INHERIT/projects/{parent}/groups/{group}/roles/{roles['manager']}/inherited_to_projects"
    assert client.call("PUT", path).status == 204
    token = client.log_in("anna", "one", f"project_id:{child}", domain)
    with pytest.raises(Unavailable):
        edge.validate(token)
    edge.copy()
    caller = edge.validate(token)
    assert caller == client.identity.validate(token)
    assert caller.roles == {"manager", "member", "reader"}


def test_what_changes_at_the_centre_arrives_with_the_next_copy(client: Client, edge: Edge) -> None:
    ids = [client.create("user", {"name": name, "password": "one"})["id"] for name in ("anna", "bert")]
    tokens = [client.log_in(name, "one", "unscoped") for name in ("anna", "bert")]
    revoked = client.log_in(scope="system")
    edge.copy()
    assert [edge.validate(token).user_name for token in tokens] == ["anna", "bert"]
    for user_id, name in zip(ids, ("x", "anna"), strict=True):
        client.call("PATCH", f"/v3/users/{user_id}", {"user": {"name": name}})
    client.call("PATCH", f"/v3/users/{ids[0]}", {"user": {"name": "bert"}})
    client.call("DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": revoked})
    assert edge.validate(revoked).system
    edge.copy()
    assert [edge.validate(token).user_name for token in tokens] == ["bert", "anna"]
    with pytest.raises(Unauthenticated):
        edge.validate(revoked)
    client.call("DELETE", f"/v3/users/{ids[0]}")
    edge.copy()
    with pytest.raises(Unauthenticated):
        edge.validate(tokens[0])


def test_users_of_identity_providers_who_share_a_name_arrive_as_two(
    client: Client, edge: Edge, database: Database
) -> None:
    federation = "/v3/OS-FEDERATION"
    rules = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "sub"}]}]
    domain = {"identity_provider": {"domain_id": "default"}}
    for path, sent in (
        ("identity_providers/corp", domain),
        ("mappings/rules", {"mapping": {"rules": rules}}),
        ("identity_providers/corp/protocols/openid", {"protocol": {"mapping_id": "rules"}}),
    ):
        assert client.call("PUT", f"{federation}/{path}", sent).status == 201
    ids = ("a" * FEDERATED_ID, "b" * FEDERATED_ID)

    def add(tx: Tx) -> None:
        for user_id in ids:
            insert(tx, USERS, User(id=user_id, name=user_id, domain_id="default", created_at=0))
            of_provider = {"idp_id": "corp", "protocol_id": "openid", "unique_id": user_id, "user_id": user_id}
            insert(tx, FEDERATED_USERS, FederatedUser(**of_provider, display_name="anna"))

    client.identity.store.transact(add)
    edge.copy()
    names = [user.name for user in find_many(database, USERS, ids)]
    assert names == ["anna", f"anna ({ids[1]})"]


def test_an_old_copy_validates_nothing(client: Client, edge: Edge) -> None:
    edge.copy()
    token = client.log_in(scope="project:admin")
    client.time.pass_seconds(3000)
    assert edge.validate(token).is_admin
    client.time.pass_seconds(86400)
    with pytest.raises(Unavailable):
        edge.validate(client.log_in(scope="project:admin"))


def test_what_one_node_has_copied_is_good_at_another(
    client: Client, edge: Edge, address: str, database: Database, tmp_path: Path
) -> None:
    """One of them copies for all; the other has started before there was a copy, or while there was an older one."""
    settings = Settings(external_auth_url="http://127.0.0.1:9", external_username="x", edge_max_age=1800)
    identity = Identity(database, tmp_path / "edge-keys", settings, client.time, password_cost=CHEAP)
    other = Edge(identity, KeystoneClient(settings), KeyValues(database), settings)
    for _ in range(2):
        client.time.pass_seconds(3000)
        token = client.log_in(scope="project:admin")
        with pytest.raises(Unavailable):
            other.validate(token)
        edge.copy()
        assert other.validate(token).is_admin


def test_the_copy_outlives_a_restart(
    client: Client, edge: Edge, address: str, database: Database, tmp_path: Path
) -> None:
    edge.copy()
    settings = Settings(external_auth_url="http://127.0.0.1:9", external_username="x")
    identity = Identity(database, tmp_path / "edge-keys", settings, client.time, password_cost=CHEAP)
    again = Edge(identity, KeystoneClient(settings), KeyValues(database), settings)
    assert again.validate(client.token or "").is_admin
    with pytest.raises(Unavailable):
        again.copy()
    assert again.validate(client.token or "").is_admin


@pytest.mark.parametrize(("jump", "passed"), [(-3600, 0), (3600, 0), (0, 3600), (-1800, 3600)])
def test_a_copy_gets_old_whatever_the_clock_says(
    client: Client, address: str, database: Database, tmp_path: Path, jump: float, passed: float
) -> None:
    settings = Settings(
        external_auth_url=address,
        external_username="admin",
        external_password=PASSWORD,
        external_project="admin",
        edge_max_age=1800,
    )
    identity = Identity(database, tmp_path / "edge-keys", settings, client.time, password_cost=CHEAP)
    (tmp_path / "edge-keys" / "public" / "central.pem").write_text(client.identity.keyring.public_pems()[0])
    identity.keyring.reload()
    time = Time()
    edge = Edge(identity, KeystoneClient(settings), KeyValues(database), settings, time)
    edge.copy()
    token = client.log_in(scope="project:admin")
    edge.validate(token)
    client.time.pass_seconds(jump)
    time.pass_seconds(passed)
    with pytest.raises(Unavailable):
        edge.validate(token)
