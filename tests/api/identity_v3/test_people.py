"""Users, groups, roles: what may be said when one is made or changed, and what goes with one that is deleted."""

from typing import Any

import pytest

from appliance.settings import Settings
from tests.api.identity_v3.client import Client


def test_a_user_keeps_what_clients_invent_and_hides_the_password(client: Client) -> None:
    user = client.create("user", {"name": "anna", "password": "one", "email": "a@b.c", "description": "x"})
    shown = client.call("GET", f"/v3/users/{user['id']}").json["user"]
    assert shown == user
    assert (shown["email"], shown["domain_id"], shown["enabled"]) == ("a@b.c", "default", True)
    assert shown["password_expires_at"] is None and shown["options"] == {}
    assert not {"password", "created_at", "last_active_at", "default_project_id"} & set(shown)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"name": ""}, 400),
        ({"name": "  "}, 400),
        ({"name": "x" * 256}, 400),
        ({"name": 7}, 400),
        ({"name": "admin"}, 409),
        ({"name": "x", "enabled": "yes"}, 400),
        ({"name": "x", "domain_id": "nowhere"}, 404),
        ({"name": "x", "default_project_id": "default"}, 400),
        ({"name": "x", "options": {"surprise": True}}, 400),
        ({"name": "x", "options": {"multi_factor_auth_rules": [[]]}}, 400),
        ({"name": "x", "password": "p" * 4097}, 400),
        ({"name": "x", "default_project_id": "unknown"}, 201),
        ({"name": "x", "password": None}, 201),
    ],
)
def test_new_users_are_checked(client: Client, body: dict[str, Any], status: int) -> None:
    answer = client.call("POST", "/v3/users", {"user": body})
    assert answer.status == status, answer.text


@pytest.mark.parametrize("change", [{"enabled": False}, {"password": "new"}])
def test_a_disabled_user_or_a_new_password_ends_tokens_at_once(client: Client, change: dict[str, Any]) -> None:
    user = client.create("user", {"name": "anna", "password": "one"})
    token = client.log_in("anna", "one", "unscoped")
    assert client.call("PATCH", f"/v3/users/{user['id']}", {"user": change}).status == 200
    assert client.call("GET", "/v3/auth/projects", token=token).status == 401
    client.call("PATCH", f"/v3/users/{user['id']}", {"user": {"enabled": True, "password": "new"}})
    assert client.call("GET", "/v3/auth/projects", token=token).status == 401
    assert client.call("GET", "/v3/auth/projects", token=client.log_in("anna", "new")).status == 200


def test_a_deleted_user_takes_tokens_and_grants_along(client: Client) -> None:
    user = client.create("user", {"name": "anna", "password": "one"})
    project = client.create("project", {"name": "work"})
    role = client.create("role", {"name": "cook"})
    client.call("PUT", f"/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
    token = client.log_in("anna", "one", "project:work")
    assert client.call("DELETE", f"/v3/users/{user['id']}").status == 204
    assert client.call("GET", "/v3/auth/projects", token=token).status == 401
    assert client.call("GET", f"/v3/role_assignments?role.id={role['id']}").json["role_assignments"] == []


def test_users_are_filtered_by_the_end_of_their_password(client: Client) -> None:
    client.create("user", {"name": "anna", "password": "one"})
    for query, status in (("lt:2030-01-01T00:00:00Z", 200), ("gt:junk", 400), ("xx:2030-01-01T00:00:00Z", 400)):
        assert client.call("GET", f"/v3/users?password_expires_at={query}").status == status
    assert client.call("GET", "/v3/users?password_expires_at=lt:2030-01-01T00:00:00Z").json["users"] == []
    assert len(client.call("GET", "/v3/users?enabled=true").json["users"]) == 2
    assert client.call("GET", "/v3/users?enabled=0").json["users"] == []


def test_leaving_a_group_ends_what_came_with_it(client: Client) -> None:
    user = client.create("user", {"name": "anna", "password": "one"})
    group = client.create("group", {"name": "cooks"})
    role = client.create("role", {"name": "cook"})
    project = client.create("project", {"name": "work"})
    client.call("PUT", f"/v3/groups/{group['id']}/users/{user['id']}")
    client.call("PUT", f"/v3/projects/{project['id']}/groups/{group['id']}/roles/{role['id']}")
    token = client.log_in("anna", "one", "project:work")
    own = client.call("GET", f"/v3/users/{user['id']}/groups", token=token).json["groups"]
    assert [one["name"] for one in own] == ["cooks"]
    assert client.call("DELETE", f"/v3/groups/{group['id']}/users/{user['id']}").status == 204
    assert client.call("GET", "/v3/auth/projects", token=token).status == 401
    assert client.call("GET", f"/v3/groups/{group['id']}/users/{user['id']}").status == 404


def test_a_standard_role_is_immutable_until_it_is_told_otherwise(client: Client) -> None:
    reader = client.call("GET", "/v3/roles?name=reader").json["roles"][0]
    path = f"/v3/roles/{reader['id']}"
    assert client.call("PATCH", path, {"role": {"description": "x"}}).status == 403
    assert client.call("DELETE", path).status == 403
    assert client.call("PATCH", path, {"role": {"options": {"immutable": True}}}).status == 403
    assert client.call("PATCH", path, {"role": {"options": {"immutable": None}, "name": "y"}}).status == 403
    assert client.call("PATCH", path, {"role": {"options": {"immutable": False}}}).status == 200
    assert client.call("PATCH", path, {"role": {"description": "x"}}).json["role"]["description"] == "x"


def test_nothing_implies_admin_and_no_global_role_one_of_a_domain(client: Client) -> None:
    roles = {role["name"]: role["id"] for role in client.call("GET", "/v3/roles").json["roles"]}
    own = client.create("role", {"name": "own", "domain_id": "default"})["id"]
    assert client.call("PUT", f"/v3/roles/{roles['reader']}/implies/{roles['admin']}").status == 403
    assert client.call("PUT", f"/v3/roles/{roles['reader']}/implies/{own}").status == 403
    answer = client.call("PUT", f"/v3/roles/{own}/implies/{roles['reader']}")
    assert answer.status == 201 and answer.json["role_inference"]["implies"]["name"] == "reader"
    # A circle does no harm.
    assert client.call("PUT", f"/v3/roles/{roles['reader']}/implies/{roles['member']}").status == 201
    assert client.log_in(scope="project:admin")
    assert client.call("GET", "/v3/role_assignments?effective").status == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [({"name": "reader"}, 409), ({"name": "reader", "domain_id": "default"}, 201), ({"description": "x"}, 400)],
)
def test_role_names_are_taken_within_their_domain(client: Client, body: dict[str, Any], status: int) -> None:
    assert client.call("POST", "/v3/roles", {"role": body}).status == status


