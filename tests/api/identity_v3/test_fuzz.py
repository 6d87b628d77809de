"""Whatever is sent to whichever route: an answer below 500, in the form of an error or of the thing."""

import json
import random
import re
from typing import Any

import pytest

from tests.api.identity_v3.client import Client

ODD = [
    "",
    "x",
    "admin",
    "default",
    "%00",
    "%ff",
    "..%2f..",
    "é",
    "a" * 300,
    "' OR 1=1 --",
    "%25",
    "None",
    "0",
    "\U0001f4a5",
]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    2**70,
    1.5,
    "",
    " ",
    "x",
    "default",
    "a" * 5000,
    "\x00",
    "\ud800",
    "é",
    [],
    ["x"],
    [[]],
    [None],
    {},
    {"id": None},
    {"id": []},
    {"id": "x"},
    {"name": "x"},
    {"name": {}},
    {"all": True},
    "2999-01-01T00:00:00Z",
    "9999-12-31T23:59:59+99:99",
]
_KEYS = """
    id name domain_id parent_id enabled description password original_password options is_domain tags roles secret
    expires_at access_rules unrestricted trustor_user_id trustee_user_id impersonation project_id remaining_uses
    allow_redelegation redelegation_count default_project_id explicit_domain_id type url interface region_id service_id
    identity scope blob user_id resource_name default_limit resource_limit filters email links extra parent_region_id
"""
_MEMBERS = """
    user group project domain role application_credential trust auth tags service endpoint region policy credential
    endpoint_group registered_limits limits consumer config
"""
KEYS, MEMBERS = re.findall(r"\w+", _KEYS), re.findall(r"\w+", _MEMBERS)
QUERIES = [
    "limit=",
    "limit=99999999999999999999",
    "marker=%00",
    "name=%00",
    "enabled=x",
    "name__like=x",
    "=",
    "&&&",
    "password_expires_at=lt:9999999",
    "password_expires_at=:",
    "name__iendswith=",
    "name__endswith=%F0%9F%92%A5",
    "scope.project.id=x&include_subtree",
    "effective&user.id=",
    "since=x",
    "tags=,",
    "not-tags=%00",
    "%ff=1",
]


def odd_body(chance: random.Random) -> Any:
    """A body that is nearly right, or not at all."""
    if chance.random() < 0.1:
        return chance.choice(VALUES)

    def things() -> dict[str, Any]:
        return {key: chance.choice(VALUES) for key in chance.sample(KEYS, chance.randint(0, 8))}

    member = chance.choice(MEMBERS)
    if member == "auth" and chance.random() < 0.8:
        method = chance.choice(["password", "token", "totp", "application_credential", "ec2credential"])
        shown = chance.choice([*VALUES, {"user": {"name": "admin", "domain": chance.choice(VALUES), "password": "x"}}])
        identity = {"methods": chance.choice([[method], [method, "token"], *VALUES]), method: shown}
        kind = chance.choice(["project", "domain", "system", "OS-TRUST:trust", "unscoped"])
        return {"auth": {"identity": identity, "scope": chance.choice([{kind: chance.choice(VALUES)}, *VALUES])}}
    return {member: chance.choice([things(), things(), [things()], chance.choice(VALUES)])}


@pytest.mark.parametrize("seed", range(4))
def test_no_route_breaks_whatever_it_is_sent(client: Client, seed: int) -> None:
    chance = random.Random(seed)
    broken = []
    for route in client.app.routes:
        for _ in range(12):
            path = re.sub(r"<[^>]+>", lambda _: chance.choice(ODD) or "x", route.path)
            if chance.random() < 0.4:
                path += "?" + "&".join(chance.sample(QUERIES, 2))
            body = None
            if route.method in ("POST", "PUT", "PATCH") or chance.random() < 0.2:
                body = json.dumps(odd_body(chance)).encode()
            answer = client.call(route.method, path, body, headers={"X-Subject-Token": chance.choice(ODD)})
            if answer.status >= 500 and answer.status != 501:
                broken.append(f"{route.method} {path} {body!r}: {answer.status}")
            if answer.status == 401:
                client.token = client.log_in(scope="project:admin")
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("name", ["HTTP_HOST", "QUERY_STRING", "PATH_INFO", "HTTP_X_AUTH_TOKEN", "CONTENT_TYPE"])
@pytest.mark.parametrize(
    "value", ["", "[", "\xff\xfe", "a" * 9000, "http://[::1", "é%zz", "application/x; charset=\xff"]
)
def test_odd_headers_break_nothing(client: Client, name: str, value: str) -> None:
    seen: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/v3/auth/tokens",
        "SERVER_NAME": "x",
        "SERVER_PORT": "1",
        "wsgi.url_scheme": "http",
        "HTTP_X_AUTH_TOKEN": client.token,
        "HTTP_X_SUBJECT_TOKEN": client.token,
    }
    client.app({**environ, name: value}, lambda status, headers: seen.append(status))
    assert int(seen[0].split()[0]) < 500


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "\x1b[31m", "\U0001f4a5"])
@pytest.mark.parametrize("key", ["user", "group", "project", "domain", "role"])
def test_odd_names_are_stored_as_they_are_or_refused(client: Client, key: str, text: str) -> None:
    answer = client.call("POST", f"/v3/{key}s", {key: {"name": text, "description": text}})
    assert answer.status in (201, 400)
    if answer.status == 201:
        path = f"/v3/{key}s/{answer.json[key]['id']}"
        assert client.call("GET", path).json[key]["name"] == text
