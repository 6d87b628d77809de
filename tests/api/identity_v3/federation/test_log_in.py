"""Log-in by an identity provider: what comes of a good token, and what no claim and no request can do."""

import json

import pytest

from appliance.settings import Settings
from tests.api.identity_v3.federation.world import AUTH, FEDERATION, REMOTE, USER, WITH_GROUPS, World, text_of

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
