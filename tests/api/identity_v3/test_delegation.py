"""Acting for someone: application credentials with access rules, and trusts."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client, password_auth


class Pair:
    """Anna, member and reader of the project work, and Bert, who has nothing."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.roles = {role["name"]: role["id"] for role in client.call("GET", "/v3/roles").json["roles"]}
        self.project = client.create("project", {"name": "work"})["id"]
        self.anna = client.create("user", {"name": "anna", "password": "one"})["id"]
        self.bert = client.create("user", {"name": "bert", "password": "two"})["id"]
        self.member = f"/v3/projects/{self.project}/users/{self.anna}/roles/{self.roles['member']}"
        assert client.call("PUT", self.member).status == 204
        self.token = client.log_in("anna", "one", "project:work")
        self.path = f"/v3/users/{self.anna}/application_credentials"

    def credential(self, **values: Any) -> dict[str, Any]:
        body = {"application_credential": {"name": self.client.name("credential"), **values}}
        answer = self.client.call("POST", self.path, body, self.token)
        assert answer.status == 201, answer.text
        found: dict[str, Any] = answer.json["application_credential"]
        return found

    def use(self, credential: dict[str, Any], **more: Any) -> Any:
        shown = {"id": credential["id"], "secret": credential["secret"]}
        auth = {"identity": {"methods": ["application_credential"], "application_credential": shown}, **more}
        return self.client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="")

    def trust(self, **values: Any) -> Any:
        trust = {
            "trustor_user_id": self.anna,
            "trustee_user_id": self.bert,
            "project_id": self.project,
            "impersonation": False,
            "roles": [{"name": "member"}],
            **values,
        }
        return self.client.call("POST", "/v3/OS-TRUST/trusts", {"trust": trust}, self.token)

    def take(self, trust_id: str) -> Any:
        auth = password_auth("bert", "two", f"trust:{trust_id}")
        return self.client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="")


@pytest.fixture
def pair(client: Client) -> Pair:
    return Pair(client)


def test_a_credential_shows_its_secret_once_and_makes_tokens(client: Client, pair: Pair) -> None:
    made = pair.credential()
    assert {role["name"] for role in made["roles"]} == {"member", "reader"}
    assert (made["project_id"], made["unrestricted"], made["expires_at"]) == (pair.project, False, None)
    shown = client.call("GET", f"{pair.path}/{made['id']}", token=pair.token)
    assert "secret" not in shown.text and "hash" not in shown.text
    answer = pair.use(made)
    assert answer.status == 201
    token = answer.json["token"]
    assert token["methods"] == ["application_credential"]
    assert token["application_credential"] == {"id": made["id"], "name": made["name"], "restricted": True}
    assert token["project"]["id"] == pair.project


