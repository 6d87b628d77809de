"""A client that calls a whole identity service without a socket."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from appliance.api.identity_v3.routes import build
from appliance.db.engine.base import Database
from appliance.identity.auth.passwords import Cost
from appliance.identity.service import Identity
from appliance.settings import Settings
from appliance.values import Micros, elapsed, now

PASSWORD = "correct horse"
CHEAP = Cost(n=16, r=1, p=1)


class Time:
    """The wall clock, which a test can move on or set, and the time that has passed, which it can only move on."""

    def __init__(self) -> None:
        self.ahead: Micros = 0
        self.passed: Micros = 0

    def __call__(self) -> Micros:
        return now() + self.ahead

    def elapsed(self) -> Micros:
        return elapsed() + self.passed

    def pass_seconds(self, seconds: float) -> None:
        self.passed += int(seconds * 1_000_000)
        self.ahead += int(seconds * 1_000_000)

    def set_clock(self, seconds: float) -> None:
        """Somebody sets the wall clock, forward or back; no time passes."""
        self.ahead += int(seconds * 1_000_000)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Client:
    """Calls the WSGI application. `token` is sent unless a call brings its own."""

    app: Any
    time: Time
    identity: Identity
    token: str | None = None
    host: str = "cloud.example:5000"
    made: int = field(default=0)
    address: str = "192.0.2.1"

    def call(
        self, method: str, path: str, body: Any = None, token: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        path, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "HTTP_HOST": self.host,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "5000",
            "REMOTE_ADDR": self.address,
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(raw),
            "CONTENT_LENGTH": str(len(raw)) if body is not None else "",
            "CONTENT_TYPE": "application/json" if body is not None else "",
        }
        token = token if token is not None else self.token
        if token:
            environ["HTTP_X_AUTH_TOKEN"] = token
        for name, value in (headers or {}).items():
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value.encode().decode("latin-1")
        seen: list[Any] = []
        parts = self.app(environ, lambda status, sent, *rest: seen.append((status, sent)))
        status, sent = seen[0]
        return Answer(int(status.split()[0]), {k.lower(): v for k, v in sent}, b"".join(parts).decode())

    def log_in(self, user: str = "admin", password: str = PASSWORD, scope: Any = None, domain: str = "default") -> str:
        """A token, by password. The scope may be the short form of `scoped`."""
        body = {"auth": password_auth(user, password, scope, domain)}
        answer = self.call("POST", "/v3/auth/tokens", body, token="")
        assert answer.status == 201, answer.text
        return answer.headers["x-subject-token"]

    def create(self, key: str, body: dict[str, Any], path: str | None = None) -> dict[str, Any]:
        """Create a resource as the admin and give what the answer shows of it."""
        answer = self.call("POST", path or f"/v3/{key}s", {key: body})
        assert answer.status == 201, answer.text
        found: dict[str, Any] = answer.json[key]
        return found

    def name(self, kind: str) -> str:
        self.made += 1
        return f"{kind}-{self.made}"


def password_auth(user: str, password: str, scope: Any = None, domain: str = "default") -> dict[str, Any]:
    shown = {"user": {"name": user, "domain": {"id": domain}, "password": password}}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": shown}}
    if scope is not None:
        auth["scope"] = scoped(scope)
    return auth


def scoped(scope: Any) -> Any:
    """`"project:admin"` → that project of the default domain; `"project_id:…"`, `"domain:…"`, `"system"`."""
    if not isinstance(scope, str) or scope == "unscoped":
        return scope
    kind, _, name = scope.partition(":")
    return {
        "project": {"project": {"name": name, "domain": {"id": "default"}}},
        "project_id": {"project": {"id": name}},
        "domain": {"domain": {"id": name}},
        "system": {"system": {"all": True}},
        "trust": {"OS-TRUST:trust": {"id": name}},
    }[kind]


def start(directory: Path, settings: Settings, db: Database, clock: Time | None = None) -> Client:
    """A client that acts as the admin on the project admin."""
    clock = clock or Time()
    identity = Identity(db, directory / "keys", settings, clock, password_cost=CHEAP, elapsed=clock.elapsed)
    identity.bootstrap(PASSWORD, "RegionOne")
    client = Client(build(identity, settings), clock, identity)
    client.token = client.log_in(scope="project:admin")
    return client
