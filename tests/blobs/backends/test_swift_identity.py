"""Swift with tokens of our own identity service: keystonemiddleware in front of it, and our catalog names it."""

import json
import os
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import Unavailable
from tests.blobs.backends.conformance import Conformance, Connect, connections, get, put
from tests.blobs.backends.swift_server import Keystone, swift, why_not
from tests.e2e.conftest import PASSWORD, Appliance

pytestmark = [pytest.mark.backends, pytest.mark.skipif(bool(why_not()), reason=why_not())]
SECRET = "a user's password"


@dataclass
class Identity:
    """Our identity service, as its administrator."""

    url: str
    token: str = ""

    def ask(self, method: str, path: str, body: Any = None) -> tuple[Any, str]:
        headers = {"Content-Type": "application/json", "X-Auth-Token": self.token}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None, answer.headers.get("X-Subject-Token", "")

    def log_in(self, user: str, password: str, project: str) -> str:
        domain = {"id": "default"}
        who = {"methods": ["password"], "password": {"user": {"name": user, "domain": domain, "password": password}}}
        scope = {"project": {"name": project, "domain": domain}}
        return self.ask("POST", "/auth/tokens", {"auth": {"identity": who, "scope": scope}})[1]

    def one(self, kind: str, name: str) -> str:
        return str(self.ask("GET", f"/{kind}?name={name}")[0][kind][0]["id"])

    def user(self, name: str, project: str, *roles: str) -> None:
        made = self.ask("POST", "/users", {"user": {"name": name, "password": SECRET}})[0]["user"]["id"]
        for role in roles:
            self.ask("PUT", f"/projects/{project}/users/{made}/roles/{self.one('roles', role)}")


@dataclass
class Cloud:
    identity: Identity
    container: str


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An appliance, and a Swift that believes it; users `images`, who owns the container, and `reader`."""
    appliance = Appliance(tmp_path_factory.mktemp("identity") / "data")
    identity = Identity(appliance.identity)
    identity.token = identity.log_in("admin", PASSWORD, "admin")
    identity.user("swift", identity.one("projects", "service"), "admin")
    project = identity.ask("POST", "/projects", {"project": {"name": "images"}})[0]["project"]["id"]
    identity.user("images", project, "member")
    identity.user("reader", project, "reader")
    try:
        with swift(tmp_path_factory.mktemp("swift"), keystone=Keystone(appliance.identity, SECRET)) as server:
            account = server.auth_url.replace("/auth/v1.0", "/v1/AUTH_$(project_id)s")
            service = {"service": {"type": "object-store", "name": "swift"}}
            made = identity.ask("POST", "/services", service)[0]["service"]["id"]
            endpoint = {"service_id": made, "interface": "public", "url": account, "region_id": "RegionOne"}
            identity.ask("POST", "/endpoints", {"endpoint": endpoint})
            token = identity.log_in("images", SECRET, "images")
            place = account.replace("$(project_id)s", project) + "/images"
            request = urllib.request.Request(place, method="PUT", headers={"X-Auth-Token": token})
            urllib.request.urlopen(request, timeout=30).close()
            yield Cloud(identity, "images")
    finally:
        assert appliance.stop() == 0, appliance.log()


@pytest.fixture
def connected(cloud: Cloud, tmp_path: Path) -> Iterator[Connect]:
    given = {"auth_url": cloud.identity.url, "user": "images", "password": SECRET, "project": "images"}
    with connections("swift", f"{cloud.container}/{os.urandom(6).hex()}", tmp_path, **given) as open_:
        yield open_


class TestSwiftWithOurTokens(Conformance):
    """All that any backend does."""


def test_a_token_that_was_revoked_is_renewed(cloud: Cloud, connected: Connect) -> None:
    backend = connected(cache_size="0")
    name = put(backend, b"data")
    access = backend._objects._access  # type: ignore[attr-defined]
    account, token = access._current
    access._current = (account, token[:-8] + "AAAAAAAA")
    assert get(backend, name) == b"data"


@pytest.mark.parametrize(
    "options, said",
    [
        ({"password": "wrong"}, "refuses the user's name or password"),
        ({"project": "admin"}, "refuses the user's name or password"),
        ({"interface": "internal"}, "no object-store with the interface internal"),
        ({"region": "Nowhere"}, "no object-store"),
    ],
)
def test_what_identity_refuses_is_told_in_a_sentence(connected: Connect, options: dict[str, str], said: str) -> None:
    with pytest.raises(Unavailable, match=said):
        list(connected(**options).names())


def test_a_user_who_may_only_read_is_told_in_a_sentence(connected: Connect) -> None:
    with pytest.raises(Unavailable, match="may not do this"):
        put(connected(user="reader"), b"x")
