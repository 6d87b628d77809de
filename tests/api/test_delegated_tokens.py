"""A token that was handed out reads and makes no log-in secret of its user, and is exchanged for no other token.

Every kind of token, on every route of every identity API that touches a user's secrets, and every way from a token to a
token. The user is an admin, so that nothing but what the token is can refuse. A route that is in neither table fails.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from appliance.api.legacy.identity_v2 import routes as v2
from appliance.db.engine.base import Database
from appliance.identity.auth.totp import passcode
from appliance.identity.lookup import Lookup
from appliance.settings import Settings
from tests.api.identity_v3.client import Answer, password_auth, start
from tests.api.identity_v3.scenarios import filled
from tests.databases import open_test_database

SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

OWN = ("password", "token", "totp and password")
"""The kinds of token that are a user's own log-in."""
APPLICATION_CREDENTIALS = ("application credential", "unrestricted application credential")
TRUSTS = ("trust", "impersonating trust")
SIGNED = ("signed request", "signed request by application credential", "signed request by trust")
OF_EARLIER_VERSIONS = (
    "exchanged application credential",
    "exchanged signed request",
    "oauth1",
    "no method",
)
DELEGATED = (*APPLICATION_CREDENTIALS, *TRUSTS, *SIGNED, *OF_EARLIER_VERSIONS)
KINDS = (*OWN, *DELEGATED)