class TestCompliance:
    """The rules for passwords that the settings switch on."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            lockout_failure_attempts=2,
            lockout_duration=60,
            password_expires_days=10,
            unique_last_password_count=2,
            minimum_password_age=1,
            password_regex="^.{3,}$",
            password_regex_description="three characters",
            disable_user_account_days_inactive=30,
        )

    @pytest.fixture
    def anna(self, client: Client) -> str:
        return str(client.create("user", {"name": "anna", "password": "one"})["id"])

    def wrong(self, client: Client, password: str) -> None:
        with pytest.raises(AssertionError):
            client.log_in("anna", password)

    def change(self, client: Client, user_id: str, old: str, new: str) -> int:
        body = {"user": {"original_password": old, "password": new}}
        return client.call("POST", f"/v3/users/{user_id}/password", body, token="").status

    def test_two_wrong_passwords_lock_out_for_a_minute(self, client: Client, anna: str) -> None:
        self.wrong(client, "x")
        self.wrong(client, "x")
        self.wrong(client, "one")
        assert self.change(client, anna, "one", "two") == 401
        client.time.pass_seconds(61)
        assert client.log_in("anna", "one")

    def test_a_right_password_forgets_wrong_ones(self, client: Client, anna: str) -> None:
        for _ in range(3):
            self.wrong(client, "x")
            assert client.log_in("anna", "one")

    def test_a_password_expires_but_can_then_be_changed(self, client: Client, anna: str) -> None:
        assert client.identity.users.get(anna).password_expires_at is not None
        client.time.pass_seconds(10 * 86400)
        self.wrong(client, "one")
        assert self.change(client, anna, "one", "two") == 204
        assert client.log_in("anna", "two")

    def test_old_and_weak_passwords_are_refused(self, client: Client, anna: str) -> None:
        day = 86401
        assert self.change(client, anna, "one", "no") == 400
        assert self.change(client, anna, "one", "one") == 400
        assert self.change(client, anna, "wrong", "two") == 401
        assert self.change(client, anna, "one", "two") == 204
        assert self.change(client, anna, "two", "three") == 400
        client.time.pass_seconds(day)
        assert self.change(client, anna, "two", "one") == 400
        assert self.change(client, anna, "two", "three") == 204
        client.time.pass_seconds(day)
        assert self.change(client, anna, "three", "one") == 204

    def test_an_administrator_is_not_bound_by_history(self, client: Client, anna: str) -> None:
        assert client.call("PATCH", f"/v3/users/{anna}", {"user": {"password": "one"}}).status == 200
        answer = client.call("PATCH", f"/v3/users/{anna}", {"user": {"password": "x"}})
        assert answer.status == 400 and "three characters" in answer.text

    def test_options_exempt_a_user(self, client: Client, anna: str) -> None:
        options = {"ignore_lockout_failure_attempts": True, "ignore_password_expiry": True, "lock_password": True}
        client.call("PATCH", f"/v3/users/{anna}", {"user": {"options": options}})
        for _ in range(3):
            self.wrong(client, "x")
        client.time.pass_seconds(20 * 86400)
        assert client.log_in("anna", "one")
        assert self.change(client, anna, "one", "two") == 403

    def test_a_user_who_stays_away_is_disabled_until_enabled(self, client: Client, anna: str) -> None:
        client.call("PATCH", f"/v3/users/{anna}", {"user": {"options": {"ignore_password_expiry": True}}})
        client.time.pass_seconds(31 * 86400)
        self.wrong(client, "one")
        assert client.identity.users.get(anna).enabled is False
        client.identity.users.update(anna, {"enabled": True})
        assert client.log_in("anna", "one")


class TestFirstUse:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(change_password_upon_first_use=True)

    def test_a_given_password_must_be_changed_before_use(self, client: Client) -> None:
        user = client.create("user", {"name": "anna", "password": "one"})
        with pytest.raises(AssertionError):
            client.log_in("anna", "one")
        body = {"user": {"original_password": "one", "password": "two"}}
        assert client.call("POST", f"/v3/users/{user['id']}/password", body, token="").status == 204
        assert client.log_in("anna", "two")
