"""keystonemiddleware in front of another service, with us behind it: it believes us, and sees what ends a token."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.identity_v3.client import Client

PYTHON = Path(__file__).parents[3] / ".venv-clients" / "bin" / "python"
SCRIPT = Path(__file__).with_name("guarded_service.py")

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="the stock clients are not set up: make clients")

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(client: Client, address: str) -> Iterator[Ask]:
    """Send one request to the guarded service."""
    roles = {role["name"]: role["id"] for role in client.call("GET", "/v3/roles").json["roles"]}
    project = client.call("GET", "/v3/projects?name=service").json["projects"][0]["id"]
    user = client.create("user", {"name": "glance", "password": "glance-secret"})["id"]
    for role in ("service", "reader"):
        client.call("PUT", f"/v3/projects/{project}/users/{user}/roles/{roles[role]}")
    process = subprocess.Popen(
        [PYTHON, "-W", "ignore", SCRIPT, address, "glance-secret"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def send(token: str, **more: Any) -> dict[str, Any]:
        stdin.write(json.dumps({"token": token, **more}).encode() + b"\n")
        stdin.flush()
        found: dict[str, Any] = json.loads(stdout.readline())
        return found

    yield send
    stdin.close()
    process.wait(20)
    stdout.close()


def test_the_middleware_believes_our_tokens_and_sees_their_end(client: Client, ask: Ask) -> None:
    token = client.log_in(scope="project:admin")
    answer = ask(token)
    assert answer["status"] == 200
    assert (answer["user"], answer["project"]) == ("admin", "admin")
    assert answer["roles"] == ["admin", "manager", "member", "reader"]
    assert set(answer["catalog"]) == {"identity", "image"}
    assert ask("junk")["status"] == 401
    client.call("DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": token})
    assert ask(token)["status"] == 401


def test_service_tokens_and_expired_ones(client: Client, ask: Ask) -> None:
    old = client.log_in(scope="project:admin")
    client.time.pass_seconds(3601)
    client.token = client.log_in(scope="project:admin")
    service = client.log_in("glance", "glance-secret", "project:service")
    assert ask(old)["status"] == 401
    answer = ask(old, service_token=service)
    assert answer["status"] == 200 and "service" in answer["service_roles"]


def test_access_rules_are_kept_by_the_middleware(client: Client, ask: Ask) -> None:
    user_id = client.identity.validate(client.token or "").user_id
    rules = [{"path": "/v2/images", "method": "GET", "service": "image"}]
    body = {"application_credential": {"name": "narrow", "access_rules": rules}}
    made = client.call("POST", f"/v3/users/{user_id}/application_credentials", body).json["application_credential"]
    shown = {"id": made["id"], "secret": made["secret"]}
    auth = {"identity": {"methods": ["application_credential"], "application_credential": shown}}
    token = client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="").headers["x-subject-token"]
    assert ask(token, path="/v2/images")["status"] == 200
    assert ask(token, path="/v2/images", method="POST")["status"] == 401
    assert ask(token, path="/v2/tasks")["status"] == 401