def test_a_credential_is_found_by_name_and_user(client: Client, pair: Pair) -> None:
    pair.credential(name="robot", secret="s3cret")

    def use(**values: Any) -> int:
        shown = {"name": "robot", "secret": "s3cret", "user": {"name": "anna", "domain": {"id": "default"}}, **values}
        auth = {"identity": {"methods": ["application_credential"], "application_credential": shown}}
        return client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="").status

    assert use() == 201
    assert use(secret="wrong") == 401
    assert use(user={"name": "bert", "domain": {"id": "default"}}) == 401
    assert use(name="other") == 401


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"name": ""}, 400),
        ({"roles": [{"name": "admin"}]}, 400),
        ({"roles": [{"name": "nothing"}]}, 404),
        ({"roles": [{"name": "reader"}]}, 201),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 400),
        ({"expires_at": "tomorrow"}, 400),
        ({"access_rules": [{"path": "/v3/users", "method": "EAT", "service": "identity"}]}, 400),
        ({"access_rules": [{"path": "/v3/users"}]}, 400),
        ({"access_rules": [{"id": "unknown"}]}, 404),
        ({"expires_at": "2999-01-01T00:00:00+02:00"}, 400),
        ({"expires_at": "2999-01-01"}, 400),
        ({"expires_at": "2999-01-01T00:00"}, 201),
        ({"expires_at": "2999-W01-1T00:00:00"}, 400),
        ({"expires_at": "29990101T000000Z"}, 201),
        ({"color": "red"}, 400),
        ({"roles": [{"name": "reader"}, {"name": "reader"}]}, 409),
        ({"access_rules": [{"path": "/", "method": "GET", "service": "image"}] * 2}, 409),
        ({"access_rules": [{"id": "new", "path": "/", "method": "GET", "service": "image"}]}, 201),
        ({"access_rules": [{"path": "/", "method": "GET", "service": "image", "color": "red"}]}, 201),
        ({"roles": [{"id": "x", "name": "reader"}]}, 400),
        ({"roles": [{"name": "reader", "color": "red"}]}, 400),
        ({"roles": [{}]}, 400),
        ({"access_rules": [{"path": "/" + "a" * 127, "method": "GET", "service": "image"}]}, 201),
        ({"access_rules": [{"path": "/" + "a" * 128, "method": "GET", "service": "image"}]}, 400),
        ({"access_rules": [{"path": "/", "method": "GET", "service": "a b"}]}, 400),
    ],
)
def test_new_credentials_are_checked(client: Client, pair: Pair, values: dict[str, Any], status: int) -> None:
    body = {"application_credential": {"name": "x", **values}}
    answer = client.call("POST", pair.path, body, pair.token)
    assert answer.status == status, answer.text


def test_names_of_credentials_are_taken_per_user(client: Client, pair: Pair) -> None:
    pair.credential(name="robot")
    assert client.call("POST", pair.path, {"application_credential": {"name": "robot"}}, pair.token).status == 409
    found = client.call("GET", f"{pair.path}?name=robot", token=pair.token).json["application_credentials"]
    assert len(found) == 1


def test_a_restricted_credential_makes_no_others_and_an_unrestricted_one_does(client: Client, pair: Pair) -> None:
    body = {"application_credential": {"name": "child"}}
    for unrestricted, status in ((False, 403), (True, 201)):
        made = pair.credential(unrestricted=unrestricted)
        token = pair.use(made).headers["x-subject-token"]
        assert client.call("POST", pair.path, body, token).status == status
        assert client.call("DELETE", f"{pair.path}/{made['id']}", token=token).status == (204 if status == 201 else 403)


RULES = [
    {"path": "/v3/users/*/application_credentials", "method": "POST", "service": "identity"},
    {"path": "/v2/images", "method": "GET", "service": "image"},
]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 201),
        ({"access_rules": RULES[1:]}, 201),
        ({"access_rules": [{"path": "/**", "method": "GET", "service": "image"}]}, 403),
        ({"expires_at": "2900-01-01T00:00:00"}, 201),
        ({"expires_at": "2999-01-01T00:00:01"}, 403),
    ],
)
def test_a_credential_makes_none_that_may_more_or_lives_longer(
    client: Client, pair: Pair, asked: dict[str, Any], status: int
) -> None:
    made = pair.credential(unrestricted=True, access_rules=RULES, expires_at="2999-01-01T00:00:00")
    token = pair.use(made).headers["x-subject-token"]
    answer = client.call("POST", pair.path, {"application_credential": {"name": "child", **asked}}, token)
    assert answer.status == status, answer.text
    if status == 201:
        child = answer.json["application_credential"]
        assert [rule["path"] for rule in child["access_rules"]] == [
            rule["path"] for rule in asked.get("access_rules", made["access_rules"])
        ]
        assert child["expires_at"] <= made["expires_at"]


def test_a_credential_can_ask_for_no_scope(client: Client, pair: Pair) -> None:
    made = pair.credential()
    assert pair.use(made, scope={"project": {"id": pair.project}}).status == 401
    token = pair.use(made).headers["x-subject-token"]
    auth: dict[str, Any] = {"identity": {"methods": ["token"], "token": {"id": token}}}
    assert client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="").status == 403
    auth["scope"] = {"system": {"all": True}}
    assert client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="").status == 403