class World:
    """Anna, admin of the project work; Bert, whom she trusts; and a token of each kind that acts for her or by her
    trust. A token by a trust without impersonation acts as Bert, with Anna's roles."""

    def __init__(self, directory: Path, db: Database) -> None:
        settings = Settings(
            legacy=True, auth_methods=("password", "token", "totp", "application_credential", "ec2credential")
        )
        self.client = client = start(directory, settings, db)
        self.identity = client.identity
        self.apis = {"/v3": client.app}
        for name, admins in (("public", False), ("admin", True)):
            self.apis[name] = v2.build(client.identity, settings, for_admins=admins)
        roles = {role["name"]: role["id"] for role in client.call("GET", "/v3/roles").json["roles"]}
        project = client.create("project", {"name": "work"})["id"]
        self.names = {"project": project, "admin": roles["admin"]}
        for name in ("anna", "bert"):
            self.names[name] = client.create("user", {"name": name, "password": "one"})["id"]
        path = f"/v3/projects/{project}/users/{self.names['anna']}/roles/{roles['admin']}"
        assert client.call("PUT", path).status == 204
        self.tokens: dict[str, str] = {}
        self._own()
        self._handed_out()
        self._of_earlier_versions()

    def _own(self) -> None:
        log_in = password_auth("anna", "one", "project:work")
        self.tokens["password"] = self.issued(log_in)
        unscoped = self.issued(password_auth("anna", "one", "unscoped"))
        self.tokens["token"] = self.issued({"identity": by_token(unscoped), "scope": log_in["scope"]})
        self.identity.credentials.create({"type": "totp", "blob": SEED, "user_id": self.names["anna"]})
        shown = {"user": {"id": self.names["anna"], "passcode": passcode(SEED, self.client.time())}}
        both = {**log_in["identity"], "methods": ["password", "totp"], "totp": shown}
        self.tokens["totp and password"] = self.issued({"identity": both, "scope": log_in["scope"]})

    def _handed_out(self) -> None:
        self.credentials = {}
        for kind, unrestricted in zip(APPLICATION_CREDENTIALS, (False, True), strict=True):
            made, secret = self.application_credential(kind, unrestricted=unrestricted)
            self.credentials[kind] = made.id
            shown = {"id": made.id, "secret": secret}
            auth = {"identity": {"methods": ["application_credential"], "application_credential": shown}}
            self.tokens[kind] = self.issued(auth)
        self.trusts = {}
        for kind, impersonation in zip(TRUSTS, (False, True), strict=True):
            self.trusts[kind] = self.trust(impersonation=impersonation).id
            self.tokens[kind] = self.issued(password_auth("bert", "one", f"trust:{self.trusts[kind]}"))

    def _of_earlier_versions(self) -> None:
        """Signed as claims, for nothing makes most of them any more."""
        tokens, anna, bert = self.identity.tokens, self.names["anna"], self.names["bert"]

        def issued(kind: str, methods: tuple[str, ...], user_id: str = anna, **delegation: Any) -> None:
            claims = replace(
                tokens.claims(user_id, methods, tokens.stamp()), project_id=self.names["project"], **delegation
            )
            self.tokens[kind] = tokens.issue(Lookup(self.identity.store), claims).text

        credential = self.credentials["application credential"]
        issued("signed request", ("ec2credential",))
        issued(SIGNED[1], ("ec2credential",), application_credential_id=credential)
        issued(SIGNED[2], ("ec2credential",), bert, trust_id=self.trusts["impersonating trust"])
        issued(
            "exchanged application credential",
            ("token", "application_credential"),
            application_credential_id=credential,
        )
        issued("exchanged signed request", ("token", "ec2credential"))
        issued("oauth1", ("oauth1",))
        issued("no method", ())

    def issued(self, auth: dict[str, Any]) -> str:
        answer = self.client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="")
        assert answer.status == 201, answer.text
        return answer.headers["x-subject-token"]

    def application_credential(self, name: str, **more: Any) -> Any:
        token = self.identity.tokens.validate(self.tokens["password"])
        return self.identity.application_credentials.create(token, {"name": name, **more}, None)

    def trust(self, **more: Any) -> Any:
        token = self.identity.tokens.validate(self.tokens["password"])
        asked = {
            "trustee_user_id": self.names["bert"],
            "project_id": self.names["project"],
            "roles": [{"id": self.names["admin"]}],
            "impersonation": False,
            **more,
        }
        return self.identity.trusts.create(token, asked, None)

    def secrets(self) -> dict[str, str]:
        """One of each kind of secret of Anna's, fresh for every question: some are asked to delete them."""
        anna, project = self.names["anna"], self.names["project"]
        rule = {"service": "image", "method": "GET", "path": f"/{self.client.name('path')}"}
        short, _ = self.application_credential(self.client.name("short"), access_rules=[rule])
        self.identity.application_credentials.delete(short.id)
        return {
            **self.names,
            "credential": self.identity.credentials.create({"type": "totp", "blob": SEED, "user_id": anna}).id,
            "access": self.identity.ec2_credentials.create(anna, project).access,
            "application_credential": self.application_credential(self.client.name("robot"))[0].id,
            "rule": short.access_rules[0].id,
            "trust": self.trust().id,
            "request": self.request_token(),
            "access token": self.access_token(),
            "name": self.client.name("new"),
        }

    def request_token(self) -> str:
        """Of OAuth 1.0a, for somebody to authorize."""
        consumer = self.identity.consumers.create({})
        return self.identity.oauth_tokens.request(consumer.id, self.names["project"]).id

    def access_token(self) -> str:
        request = self.request_token()
        self.identity.oauth_tokens.authorize(request, self.names["anna"], [self.names["admin"]])
        return self.identity.oauth_tokens.exchange(request).id

    def ask(self, api: str, method: str, path: str, body: Any, kind: str) -> Answer:
        client = replace(self.client, app=self.apis[api])
        return client.call(method, path, body, self.tokens[kind])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("world")
    db = open_test_database(directory / "appliance.db")
    yield World(directory, db)
    db.close()


def by_token(token: str) -> dict[str, Any]:
    return {"methods": ["token"], "token": {"id": token}}


@dataclass(frozen=True)
class Row:
    """One route with a body, and the kinds of token that it refuses. `path` is the route's with names filled in."""

    api: str
    method: str
    route: str
    path: str
    body: Any = None
    refused: tuple[str, ...] = DELEGATED
    note: str = ""

    def __str__(self) -> str:
        return f"{self.api} {self.method} {self.route} {self.note}".strip()


