"""Both halves of Identity API v2.0 on one identity service in a temporary directory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance.api.legacy.identity_v2.routes import build
from appliance.settings import Settings
from tests.api.identity_v3.client import PASSWORD, Answer, Client, start
from tests.databases import open_test_database

BOOTSTRAP = "a-bootstrap-token"


@dataclass
class Halves:
    """v3, to look things up; the public half; the admin's half. Calls go to the admin's, as the admin."""

    today: Client
    public: Client
    admin: Client
    remote: str = "127.0.0.1"

    def call(self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str) -> Answer:
        return self.admin.call(method, f"/v2.0{path}", body, token, headers)

    def token(self, user: str, password: str, tenant: str | None = None) -> Answer:
        """What a sign-in is answered with."""
        auth: dict[str, Any] = {"passwordCredentials": {"username": user, "password": password}}
        if tenant is not None:
            auth["tenantName"] = tenant
        return self.public.call("POST", "/v2.0/tokens", {"auth": auth}, token="")

    def create(self, path: str, key: str, **fields: Any) -> dict[str, Any]:
        """Make something; creates answer 200 in v2.0."""
        answer = self.call("POST", path, {key: fields})
        assert answer.status == 200, answer.text
        made: dict[str, Any] = answer.json[key]
        return made

    def user(self, name: str, tenant: str | None = None, role: str | None = None) -> str:
        """A user with a role in a tenant; its token there."""
        tenant_id = self.create("/tenants", "tenant", name=tenant)["id"] if tenant else None
        made = self.create("/users", "user", name=name, password="pw", tenantId=tenant_id)
        if role and tenant_id:
            roles = self.call("GET", "/OS-KSADM/roles").json["roles"]
            role_id = next(one["id"] for one in roles if one["name"] == role)
            path = f"/tenants/{tenant_id}/users/{made['id']}/roles/OS-KSADM/{role_id}"
            assert self.call("PUT", path).status == 200
        answer = self.token(name, "pw", tenant)
        assert answer.status == 200, answer.text
        return str(answer.json["access"]["token"]["id"])


@pytest.fixture
def halves(tmp_path: Path) -> Iterator[Halves]:
    yield from _halves(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Halves]:
    """The same for a whole module, for tests that leave nothing in it."""
    yield from _halves(tmp_path_factory.mktemp("shared"))


def _halves(tmp_path: Path) -> Iterator[Halves]:
    settings = Settings(legacy=True, admin_token=BOOTSTRAP)
    db = open_test_database(tmp_path / "appliance.db")
    today = start(tmp_path, settings, db)
    made = Halves(today, today, today)

    def at(app: Any) -> Any:
        return lambda environ, start_response: app({**environ, "REMOTE_ADDR": made.remote}, start_response)

    public, admin = (build(today.identity, settings, for_admins=half) for half in (False, True))
    made.public = Client(at(public), today.time, today.identity, host="cloud.example:5000")
    made.admin = Client(at(admin), today.time, today.identity, today.token, host="cloud.example:35357")
    yield made
    db.close()


__all__ = ["BOOTSTRAP", "PASSWORD", "Halves"]