def test_a_credential_ends_with_its_time_its_roles_its_user_and_itself(client: Client, pair: Pair) -> None:
    short = pair.credential(expires_at="2999-01-01T00:00:00.123456")
    assert short["expires_at"] == "2999-01-01T00:00:00.123456"
    made = pair.credential()
    token = pair.use(made).headers["x-subject-token"]
    client.call("DELETE", pair.member)
    assert client.call("GET", "/v3/auth/projects", token=token).status == 401
    assert pair.use(made).status == 401
    client.call("PUT", pair.member)
    assert pair.use(made).status == 201
    assert client.call("DELETE", f"{pair.path}/{made['id']}").status == 204
    assert pair.use(made).status == 401


def test_a_token_ends_with_its_credential(client: Client, pair: Pair) -> None:
    soon = client.time() + 600 * 1_000_000
    made = client.identity.application_credentials.create(
        client.identity.tokens.validate(pair.token), {"name": "x"}, soon
    )
    token = pair.use({"id": made[0].id, "secret": made[1]}).headers["x-subject-token"]
    assert client.identity.tokens.validate(token).expires_at <= soon
    client.time.pass_seconds(601)
    assert client.call("GET", "/v3/auth/projects", token=token).status == 401


def test_access_rules_narrow_what_a_token_is_good_for(client: Client, pair: Pair) -> None:
    rules = [
        {"path": "/v3/auth/*", "method": "GET", "service": "identity"},
        {"path": "/v2/images/**", "method": "GET", "service": "image"},
    ]
    made = pair.credential(access_rules=rules)
    token = pair.use(made).headers["x-subject-token"]
    assert client.call("GET", "/v3/auth/projects", token=token).status == 200
    assert client.call("GET", f"/v3/users/{pair.anna}", token=token).status == 401
    assert client.identity.validate(token, "GET", "/v2/images/x/file").user_id == pair.anna
    subject = {"X-Subject-Token": token}
    assert client.call("GET", "/v3/auth/tokens", headers=subject).status == 404
    knowing = {**subject, "OpenStack-Identity-Access-Rules": "1.0"}
    shown = client.call("GET", "/v3/auth/tokens", headers=knowing).json["token"]["application_credential"]
    assert {rule["path"] for rule in shown["access_rules"]} == {"/v3/auth/*", "/v2/images/**"}


def test_access_rules_are_shared_listed_and_deleted_when_free(client: Client, pair: Pair) -> None:
    rule = {"path": "/v2/images", "method": "GET", "service": "image"}
    first, second = pair.credential(access_rules=[rule]), pair.credential(access_rules=[rule])
    assert first["access_rules"] == second["access_rules"]
    rule_id = first["access_rules"][0]["id"]
    third = pair.credential(access_rules=[{"id": rule_id}])
    path = f"/v3/users/{pair.anna}/access_rules"
    assert [one["id"] for one in client.call("GET", path, token=pair.token).json["access_rules"]] == [rule_id]
    assert client.call("GET", f"{path}/{rule_id}", token=pair.token).json["access_rule"]["path"] == "/v2/images"
    assert client.call("DELETE", f"{path}/{rule_id}", token=pair.token).status == 403
    for made in (first, second, third):
        client.call("DELETE", f"{pair.path}/{made['id']}", token=pair.token)
    assert client.call("DELETE", f"{path}/{rule_id}", token=pair.token).status == 204
    assert client.call("GET", f"{path}/{rule_id}", token=pair.token).status == 404


def test_nobody_reaches_credentials_through_their_own_path(client: Client, pair: Pair) -> None:
    made = pair.credential()
    bert = client.log_in("bert", "two", "unscoped")
    path = f"/v3/users/{pair.bert}/application_credentials/{made['id']}"
    assert client.call("GET", path, token=bert).status == 403
    assert client.call("DELETE", path, token=bert).status == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v3/OS-TRUST/trusts", {"trust": {}}),
        ("/v3/users/x/application_credentials", {"application_credential": {"name": "x"}}),
    ],
)
def test_nothing_stands_beside_what_is_made(client: Client, path: str, body: dict[str, Any]) -> None:
    answer = client.call("POST", path, {**body, "color": "red"})
    assert answer.status == 400
    assert "'color' was unexpected" in answer.json["error"]["message"]