def credential(kind: str, blob: str) -> dict[str, Any]:
    return {"credential": {"type": kind, "blob": blob, "user_id": "{anna}", "project_id": "{project}"}}


def v2_rows() -> Iterator[Row]:
    pairs, password = "/v2.0/users/<user_id>/credentials/OS-EC2", {"user": {"password": "two"}}
    one = f"{pairs}/<access>"
    path, own = "/v2.0/users/{anna}/credentials/OS-EC2", "/v2.0/users/{anna}/credentials/OS-EC2/{access}"
    for api in ("public", "admin"):
        yield Row(api, "GET", pairs, path)
        yield Row(api, "POST", pairs, path, {"tenant_id": "{project}"})
        yield Row(api, "GET", one, own)
        yield Row(api, "DELETE", one, own)
    below = [f"/{extension}{name}" for extension in ("", "OS-KSADM/") for name in ("password", "enabled", "tenant")]
    for route in (f"/v2.0/users/<user_id>{name}" for name in ("", *below)):
        yield Row("admin", "PUT", route, route.replace("<user_id>", "{anna}"), password)
    change = {"user": {"password": "two", "original_password": "one"}}
    route = "/v2.0/OS-KSCRUD/users/<user_id>"
    yield Row("public", "PATCH", route, route.replace("<user_id>", "{anna}"), change)


_MADE_BY_CREDENTIALS = (*APPLICATION_CREDENTIALS, "exchanged application credential")
NEITHER_OWN_NOR_CREDENTIAL = tuple(kind for kind in DELEGATED if kind not in _MADE_BY_CREDENTIALS)
MANAGES_NONE = tuple(kind for kind in DELEGATED if kind != "unrestricted application credential")
NEITHER_OWN_NOR_TRUST = tuple(kind for kind in DELEGATED if kind not in TRUSTS)

_CREDENTIALS, _USER = "/v3/credentials", "/v3/users/<user_id>"
_PAIRS = f"{_USER}/credentials/OS-EC2"
_ACCESS = f"{_USER}/OS-OAUTH1/access_tokens"
_ROBOTS, _RULES = f"{_USER}/application_credentials", f"{_USER}/access_rules"
_TRUSTS = "/v3/OS-TRUST/trusts"
_EC2 = '{"access": "{name}", "secret": "s"}'
_TRUST = {
    "trustor_user_id": "{anna}",
    "trustee_user_id": "{bert}",
    "project_id": "{project}",
    "impersonation": False,
    "roles": [{"id": "{admin}"}],
}

