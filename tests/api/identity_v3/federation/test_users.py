"""Users of identity providers: what ends with their provider, who they are here, and groups that outlive a log-in."""

from typing import Any

import pytest

from appliance.settings import Settings
from tests.api.identity_v3.client import Answer
from tests.api.identity_v3.federation.openid_tokens import ISSUER
from tests.api.identity_v3.federation.world import AUTH, FEDERATION, REMOTE, WITH_GROUPS, World, text_of

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