@pytest.mark.parametrize("kind", ["users", "groups", "projects", "domains"])
@pytest.mark.parametrize("query", ["marker=none", "limit=1&marker=none"])
def test_a_page_after_what_does_not_exist_is_not_found(client: Client, kind: str, query: str) -> None:
    answer = client.call("GET", f"/v3/{kind}?{query}")
    assert (answer.status, answer.json["error"]["message"]) == (404, "Marker none could not be found.")


# -- trusts


@pytest.mark.parametrize(("impersonation", "acts"), [(True, "anna"), (False, "bert")])
def test_a_trustee_acts_on_the_trustors_project(client: Client, pair: Pair, impersonation: bool, acts: str) -> None:
    trust = pair.trust(impersonation=impersonation)
    assert trust.status == 201, trust.text
    trust_id = trust.json["trust"]["id"]
    answer = pair.take(trust_id)
    assert answer.status == 201, answer.text
    token = answer.json["token"]
    assert token["user"]["name"] == acts
    assert token["OS-TRUST:trust"] == {
        "id": trust_id,
        "impersonation": impersonation,
        "trustor_user": {"id": pair.anna},
        "trustee_user": {"id": pair.bert},
    }
    assert {role["name"] for role in token["roles"]} == {"member", "reader"}
    assert token["project"]["id"] == pair.project


def test_a_trust_is_shown_listed_and_ended(client: Client, pair: Pair) -> None:
    trust = pair.trust(expires_at="2999-01-01T00:00:00Z").json["trust"]
    assert trust["expires_at"] == "2999-01-01T00:00:00.000000Z"
    assert [role["name"] for role in trust["roles"]] == ["member"]
    path = f"/v3/OS-TRUST/trusts/{trust['id']}"
    assert client.call("GET", path, token=pair.token).json["trust"] == trust
    (row,) = client.call("GET", f"/v3/OS-TRUST/trusts?trustor_user_id={pair.anna}", token=pair.token).json["trusts"]
    assert "roles" not in row
    assert row["redelegated_trust_id"] is None
    assert client.call("GET", "/v3/OS-TRUST/trusts", token=pair.token).status == 403
    mine = f"/v3/OS-TRUST/trusts?trustor_user_id={pair.anna}"
    for trustee, count in ((pair.bert, 1), ("somebody", 0)):
        both = client.call("GET", f"{mine}&trustee_user_id={trustee}", token=pair.token)
        assert (both.status, len(both.json["trusts"])) == (200, count)
    bert = client.log_in("bert", "two", "unscoped")
    assert client.call("GET", f"{mine}&trustee_user_id={pair.bert}", token=bert).status == 403
    assert client.call("GET", f"{path}/roles", token=pair.token).json["roles"][0]["name"] == "member"
    assert client.call("HEAD", f"{path}/roles/{pair.roles['member']}", token=pair.token).status == 200
    assert client.call("GET", f"{path}/roles/{pair.roles['admin']}", token=pair.token).status == 404
    token = pair.take(trust["id"]).headers["x-subject-token"]
    bert = client.log_in("bert", "two", "unscoped")
    assert client.call("DELETE", path, token=bert).status == 403
    assert client.call("DELETE", path, token=pair.token).status == 204
    assert client.call("GET", "/v3/auth/projects", token=token).status == 401
    assert client.call("GET", path, token=pair.token).status == 404
    assert pair.take(trust["id"]).status == 401


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"roles": []}, 403),
        ({"roles": [{"name": "admin"}]}, 404),
        ({"trustee_user_id": "nobody"}, 404),
        ({"trustor_user_id": "someone-else"}, 403),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 400),
        ({"expires_at": "junk"}, 400),
        ({"remaining_uses": 0}, 400),
        ({"remaining_uses": "2"}, 400),
        ({"impersonation": None}, 400),
        ({"allow_redelegation": True, "redelegation_count": 4}, 403),
        ({"allow_redelegation": True, "remaining_uses": 1}, 400),
        ({"redelegated_trust_id": None}, 201),
        ({"roles": [{"name": "member"}, {"name": "member"}]}, 409),
        ({"redelegated_trust_id": "none"}, 404),
        ({"redelegated_trust_id": 5}, 400),
        ({"expires_at": "2999-01-01T00:00:00+02:00"}, 400),
        ({"roles": [{"id": "x", "name": "member"}]}, 400),
    ],
)
def test_new_trusts_are_checked(pair: Pair, values: dict[str, Any], status: int) -> None:
    answer = pair.trust(**values)
    assert answer.status == status, answer.text