ROWS = (
    Row("/v3", "POST", _CREDENTIALS, _CREDENTIALS, credential("totp", SEED), note="totp"),
    Row("/v3", "POST", _CREDENTIALS, _CREDENTIALS, credential("ec2", _EC2), note="ec2"),
    Row("/v3", "POST", _CREDENTIALS, _CREDENTIALS, credential("cert", "x"), note="cert"),
    Row("/v3", "GET", f"{_CREDENTIALS}/<credential_id>", "/v3/credentials/{credential}"),
    Row(
        "/v3",
        "PATCH",
        f"{_CREDENTIALS}/<credential_id>",
        "/v3/credentials/{credential}",
        {"credential": {"blob": SEED}},
    ),
    Row("/v3", "DELETE", f"{_CREDENTIALS}/<credential_id>", "/v3/credentials/{credential}"),
    Row("/v3", "GET", _PAIRS, "/v3/users/{anna}/credentials/OS-EC2"),
    Row("/v3", "POST", _PAIRS, "/v3/users/{anna}/credentials/OS-EC2", {"tenant_id": "{project}"}),
    Row("/v3", "GET", f"{_PAIRS}/<credential_id>", "/v3/users/{anna}/credentials/OS-EC2/{access}"),
    Row("/v3", "DELETE", f"{_PAIRS}/<credential_id>", "/v3/users/{anna}/credentials/OS-EC2/{access}"),
    # Access of a program's, which outlives the token that authorizes it.
    Row(
        "/v3",
        "PUT",
        "/v3/OS-OAUTH1/authorize/<request_token_id>",
        "/v3/OS-OAUTH1/authorize/{request}",
        {"roles": [{"id": "{admin}"}]},
    ),
    Row("/v3", "GET", _ACCESS, "/v3/users/{anna}/OS-OAUTH1/access_tokens"),
    Row("/v3", "GET", f"{_ACCESS}/<access_token_id>", "/v3/users/{anna}/OS-OAUTH1/access_tokens/{access token}"),
    Row("/v3", "DELETE", f"{_ACCESS}/<access_token_id>", "/v3/users/{anna}/OS-OAUTH1/access_tokens/{access token}"),
    Row("/v3", "GET", _ROBOTS, "/v3/users/{anna}/application_credentials", refused=NEITHER_OWN_NOR_CREDENTIAL),
    Row(
        "/v3",
        "POST",
        _ROBOTS,
        "/v3/users/{anna}/application_credentials",
        {"application_credential": {"name": "{name}"}},
        MANAGES_NONE,
    ),
    Row(
        "/v3",
        "GET",
        f"{_ROBOTS}/<application_credential_id>",
        "/v3/users/{anna}/application_credentials/{application_credential}",
        refused=NEITHER_OWN_NOR_CREDENTIAL,
    ),
    Row(
        "/v3",
        "DELETE",
        f"{_ROBOTS}/<application_credential_id>",
        "/v3/users/{anna}/application_credentials/{application_credential}",
        refused=MANAGES_NONE,
    ),
    Row("/v3", "GET", _RULES, "/v3/users/{anna}/access_rules", refused=NEITHER_OWN_NOR_CREDENTIAL),
    Row(
        "/v3",
        "GET",
        f"{_RULES}/<access_rule_id>",
        "/v3/users/{anna}/access_rules/{rule}",
        refused=NEITHER_OWN_NOR_CREDENTIAL,
    ),
    Row(
        "/v3",
        "DELETE",
        f"{_RULES}/<access_rule_id>",
        "/v3/users/{anna}/access_rules/{rule}",
        refused=NEITHER_OWN_NOR_CREDENTIAL,
    ),
    Row("/v3", "GET", _TRUSTS, _TRUSTS, refused=NEITHER_OWN_NOR_TRUST),
    # Neither trust may be handed on.
    Row("/v3", "POST", _TRUSTS, _TRUSTS, {"trust": _TRUST}),
    Row("/v3", "GET", f"{_TRUSTS}/<trust_id>", "/v3/OS-TRUST/trusts/{trust}", refused=NEITHER_OWN_NOR_TRUST),
    Row("/v3", "DELETE", f"{_TRUSTS}/<trust_id>", "/v3/OS-TRUST/trusts/{trust}", refused=NEITHER_OWN_NOR_TRUST),
    Row(
        "/v3",
        "GET",
        f"{_TRUSTS}/<trust_id>/roles",
        "/v3/OS-TRUST/trusts/{trust}/roles",
        refused=NEITHER_OWN_NOR_TRUST,
    ),
    Row(
        "/v3",
        "GET",
        f"{_TRUSTS}/<trust_id>/roles/<role_id>",
        "/v3/OS-TRUST/trusts/{trust}/roles/{admin}",
        refused=NEITHER_OWN_NOR_TRUST,
    ),
    Row("/v3", "PATCH", _USER, "/v3/users/{anna}", {"user": {"password": "two"}}, note="password"),
    Row(
        "/v3",
        "PATCH",
        _USER,
        "/v3/users/{anna}",
        {"user": {"options": {"multi_factor_auth_enabled": False}}},
        note="options",
    ),
    *v2_rows(),
)


def allowed_kinds(row: Row) -> tuple[str, ...]:
    """Nobody is asked to change Anna's password who may: that ends every token of hers."""
    changes = isinstance(row.body, dict) and "password" in row.body.get("user", {})
    return () if changes else tuple(kind for kind in KINDS if kind not in row.refused)


