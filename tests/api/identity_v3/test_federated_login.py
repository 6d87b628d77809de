"""Log-in by an identity provider: what a token has to be, and who its bearer is here."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from appliance.settings import Settings
from tests.api.identity_v3.client import Answer, Client, start
from tests.api.identity_v3.openid_tokens import AUDIENCE, ISSUER, Issuer
from tests.databases import open_test_database

FEDERATION = "/v3/OS-FEDERATION"
AUTH = f"{FEDERATION}/identity_providers/corp/protocols/openid/auth"
USER = {"user": {"id": "{0}", "name": "{1}", "email": "{2}"}}
REMOTE = [{"type": "sub"}, {"type": "preferred_username"}, {"type": "email"}]
WITH_GROUPS: dict[str, Any] = {
    "local": [USER, {"groups": "{3}", "domain": {"id": "default"}}],
    "remote": [*REMOTE, {"type": "groups"}],
}


class World:
    """A cloud that takes the tokens of one OpenID provider, and that provider."""

    def __init__(self, client: Client, issuer: Issuer) -> None:
        self.client = client
        self.issuer = issuer

    def put(self, path: str, sent: dict[str, Any]) -> None:
        answer = self.client.call("PUT", f"{FEDERATION}/{path}", sent)
        assert answer.status == 201, answer.text

    def register(self, idp_id: str = "corp", **values: Any) -> None:
        self.put(f"identity_providers/{idp_id}", {"identity_provider": {"enabled": True, **values}})
        self.put(f"identity_providers/{idp_id}/protocols/openid", {"protocol": {"mapping_id": "rules"}})

    def map(self, *rules: Any, version: str = "1.0") -> None:
        sent = {"mapping": {"rules": list(rules), "schema_version": version}}
        answer = self.client.call("PATCH", f"{FEDERATION}/mappings/rules", sent)
        assert answer.status == 200, answer.text

    def show(self, token: str, auth: str = AUTH, method: str = "POST", **headers: str) -> Answer:
        """Log in with a token of the provider."""
        return self.client.call(method, auth, token="", headers={"Authorization": f"Bearer {token}", **headers})

    def log_in(self, **claims: Any) -> Answer:
        answer = self.show(self.issuer.token(**claims))
        assert answer.status == 201, answer.text
        return answer

    def scoped(self, token: str, scope: Any) -> Answer:
        identity = {"methods": ["token"], "token": {"id": token}}
        return self.client.call("POST", "/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}}, token="")

    def group(self, name: str, role: str = "member", project: str = "admin") -> str:
        """A group of the default domain with a role on a project; its id."""
        made: str = self.client.create("group", {"name": name})["id"]
        self.grant(f"groups/{made}", role, project)
        return made

    def grant(self, actor: str, role: str, project: str) -> None:
        path = f"/v3/projects/{self.id_of('projects', project)}/{actor}/roles/{self.id_of('roles', role)}"
        assert self.client.call("PUT", path).status == 204

    def id_of(self, kind: str, name: str) -> str:
        found: str = self.client.call("GET", f"/v3/{kind}?name={name}").json[kind][0]["id"]
        return found

    def is_valid(self, token: str) -> bool:
        return self.client.call("GET", "/v3/auth/tokens", headers={"X-Subject-Token": token}).status == 200


def text_of(answer: Answer) -> str:
    return answer.headers["x-subject-token"]


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "keys.json")


@pytest.fixture
def options(issuer: Issuer) -> tuple[str, ...]:
    said = {"issuer": ISSUER, "audience": AUDIENCE, "keys": str(issuer.keys)}
    return tuple(f"{idp}:{name}={value}" for idp in ("corp", "other") for name, value in said.items())


@pytest.fixture
def settings(options: tuple[str, ...]) -> Settings:
    return Settings(openid_options=options)


@pytest.fixture
def world(tmp_path: Path, settings: Settings, issuer: Issuer) -> Iterator[World]:
    db = open_test_database(tmp_path / "appliance.db")
    world = World(start(tmp_path, settings, db), issuer)
    rule = {"local": [USER], "remote": REMOTE}
    world.put("mappings/rules", {"mapping": {"rules": [rule]}})
    world.register(remote_ids=[ISSUER])
    yield world
    db.close()


# -- what comes of a good token ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_of_the_provider_makes_an_unscoped_one(world: World, method: str) -> None:
    answer = world.show(world.issuer.token(), method=method)
    assert answer.status == 201, answer.text
    token = answer.json["token"]
    assert token["methods"] == ["openid"]
    assert "roles" not in token and "catalog" not in token
    assert token["user"]["name"] == "alice"
    assert token["user"]["OS-FEDERATION"] == {
        "groups": [],
        "identity_provider": {"id": "corp"},
        "protocol": {"id": "openid"},
    }
    assert "password_expires_at" not in token["user"]
    assert token["user"]["domain"]["id"] == world.client.identity.identity_providers.get("corp").domain_id


def test_a_token_is_good_for_another_algorithm_that_is_allowed(world: World) -> None:
    assert world.show(world.issuer.token("es256")).status == 201


def test_the_user_is_the_same_at_each_log_in_whatever_they_are_called(world: World) -> None:
    first = world.log_in().json["token"]["user"]
    second = world.log_in(preferred_username="alice.b", email="b@corp.example").json["token"]["user"]
    assert (first["id"], second["name"]) == (second["id"], "alice.b")
    shown = world.client.call("GET", f"/v3/users/{first['id']}").json["user"]
    assert (shown["name"], shown["email"]) == ("alice.b", "b@corp.example")


def test_the_user_is_shown_with_who_they_are_to_the_provider(world: World) -> None:
    user_id = world.log_in().json["token"]["user"]["id"]
    user = world.client.call("GET", f"/v3/users/{user_id}").json["user"]
    assert user["federated"] == [
        {"idp_id": "corp", "protocols": [{"protocol_id": "openid", "unique_id": "248289761001"}]}
    ]
    for query in ("name=alice", "unique_id=248289761001", "idp_id=corp&protocol_id=openid", "name__contains=lic"):
        found = world.client.call("GET", f"/v3/users?{query}").json["users"]
        assert [one["id"] for one in found] == [user_id], query
    assert world.client.call("GET", "/v3/users?idp_id=other").json["users"] == []


def test_groups_of_the_token_give_roles_and_the_scopes_to_use_them(world: World) -> None:
    world.map(WITH_GROUPS)
    group_id = world.group("operators")
    answer = world.log_in(groups=["operators", "nobody has made this one"])
    token = text_of(answer)
    assert answer.json["token"]["user"]["OS-FEDERATION"]["groups"] == [{"id": group_id}]
    for path in ("/v3/auth/projects", f"{FEDERATION}/projects"):
        assert [one["name"] for one in world.client.call("GET", path, token=token).json["projects"]] == ["admin"]
    project_id = world.id_of("projects", "admin")
    scoped = world.scoped(token, {"project": {"id": project_id}})
    assert scoped.status == 201, scoped.text
    assert {role["name"] for role in scoped.json["token"]["roles"]} == {"member", "reader"}
    assert scoped.json["token"]["methods"] == ["token", "openid"]
    assert scoped.json["token"]["user"]["OS-FEDERATION"]["groups"] == [{"id": group_id}]
    assert scoped.json["token"]["expires_at"] == answer.json["token"]["expires_at"]
    assert scoped.json["token"]["catalog"]
    again = world.scoped(text_of(scoped), {"project": {"id": project_id}})
    assert again.status == 201, again.text


def test_the_method_mapped_scopes_such_a_token_and_no_other(world: World) -> None:
    world.map(WITH_GROUPS)
    world.group("operators")
    scope = {"project": {"id": world.id_of("projects", "admin")}}

    def scoped(token: str) -> int:
        auth = {"identity": {"methods": ["mapped"], "mapped": {"id": token}}, "scope": scope}
        return world.client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="").status

    assert scoped(text_of(world.log_in())) == 201
    assert scoped(world.client.token or "") == 401


def test_domain_and_system_scopes_are_for_groups_that_have_them(world: World) -> None:
    world.map(WITH_GROUPS)
    group_id = world.client.create("group", {"name": "operators"})["id"]
    role = world.id_of("roles", "reader")
    assert world.client.call("PUT", f"/v3/domains/default/groups/{group_id}/roles/{role}").status == 204
    assert world.client.call("PUT", f"/v3/system/groups/{group_id}/roles/{role}").status == 204
    token = text_of(world.log_in())
    assert [one["id"] for one in world.client.call("GET", f"{FEDERATION}/domains", token=token).json["domains"]] == [
        "default"
    ]
    assert world.client.call("GET", "/v3/auth/system", token=token).json["system"] == [{"all": True}]
    assert world.scoped(token, {"domain": {"id": "default"}}).status == 201
    assert world.scoped(token, {"system": {"all": True}}).status == 201


def test_projects_are_made_and_given_with_their_roles(world: World) -> None:
    project = {"name": "lab of {1}", "roles": [{"name": "member"}]}
    world.map({"local": [USER, {"projects": [project]}], "remote": REMOTE})
    token = text_of(world.log_in())
    found = world.client.call("GET", "/v3/auth/projects", token=token).json["projects"]
    assert [one["name"] for one in found] == ["lab of alice"]
    assert found[0]["domain_id"] == world.client.identity.identity_providers.get("corp").domain_id
    assert world.scoped(token, {"project": {"id": found[0]["id"]}}).status == 201


@pytest.mark.parametrize(("version", "left"), [("2.0", ["a", "b"]), ("3.0", ["b"])])
def test_only_version_3_takes_projects_away_again(world: World, version: str, left: list[str]) -> None:
    def projects(*names: str) -> None:
        listed = [{"name": name, "roles": [{"name": "member"}]} for name in names]
        world.map({"local": [USER, {"projects": listed}], "remote": REMOTE}, version=version)
        world.log_in()

    projects("a")
    projects("b")
    token = text_of(world.log_in())
    found = world.client.call("GET", "/v3/auth/projects", token=token).json["projects"]
    assert [one["name"] for one in found] == left or sorted(one["name"] for one in found) == left


def test_projects_as_the_provider_lists_them(world: World) -> None:
    remote = [*REMOTE, {"type": "projects"}]
    world.map({"local": [USER, {"projects_json": "{3}"}], "remote": remote}, version="3.0")
    listed = json.dumps([{"name": "listed", "roles": [{"name": "reader"}], "domain": {"id": "default"}}])
    token = text_of(world.log_in(projects=listed))
    found = world.client.call("GET", "/v3/auth/projects", token=token).json["projects"]
    assert [(one["name"], one["domain_id"]) for one in found] == [("listed", "default")]


def test_a_user_of_our_own_is_logged_in_as_themselves(world: World) -> None:
    local = {"user": {"name": "{1}", "domain": {"id": "default"}, "type": "local"}}
    world.map({"local": [local], "remote": REMOTE})
    assert world.show(world.issuer.token()).status == 401
    user = world.client.create("user", {"name": "alice", "default_project_id": world.id_of("projects", "admin")})
    world.grant(f"users/{user['id']}", "member", "admin")
    token = world.log_in().json["token"]
    assert (token["user"]["id"], token["project"]["name"]) == (user["id"], "admin")
    assert "OS-FEDERATION" not in token["user"]


def test_a_user_of_our_own_with_more_factors_has_to_show_them(world: World) -> None:
    local = {"user": {"name": "{1}", "domain": {"id": "default"}, "type": "local"}}
    world.map({"local": [local], "remote": REMOTE})
    rules = {"multi_factor_auth_rules": [["password", "totp"]]}
    world.client.create("user", {"name": "alice", "password": "p", "options": rules})
    answer = world.show(world.issuer.token())
    assert answer.status == 401
    assert answer.json["receipt"]["methods"] == ["openid"]


def test_a_protocol_named_like_a_method_does_not_pass_for_it(world: World) -> None:
    world.put("identity_providers/corp/protocols/password", {"protocol": {"mapping_id": "rules"}})
    answer = world.show(world.issuer.token(), AUTH.replace("openid", "password"))
    assert answer.json["token"]["methods"] == ["mapped"]


def test_a_protocol_of_any_name_makes_tokens_that_can_be_scoped(world: World) -> None:
    world.map(WITH_GROUPS)
    world.group("operators")
    world.put("identity_providers/corp/protocols/our-sso", {"protocol": {"mapping_id": "rules"}})
    token = text_of(world.show(world.issuer.token(), AUTH.replace("openid", "our-sso")))
    assert world.scoped(token, {"project": {"id": world.id_of("projects", "admin")}}).status == 201


def test_claims_go_by_the_names_that_apache_gives_them_too(world: World) -> None:
    remote = [{"type": "HTTP_OIDC_SUB"}, {"type": "OIDC-preferred_username"}, {"type": "realm_access.roles"}]
    world.map({"local": [{"user": {"id": "{0}", "name": "{1} {2}"}}], "remote": remote})
    token = world.log_in(realm_access={"roles": ["boss"]}).json["token"]
    assert token["user"]["name"] == "alice boss"


def test_keys_are_taken_anew_when_their_file_changes(world: World) -> None:
    old = world.issuer.token()
    world.issuer.rotate("next")
    assert world.show(world.issuer.token("next")).status == 201
    assert world.show(old).status == 401


# -- tokens that are not good ------------------------------------------------------------------------------------------

NOW = int(time.time())
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("of another issuer", {"iss": "https://evil.example"}),
    ("of an issuer with a slash more", {"iss": f"{ISSUER}/"}),
    ("for another audience", {"aud": "another-application"}),
    ("for several others", {"aud": ["another", "account"]}),
    ("for nobody", {"aud": None}),
    ("of nobody", {"sub": None}),
    ("of a subject that is no text", {"sub": 7}),
    ("without an end", {"exp": None}),
    ("past its end", {"exp": NOW - 120}),
    ("before its time", {"nbf": NOW + 600}),
    ("of the future", {"iat": NOW + 600}),
    ("bound to a key of its holder", {"cnf": {"jkt": "x"}}),
    ("of a log-out", {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
    ("without what the mapping asks for", {"preferred_username": None}),
    ("with nothing where the mapping asks for something", {"preferred_username": []}),
]


@pytest.mark.parametrize("claims", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_token_is_refused(world: World, claims: dict[str, Any]) -> None:
    answer = world.show(world.issuer.token(**claims))
    assert (answer.status, answer.json["error"]["message"]) == (
        401,
        "The request you have made requires authentication.",
    )
    assert world.client.call("GET", "/v3/users?name=alice").json["users"] == []


def test_clocks_may_differ_a_little(world: World) -> None:
    now = int(time.time())
    assert world.show(world.issuer.token(exp=now - 5, iat=now + 5, nbf=now + 5)).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"kid": None},
        {"kid": "unknown"},
        {"kid": ["rs256"]},
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"crit": ["exp"]},
    ],
    ids=str,
)
def test_a_token_with_another_header_is_refused(world: World, headers: dict[str, Any]) -> None:
    algorithm, key = world.issuer.private["rs256"]
    token = _signed({"alg": algorithm, "typ": "JWT", "kid": "rs256", **headers}, world.issuer.claims(), key)
    assert world.show(token).status == 401


def test_a_token_for_oauth_resources_is_taken(world: World) -> None:
    assert world.show(world.issuer.token(headers={"typ": "at+jwt"})).status == 201


def test_a_token_without_a_signature_is_refused(world: World) -> None:
    header = {"alg": "none", "typ": "JWT", "kid": "rs256"}
    assert world.show(f"{_part(header)}.{_part(world.issuer.claims())}.").status == 401


def test_the_public_key_is_no_secret_to_sign_with(world: World) -> None:
    _, key = world.issuer.private["rs256"]
    from_file = json.loads(world.issuer.keys.read_text())["keys"][0]["n"]
    for secret in (from_file.encode(), base64.urlsafe_b64decode(from_file + "==")):
        assert world.show(jwt.encode(world.issuer.claims(), secret, "HS256", headers={"kid": "rs256"})).status == 401


def test_a_symmetric_key_among_the_providers_keys_is_not_used(world: World) -> None:
    secret = b"0123456789abcdef0123456789abcdef"
    encoded = base64.urlsafe_b64encode(secret).decode().rstrip("=")
    world.issuer.publish({"kty": "oct", "k": encoded, "kid": "shared", "alg": "HS256"})
    assert world.show(jwt.encode(world.issuer.claims(), secret, "HS256", headers={"kid": "shared"})).status == 401


def test_a_short_key_is_not_used(world: World) -> None:
    key = rsa.generate_private_key(65537, 1024)
    made = jwt.get_algorithm_by_name("RS256").to_jwk(key.public_key(), as_dict=True)
    world.issuer.publish({**made, "kid": "short", "alg": "RS256"})
    token = _signed({"alg": "RS256", "typ": "JWT", "kid": "short"}, world.issuer.claims(), key)
    assert world.show(token).status == 401


def test_a_key_of_another_type_does_not_fit_the_algorithm(world: World) -> None:
    header = {"alg": "ES256", "typ": "JWT", "kid": "rs256"}
    _, key = world.issuer.private["es256"]
    algorithm = jwt.get_algorithm_by_name("ES256")
    signing = f"{_part(header)}.{_part(world.issuer.claims())}"
    signature = base64.urlsafe_b64encode(algorithm.sign(signing.encode(), key)).decode().rstrip("=")
    assert world.show(f"{signing}.{signature}").status == 401


def test_a_changed_token_is_refused(world: World) -> None:
    header, _, signature = world.issuer.token().split(".")
    assert world.show(f"{header}.{_part(world.issuer.claims(sub='1'))}.{signature}").status == 401


@pytest.mark.parametrize("token", ["", "opaque", "a.b", "a.b.c.d.e", "ü.b.c", "..", "x" * 50_000], ids=lambda t: t[:6])
def test_what_is_no_token_is_refused(world: World, token: str) -> None:
    assert world.show(token).status == 401


def test_a_token_of_our_own_is_not_one_of_the_provider(world: World) -> None:
    assert world.show(world.client.token or "").status == 401
    assert world.show(text_of(world.log_in())).status == 401


def test_a_token_of_the_provider_is_not_one_of_our_own(world: World) -> None:
    assert world.client.call("GET", "/v3/auth/projects", token=world.issuer.token()).status == 401


def test_who_shows_nothing_is_refused(world: World) -> None:
    assert world.client.call("POST", AUTH, token="").status == 401
    assert world.client.call("POST", AUTH, token="", headers={"Authorization": "Basic YTpi"}).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"OIDC-sub": "boss", "OIDC-preferred_username": "admin"},
        {"OIDC_SUB": "boss", "OIDC_PREFERRED_USERNAME": "admin"},
        {"Remote-User": "admin", "X-Remote-User": "admin"},
        {"X-User-Id": "admin", "X-Roles": "admin", "X-Identity-Status": "Confirmed"},
    ],
    ids=str,
)
def test_headers_of_a_client_say_nothing_of_its_user(world: World, headers: dict[str, str]) -> None:
    remote = [{"type": "HTTP_OIDC_SUB"}, {"type": "HTTP_OIDC_PREFERRED_USERNAME"}]
    world.map({"local": [{"user": {"id": "{0}", "name": "{1}"}}], "remote": remote})
    answer = world.show(world.issuer.token(), **headers)
    assert answer.json["token"]["user"]["name"] == "alice"
    assert world.client.call("POST", AUTH, token="", headers=headers).status == 401


class TestClients:
    @pytest.fixture
    def options(self, issuer: Issuer) -> tuple[str, ...]:
        said = {"issuer": ISSUER, "audience": AUDIENCE, "keys": str(issuer.keys), "clients": "horizon cli"}
        return tuple(f"corp:{name}={value}" for name, value in said.items())

    @pytest.mark.parametrize("claims", [{"azp": "cli"}, {"client_id": "horizon"}], ids=str)
    def test_a_token_of_a_client_that_is_named_is_taken(self, world: World, claims: dict[str, Any]) -> None:
        assert world.show(world.issuer.token(**claims)).status == 201

    @pytest.mark.parametrize("claims", [{}, {"azp": "game"}, {"azp": "game", "client_id": "cli"}], ids=str)
    def test_a_token_of_another_client_is_refused(self, world: World, claims: dict[str, Any]) -> None:
        assert world.show(world.issuer.token(**claims)).status == 401


# -- providers, domains, users that are not good -----------------------------------------------------------------------


def test_an_unknown_provider_or_protocol_is_not_found(world: World) -> None:
    token = world.issuer.token()
    assert world.show(token, AUTH.replace("corp", "none")).status == 404
    assert world.show(token, AUTH.replace("openid", "none")).status == 404


def test_a_provider_that_the_settings_do_not_name_takes_nobody(world: World) -> None:
    world.register("stranger")
    assert world.show(world.issuer.token(), AUTH.replace("corp", "stranger")).status == 401


def test_a_token_of_an_issuer_that_the_provider_is_not_said_to_be_is_forbidden(world: World) -> None:
    world.register("other", remote_ids=["https://elsewhere.example"])
    assert world.show(world.issuer.token(), AUTH.replace("corp", "other")).status == 403


def change_provider(world: World, **changes: Any) -> None:
    sent = {"identity_provider": changes}
    assert world.client.call("PATCH", f"{FEDERATION}/identity_providers/corp", sent).status == 200


def test_a_disabled_provider_takes_nobody_and_its_tokens_are_void(world: World) -> None:
    token = text_of(world.log_in())
    change_provider(world, enabled=False)
    assert world.show(world.issuer.token()).status == 403
    assert not world.is_valid(token)
    change_provider(world, enabled=True)
    assert not world.is_valid(token)
    assert world.show(world.issuer.token()).status == 201


def test_a_provider_in_a_disabled_domain_takes_nobody_and_its_tokens_are_void(world: World) -> None:
    token = text_of(world.log_in())
    domain_id = world.client.identity.identity_providers.get("corp").domain_id
    assert world.client.call("PATCH", f"/v3/domains/{domain_id}", {"domain": {"enabled": False}}).status == 200
    assert world.show(world.issuer.token()).status == 401
    assert not world.is_valid(token)


def test_a_domain_that_was_disabled_leaves_no_token_of_its_provider(world: World) -> None:
    local = {"user": {"name": "{1}", "domain": {"id": "default"}, "type": "local"}}
    world.map({"local": [local], "remote": REMOTE})
    world.client.create("user", {"name": "alice"})
    token = text_of(world.log_in())
    path = f"/v3/domains/{world.client.identity.identity_providers.get('corp').domain_id}"
    for enabled in (False, True):
        assert world.client.call("PATCH", path, {"domain": {"enabled": enabled}}).status == 200
    assert not world.is_valid(token)
    assert world.show(world.issuer.token()).status == 201


def test_a_disabled_user_does_not_get_in(world: World) -> None:
    answer = world.log_in()
    user_id = answer.json["token"]["user"]["id"]
    assert world.client.call("PATCH", f"/v3/users/{user_id}", {"user": {"enabled": False}}).status == 200
    assert world.show(world.issuer.token()).status == 401
    assert not world.is_valid(text_of(answer))


@pytest.mark.parametrize("path", ["identity_providers/corp", "identity_providers/corp/protocols/openid"])
def test_what_vouched_for_users_takes_them_along(world: World, path: str) -> None:
    answer = world.log_in()
    user_id = answer.json["token"]["user"]["id"]
    assert world.client.call("DELETE", f"{FEDERATION}/{path}").status == 204
    assert not world.is_valid(text_of(answer))
    assert world.client.call("GET", f"/v3/users/{user_id}").status == 404
    if path.endswith("corp"):
        world.register(remote_ids=[ISSUER])
    else:
        world.put(path, {"protocol": {"mapping_id": "rules"}})
    assert not world.is_valid(text_of(answer))
    assert world.show(world.issuer.token()).status == 201


def test_a_user_of_our_own_stays_and_loses_the_log_in_of_a_provider_that_goes(world: World) -> None:
    local = {"user": {"name": "{1}", "domain": {"id": "default"}, "type": "local"}}
    world.map({"local": [local], "remote": REMOTE})
    user = world.client.create("user", {"name": "alice"})
    token = text_of(world.log_in())
    assert world.client.call("DELETE", f"{FEDERATION}/identity_providers/corp").status == 204
    assert not world.is_valid(token)
    assert world.client.call("GET", f"/v3/users/{user['id']}").status == 200


def test_users_of_two_providers_with_one_name_are_two_users(world: World) -> None:
    world.register("other", domain_id=world.client.identity.identity_providers.get("corp").domain_id)
    one = world.log_in().json["token"]["user"]
    other = world.show(world.issuer.token(), AUTH.replace("corp", "other")).json["token"]["user"]
    assert one["name"] == other["name"] and one["domain"] == other["domain"]
    assert one["id"] != other["id"]


def test_a_user_of_our_own_with_that_name_is_another_one(world: World) -> None:
    domain_id = world.client.identity.identity_providers.get("corp").domain_id
    own = world.client.create("user", {"name": "alice", "password": "p", "domain_id": domain_id})
    federated = world.log_in().json["token"]["user"]
    assert federated["id"] != own["id"]
    assert world.client.log_in("alice", "p", domain=domain_id)
    found = world.client.call("GET", "/v3/users?name=alice").json["users"]
    assert {one["id"] for one in found} == {own["id"], federated["id"]}


def test_a_federated_user_has_no_password_to_guess(world: World) -> None:
    user = world.log_in().json["token"]["user"]
    for shown in ({"id": user["id"]}, {"name": "alice", "domain": user["domain"]}):
        identity = {"methods": ["password"], "password": {"user": {**shown, "password": "x"}}}
        assert world.client.call("POST", "/v3/auth/tokens", {"auth": {"identity": identity}}, token="").status == 401


def test_a_user_can_be_tied_to_a_provider_by_an_administrator(world: World) -> None:
    protocols = [{"protocol_id": "openid", "unique_id": "248289761001"}]
    own = world.client.create("user", {"name": "al", "federated": [{"idp_id": "corp", "protocols": protocols}]})
    assert own["federated"] == [{"idp_id": "corp", "protocols": protocols}]
    user = world.log_in().json["token"]["user"]
    assert (user["id"], user["name"]) == (own["id"], "al")


def test_a_user_who_is_tied_to_somebody_else_keeps_no_token(world: World) -> None:
    answer = world.log_in()
    user_id = answer.json["token"]["user"]["id"]
    federated = [{"idp_id": "corp", "protocols": [{"protocol_id": "openid", "unique_id": "other"}]}]
    changed = world.client.call("PATCH", f"/v3/users/{user_id}", {"user": {"federated": federated}})
    assert changed.json["user"]["federated"] == federated
    assert not world.is_valid(text_of(answer))


@pytest.mark.parametrize(("idp_id", "unique_id", "status"), [("none", "1", 400), ("corp", "248289761001", 409)])
def test_a_user_is_tied_only_to_what_is_there_and_free(world: World, idp_id: str, unique_id: str, status: int) -> None:
    world.log_in()
    protocols = [{"protocol_id": "openid", "unique_id": unique_id}]
    sent = {"user": {"name": "x", "federated": [{"idp_id": idp_id, "protocols": protocols}]}}
    assert world.client.call("POST", "/v3/users", sent).status == status


# -- groups that last --------------------------------------------------------------------------------------------------


def test_groups_end_with_the_log_in_unless_the_provider_says_otherwise(world: World) -> None:
    world.map(WITH_GROUPS)
    world.group("operators")
    user_id = world.log_in().json["token"]["user"]["id"]
    assert world.client.call("GET", f"/v3/users/{user_id}/groups").json["groups"] == []
    change_provider(world, authorization_ttl=10)
    world.log_in()
    groups = world.client.call("GET", f"/v3/users/{user_id}/groups").json["groups"]
    assert [group["name"] for group in groups] == ["operators"]
    assert groups[0]["membership_expires_at"] > "2026"
    world.client.time.pass_seconds(601)
    assert (
        world.client.call("GET", f"/v3/users/{user_id}/groups", token=world.client.log_in(scope="project:admin")).json[
            "groups"
        ]
        == []
    )


def test_a_log_in_that_brings_nothing_new_writes_nothing(world: World) -> None:
    project = {"name": "lab", "roles": [{"name": "member"}]}
    world.map({**WITH_GROUPS, "local": [*WITH_GROUPS["local"], {"projects": [project]}]})
    world.group("operators")
    world.log_in()
    before = world.client.identity.store.generation
    world.log_in()
    assert world.client.identity.store.generation == before
    world.log_in(email="new@corp.example")
    assert world.client.identity.store.generation > before


def test_a_later_log_in_makes_groups_last_longer(world: World) -> None:
    world.map(WITH_GROUPS)
    world.group("operators")
    change_provider(world, authorization_ttl=10)
    user_id = world.log_in().json["token"]["user"]["id"]

    def end() -> str:
        found: str = world.client.call("GET", f"/v3/users/{user_id}/groups").json["groups"][0]["membership_expires_at"]
        return found

    before = end()
    world.client.time.pass_seconds(200)
    world.log_in()
    assert end() > before


class TestInactivity:
    @pytest.fixture
    def settings(self, options: tuple[str, ...]) -> Settings:
        return Settings(openid_options=options, disable_user_account_days_inactive=10)

    def test_a_log_in_counts_as_being_active(self, world: World) -> None:
        local = {"user": {"name": "{1}", "domain": {"id": "default"}, "type": "local"}}
        world.map({"local": [local], "remote": REMOTE})
        user = world.client.create("user", {"name": "alice"})
        world.client.time.set_clock(8 * 86400)
        assert world.show(world.issuer.token()).status == 201
        world.client.time.set_clock(8 * 86400)
        assert world.show(world.issuer.token()).status == 201
        world.client.time.set_clock(12 * 86400)
        assert world.show(world.issuer.token()).status == 401
        assert world.client.identity.users.get(user["id"]).enabled is False


def test_an_application_credential_lasts_as_long_as_the_groups(world: World) -> None:
    world.map(WITH_GROUPS)
    world.group("operators")
    change_provider(world, authorization_ttl=10)
    answer = world.log_in()
    user_id = answer.json["token"]["user"]["id"]
    scoped = text_of(world.scoped(text_of(answer), {"project": {"id": world.id_of("projects", "admin")}}))
    path = f"/v3/users/{user_id}/application_credentials"
    made = world.client.call("POST", path, {"application_credential": {"name": "a"}}, scoped)
    assert made.status == 201, made.text
    shown = {name: made.json["application_credential"][name] for name in ("id", "secret")}

    def use() -> Answer:
        identity = {"methods": ["application_credential"], "application_credential": shown}
        return world.client.call("POST", "/v3/auth/tokens", {"auth": {"identity": identity}}, token="")

    used = use()
    assert used.status == 201, used.text
    world.client.time.pass_seconds(601)
    assert use().status == 401
    admin = world.client.log_in(scope="project:admin")
    seen = world.client.call("GET", "/v3/auth/tokens", token=admin, headers={"X-Subject-Token": text_of(used)})
    assert seen.status == 404


def test_a_group_that_a_later_log_in_does_not_give_is_gone_from_older_tokens(world: World) -> None:
    world.map(WITH_GROUPS)
    world.group("operators")
    first = text_of(world.log_in())
    again = text_of(world.log_in())
    assert world.is_valid(first)
    last = text_of(world.log_in(groups=["staff"]))
    assert (world.is_valid(first), world.is_valid(again), world.is_valid(last)) == (False, False, True)


def test_a_group_that_is_removed_ends_the_tokens_that_have_it(world: World) -> None:
    world.map(WITH_GROUPS)
    group_id = world.group("operators")
    token = text_of(world.log_in())
    assert world.client.call("DELETE", f"/v3/groups/{group_id}").status == 204
    assert not world.is_valid(token)


# -- what a claim can't do ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["admin", "service", "boss"])
def test_a_claim_does_not_give_a_powerful_role(world: World, role: str) -> None:
    boss = world.client.create("role", {"name": "boss"})["id"]
    service = world.id_of("roles", "service")
    assert world.client.call("PUT", f"/v3/roles/{boss}/implies/{service}").status == 201
    project = {"name": "lab", "roles": [{"name": "{3}"}]}
    world.map({"local": [USER, {"projects": [project]}], "remote": [*REMOTE, {"type": "title"}]})
    assert world.show(world.issuer.token(title=role)).status == 401
    assert world.show(world.issuer.token(title="member")).status == 201


def test_a_list_of_projects_does_not_give_a_powerful_role(world: World) -> None:
    world.map({"local": [USER, {"projects_json": "{3}"}], "remote": [*REMOTE, {"type": "lab"}]}, version="3.0")
    lab = json.dumps([{"name": "lab", "roles": [{"name": "admin"}]}])
    assert world.show(world.issuer.token(lab=lab)).status == 401


def test_a_mapping_may_give_a_powerful_role_itself(world: World) -> None:
    project = {"name": "lab", "roles": [{"name": "admin"}]}
    remote = [*REMOTE, {"type": "groups", "any_one_of": ["operators"]}]
    world.map({"local": [USER, {"projects": [project]}], "remote": remote})
    assert world.show(world.issuer.token()).status == 201
    assert world.show(world.issuer.token(groups=["staff"])).status == 401


@pytest.mark.parametrize(
    "title",
    [
        "['staff', 'admins']",
        "staff;admins",
        'JSON:{"name": "admins", "domain": {"id": "default"}}',
        "{0}",
    ],
)
def test_a_claim_that_looks_like_more_is_one_name_of_a_group(world: World, title: str) -> None:
    world.group("admins", role="admin")
    local = [USER, {"groups": "{3}", "domain": {"id": "default"}}]
    world.map({"local": local, "remote": [*REMOTE, {"type": "title"}]})
    assert world.log_in(title=title).json["token"]["user"]["OS-FEDERATION"]["groups"] == []


@pytest.mark.parametrize("name", ["not_any_of", "blacklist"])
def test_a_claim_too_long_for_a_forbidding_expression_forbids(world: World, name: str) -> None:
    remote = [*REMOTE, {"type": "title", name: [".*contractor"], "regex": True}]
    world.map({"local": [USER], "remote": remote})
    assert world.show(world.issuer.token(title="employee")).status == 201
    assert world.show(world.issuer.token(title="x" * 10_000)).status == 401


def test_a_mapping_can_not_use_a_group_by_an_id_that_is_not_there(world: World) -> None:
    world.map({"local": [USER, {"group": {"id": "none"}}], "remote": REMOTE})
    assert world.show(world.issuer.token()).status == 401
    assert world.client.call("GET", "/v3/users?name=alice").json["users"] == []


# -- what there is not -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{FEDERATION}/saml2/metadata"),
        ("POST", "/v3/auth/OS-FEDERATION/saml2"),
        ("POST", "/v3/auth/OS-FEDERATION/saml2/ecp"),
        ("GET", "/v3/auth/OS-FEDERATION/websso/openid?origin=https://dash.example"),
        ("POST", "/v3/auth/OS-FEDERATION/identity_providers/corp/protocols/openid/websso"),
    ],
)
def test_saml_and_browsers_are_told_in_a_sentence(world: World, method: str, path: str) -> None:
    answer = world.client.call(method, path, {} if method == "POST" else None)
    assert answer.status == 501
    assert answer.json["error"]["message"].endswith(".")


class TestSwitchedOff:
    @pytest.fixture
    def settings(self, options: tuple[str, ...]) -> Settings:
        return Settings(openid_options=options, auth_methods=("password", "token"))

    def test_nobody_logs_in(self, world: World) -> None:
        assert world.show(world.issuer.token()).status == 401


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _signed(header: dict[str, Any], claims: dict[str, Any], key: Any) -> str:
    """By RS256, whatever the header says."""
    signing = f"{_part({name: value for name, value in header.items() if value is not None})}.{_part(claims)}"
    signature = jwt.get_algorithm_by_name("RS256").sign(signing.encode(), key)
    return f"{signing}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