def test_two_trusts_for_the_same_end_at_different_times(pair: Pair) -> None:
    ends = ["2999-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2999-01-01T00:00:01Z", None, None]
    assert [pair.trust(expires_at=end).status for end in ends] == [201, 409, 201, 201, 201]
    assert pair.trust(expires_at=ends[0], impersonation=True).status == 201


def test_a_trust_keeps_what_the_trustor_invents(client: Client, pair: Pair) -> None:
    trust = pair.trust(color="red", deleted_at="x", id="x").json["trust"]
    assert (trust["color"], trust["deleted_at"]) == ("red", None)
    assert client.call("GET", f"/v3/OS-TRUST/trusts/{trust['id']}", token=pair.token).json["trust"] == trust


def test_a_trust_is_used_up(client: Client, pair: Pair) -> None:
    trust_id = pair.trust(remaining_uses=2).json["trust"]["id"]
    presenter = [pair.take(trust_id) for _ in range(3)]
    assert [answer.status for answer in presenter] == [201, 201, 401]
    assert client.call("GET", "/v3/auth/projects", token=presenter[1].headers["x-subject-token"]).status == 200


def test_only_the_trustee_takes_a_trust_and_makes_nothing_else_of_it(client: Client, pair: Pair) -> None:
    trust_id = pair.trust(impersonation=True).json["trust"]["id"]
    auth = password_auth("anna", "one", f"trust:{trust_id}")
    assert client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="").status == 403
    token = pair.take(trust_id).headers["x-subject-token"]
    again = {"identity": {"methods": ["token"], "token": {"id": token}}}
    assert client.call("POST", "/v3/auth/tokens", {"auth": again}, token="").status == 403
    body = {"application_credential": {"name": "x"}}
    assert client.call("POST", pair.path, body, token).status == 403


def test_a_trust_ends_with_the_trustors_role(client: Client, pair: Pair) -> None:
    trust_id = pair.trust().json["trust"]["id"]
    token = pair.take(trust_id).headers["x-subject-token"]
    client.call("DELETE", pair.member)
    assert client.call("GET", "/v3/auth/projects", token=token).status == 401
    assert pair.take(trust_id).status == 403
    client.call("PUT", pair.member)
    assert client.call("PATCH", f"/v3/users/{pair.anna}", {"user": {"enabled": False}}).status == 200
    assert pair.take(trust_id).status == 403


def test_a_trust_is_handed_on_within_its_bounds(client: Client, pair: Pair) -> None:
    carl = client.create("user", {"name": "carl", "password": "three"})["id"]
    first = pair.trust(impersonation=True, allow_redelegation=True, redelegation_count=1).json["trust"]["id"]
    pair.token = pair.take(first).headers["x-subject-token"]
    assert pair.trust(trustee_user_id=carl, roles=[{"name": "reader"}]).status == 403
    second = pair.trust(trustee_user_id=carl)
    assert second.status == 201, second.text
    assert second.json["trust"]["redelegated_trust_id"] == first
    auth = password_auth("carl", "three", f"trust:{second.json['trust']['id']}")
    answer = client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="")
    assert answer.status == 201, answer.text
    client.call("DELETE", f"/v3/OS-TRUST/trusts/{first}")
    assert client.call("GET", "/v3/auth/projects", token=answer.headers["x-subject-token"]).status == 401