@pytest.mark.parametrize(
    ("row", "kind"), [(row, kind) for row in ROWS for kind in row.refused], ids=lambda part: str(part)
)
def test_a_token_that_was_handed_out_is_refused(world: World, row: Row, kind: str) -> None:
    names = world.secrets()
    # Who acts by a trust without impersonation is Bert, whose own log-in it is not to touch either.
    if kind == "trust" and "user" in (row.body or {}):
        names["anna"] = names["bert"]
    answer = world.ask(row.api, row.method, filled(row.path, names), filled(row.body, names), kind)
    assert answer.status == 403, answer.text
    assert SEED not in answer.text


@pytest.mark.parametrize(
    ("row", "kind"), [(row, kind) for row in ROWS for kind in allowed_kinds(row)], ids=lambda part: str(part)
)
def test_another_token_is_not(world: World, row: Row, kind: str) -> None:
    names = world.secrets()
    answer = world.ask(row.api, row.method, filled(row.path, names), filled(row.body, names), kind)
    assert answer.status in (200, 201, 204), answer.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_of_credentials_shows_a_token_that_was_handed_out_none(world: World, kind: str) -> None:
    world.secrets()
    answer = world.ask("/v3", "GET", f"{_CREDENTIALS}?user_id={world.names['anna']}", None, kind)
    assert answer.status == 200
    assert bool(answer.json["credentials"]) is (kind in OWN)
    assert (SEED in answer.text) is (kind in OWN)


@pytest.mark.parametrize("kind", KINDS)
def test_the_old_password_is_the_proof_whatever_token_comes_along(world: World, kind: str) -> None:
    body = {"user": {"original_password": "wrong", "password": "two"}}
    # Else the limit on wrong passwords would speak in the end.
    world.client.time.passed += 3600 * 1_000_000
    assert world.ask("/v3", "POST", f"/v3/users/{world.names['anna']}/password", body, kind).status == 401


# -- from token to token


def v3_exchange(scope: Callable[[World], Any]) -> Callable[[World, str], Answer]:
    def ask(world: World, token: str) -> Answer:
        auth: dict[str, Any] = {"identity": by_token(token)}
        wanted = scope(world)
        if wanted is not None:
            auth["scope"] = wanted
        return world.client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="")

    return ask


def v2_exchange(api: str, **scope: str) -> Callable[[World, str], Answer]:
    def ask(world: World, token: str) -> Answer:
        client = replace(world.client, app=world.apis[api])
        auth = {"token": {"id": token}, **filled(scope, world.names)}
        return client.call("POST", "/v2.0/tokens", {"auth": auth}, token="")

    return ask


