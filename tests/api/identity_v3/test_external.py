"""Tokens of somebody else's Keystone: ours plays it here, on a real socket."""

from collections.abc import Iterator
from typing import Any

import pytest

from appliance.errors import Fatal, Unauthenticated, Unavailable
from appliance.identity.catalog.catalog import image_endpoint
from appliance.identity.remote.keystone_client import KeystoneClient
from appliance.identity.remote.validator import ExternalIdentity
from appliance.settings import Settings
from tests.api.identity_v3.client import Client, Time
from tests.api.identity_v3.socket_server import serving


class Outage:
    """The Keystone, which can be switched off and counts what it is asked."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.down = False
        self.asked: list[str] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        if self.down:
            start_response("503 Service Unavailable", [])
            return [b""]
        return self.app(environ, start_response)


@pytest.fixture
def keystone(client: Client) -> Outage:
    roles = {role["name"]: role["id"] for role in client.call("GET", "/v3/roles").json["roles"]}
    project = client.call("GET", "/v3/projects?name=service").json["projects"][0]["id"]
    user = client.create("user", {"name": "glance", "password": "secret"})["id"]
    assert client.call("PUT", f"/v3/projects/{project}/users/{user}/roles/{roles['service']}").status == 204
    return Outage(client.app)


@pytest.fixture
def external(client: Client, keystone: Outage) -> Iterator[ExternalIdentity]:
    with serving(keystone) as url:
        settings = Settings(
            external_auth_url=url,
            external_username="glance",
            external_password="secret",
            external_cache_seconds=300,
            external_outage_seconds=600,
        )
        yield ExternalIdentity(KeystoneClient(settings), settings, client.time, client.time)


def test_a_token_is_validated_there_and_remembered(
    client: Client, keystone: Outage, external: ExternalIdentity
) -> None:
    token = client.log_in(scope="project:admin")
    caller = external.validate(token)
    assert caller == client.identity.validate(token)
    asked = len(keystone.asked)
    assert external.validate(token) == caller and len(keystone.asked) == asked
    client.call("DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": token})
    client.time.pass_seconds(301)
    with pytest.raises(Unauthenticated):
        external.validate(token)


def test_the_catalog_of_a_token_is_that_of_the_keystone(client: Client, external: ExternalIdentity) -> None:
    client.create("region", {"id": "north"})
    images = client.call("GET", "/v3/services?type=image").json["services"][0]["id"]
    form = {"service_id": images, "interface": "public", "region_id": "north", "url": "http://north.example"}
    client.create("endpoint", form)
    catalog = external.catalog(client.log_in(scope="project:admin"))
    assert image_endpoint(catalog, "north", "public") == "http://north.example"
    assert image_endpoint(catalog, "south", "public") is None


def test_a_token_without_a_scope_has_no_catalog(client: Client, external: ExternalIdentity) -> None:
    assert external.catalog(client.log_in(scope="unscoped")) == []


def test_the_catalog_of_no_token_is_refused(external: ExternalIdentity) -> None:
    with pytest.raises(Unauthenticated):
        external.catalog("junk")


def test_the_catalog_of_a_keystone_that_is_away_is_not_known(
    client: Client, keystone: Outage, external: ExternalIdentity
) -> None:
    token = client.log_in(scope="project:admin")
    keystone.down = True
    with pytest.raises(Unavailable):
        external.catalog(token)


@pytest.mark.parametrize("token", ["junk", "", "\u00e9", "a\r\nX-Evil: 1"])
def test_what_is_no_token_is_refused(external: ExternalIdentity, token: str) -> None:
    with pytest.raises(Unauthenticated):
        external.validate(token)


def test_the_service_user_logs_in_again_when_its_token_ends(
    client: Client, keystone: Outage, external: ExternalIdentity
) -> None:
    external.validate(client.log_in(scope="project:admin"))
    client.time.pass_seconds(3601)
    assert external.validate(client.log_in(scope="system")).system
    assert keystone.asked.count("POST /v3/auth/tokens") == 2


def test_an_outage_is_survived_for_as_long_as_the_operator_says(
    client: Client, keystone: Outage, external: ExternalIdentity
) -> None:
    token = client.log_in(scope="project:admin")
    caller = external.validate(token)
    keystone.down = True
    client.time.pass_seconds(899)
    assert external.validate(token) == caller
    with pytest.raises(Unavailable):
        external.validate(token + "x")
    client.time.pass_seconds(2)
    with pytest.raises(Unavailable):
        external.validate(token)
    keystone.down = False
    assert external.validate(token) == caller


def test_a_remembered_token_still_ends_in_time(client: Client, keystone: Outage, external: ExternalIdentity) -> None:
    client.time.pass_seconds(0)
    token = client.log_in(scope="project:admin")
    client.time.pass_seconds(3500)
    external.validate(token)
    keystone.down = True
    client.time.pass_seconds(101)
    with pytest.raises(Unauthenticated):
        external.validate(token)


def test_a_refused_service_user_is_our_trouble_and_not_the_callers(client: Client, keystone: Outage) -> None:
    with serving(keystone) as url:
        settings = Settings(external_auth_url=url, external_username="glance", external_password="wrong")
        external = ExternalIdentity(KeystoneClient(settings), settings, client.time)
        with pytest.raises(Unavailable):
            external.validate(client.token or "")


def test_an_address_that_is_none_stops_the_start() -> None:
    with pytest.raises(Fatal):
        KeystoneClient(Settings(external_auth_url="file:///etc/passwd"))


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_what_was_said_of_a_token_is_believed_as_long_whatever_the_clock_says(
    client: Client, keystone: Outage, jump: float
) -> None:
    passed = Time()
    with serving(keystone) as url:
        settings = Settings(
            external_auth_url=url,
            external_username="glance",
            external_password="secret",
            external_cache_seconds=300,
            token_lifetime=86400,
        )
        external = ExternalIdentity(KeystoneClient(settings), settings, client.time, passed)
        token = client.log_in(scope="system")
        external.validate(token)
        assert client.call("DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": token}).status == 204
        client.time.pass_seconds(jump / 2)
        external.validate(token)
        passed.pass_seconds(301)
        with pytest.raises(Unauthenticated):
            external.validate(token)