WAYS: dict[str, Callable[[World, str], Answer]] = {
    "v3, no scope": v3_exchange(lambda world: None),
    "v3, unscoped": v3_exchange(lambda world: "unscoped"),
    "v3, its own project": v3_exchange(lambda world: {"project": {"id": world.names["project"]}}),
    "v3, the domain": v3_exchange(lambda world: {"domain": {"id": "default"}}),
    "v3, the system": v3_exchange(lambda world: {"system": {"all": True}}),
    "v3, a trust": v3_exchange(lambda world: {"OS-TRUST:trust": {"id": world.trusts["trust"]}}),
    **{f"v2.0 {api}, unscoped": v2_exchange(api) for api in ("public", "admin")},
    **{f"v2.0 {api}, its own project": v2_exchange(api, tenantId="{project}") for api in ("public", "admin")},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", DELEGATED)
def test_a_token_that_was_handed_out_is_not_exchanged(world: World, way: str, kind: str) -> None:
    answer = WAYS[way](world, world.tokens[kind])
    assert answer.status == 403, answer.text


@pytest.mark.parametrize("way", [way for way in WAYS if "project" in way or "unscoped" in way])
@pytest.mark.parametrize("kind", OWN)
def test_a_token_of_ones_own_is(world: World, way: str, kind: str) -> None:
    assert WAYS[way](world, world.tokens[kind]).status in (200, 201)


# -- no route without a row

NO_SECRETS = (
    # They show what the caller already holds, or what anybody may know.
    ("/v3", "/"),
    ("/v3", "/v3"),
    ("/v3", "/v3/auth/catalog"),
    ("/v3", "/v3/auth/domains"),
    ("/v3", "/v3/auth/projects"),
    ("/v3", "/v3/auth/system"),
    ("/v3", "/v3/auth/tokens/OS-PKI/revoked"),
    ("/v3", "/v3/users/<user_id>/groups"),
    ("/v3", "/v3/users/<user_id>/projects"),
    ("/v3", f"{_ACCESS}/<access_token_id>/roles*"),
    # The signature is the proof, or the secret, or what a provider says; a service shows it.
    ("/v3", "/v3/auth/OS-FEDERATION/*"),
    ("/v3", "/v3/OS-OAUTH1/request_token"),
    ("/v3", "/v3/OS-OAUTH1/access_token"),
    ("/v3", "/v3/OS-OAUTH2/token"),
    ("/v3", "/v3/ec2tokens"),
    ("/v3", "/v3/s3tokens"),
    *(("/v3", f"/v3/{name}*") for name in ("domains", "groups", "projects", "regions", "roles", "role_", "system")),
    *(("/v3", f"/v3/{name}*") for name in ("endpoints", "limits", "policies", "registered_limits", "services")),
    *(("/v3", f"/v3/OS-{name}/*") for name in ("ENDPOINT-POLICY", "EP-FILTER", "FEDERATION", "INHERIT", "REVOKE")),
    ("/v3", "/v3/OS-OAUTH1/consumers*"),
    ("/v3", "/v3/OS-SIMPLE-CERT/*"),
    *(("public", f"/v2.0{name}*") for name in ("/certificates", "/ec2tokens", "/extensions", "/tenants")),
    *(("admin", f"/v2.0{name}*") for name in ("/certificates", "/ec2tokens", "/extensions", "/tenants")),
    ("public", "/v2.0"),
    *(("admin", f"/v2.0{name}") for name in ("", "/endpoints*", "/tokens/*", "/OS-KSADM/*")),
    ("admin", "/v2.0/users/<user_id>/roles*"),
)
ELSEWHERE = {
    ("/v3", "GET", "/v3/auth/tokens"),
    ("/v3", "DELETE", "/v3/auth/tokens"),
    ("/v3", "POST", "/v3/auth/tokens"),
    ("/v3", "GET", _CREDENTIALS),
    ("/v3", "POST", f"{_USER}/password"),
    # A user is made by an admin, and shown without secrets.
    *(("/v3", method, "/v3/users") for method in ("GET", "POST")),
    *(("/v3", method, _USER) for method in ("GET", "DELETE")),
    *(("admin", method, "/v2.0/users") for method in ("GET", "POST")),
    *(("admin", method, "/v2.0/users/<user_id>") for method in ("GET", "DELETE")),
    *((api, "POST", "/v2.0/tokens") for api in ("public", "admin")),
}
"""Asked in a test of their own, or harmless by this one of their methods."""


def without_secrets(api: str, path: str) -> bool:
    return any(
        api == where and (path.startswith(name[:-1]) if name.endswith("*") else path == name)
        for where, name in NO_SECRETS
    )


def test_every_route_of_every_identity_api_is_accounted_for(world: World) -> None:
    known = {(row.api, row.method, row.route) for row in ROWS} | ELSEWHERE
    routes = {(api, route.method, route.path) for api, app in world.apis.items() for route in app.routes}
    assert {route for route in routes - known if not without_secrets(route[0], route[2])} == set()
    assert known - routes == set()


def test_every_method_of_the_appliance_has_a_kind_of_token(world: World) -> None:
    shown = {method for token in world.tokens.values() for method in world.identity.tokens.validate(token).methods}
    assert {"password", "token", "totp", "application_credential", "oauth1", "ec2credential"} <= shown
