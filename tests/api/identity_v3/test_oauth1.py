"""OAuth 1.0a, from a consumer's wish to its access and the end of it. oauthlib signs, as Keystone's clients do.

The codes are Keystone 29's, but for those that the comments name.
"""

import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import pytest
from oauthlib import oauth1

from tests.api.identity_v3.client import Answer, Client

BASE = "http://cloud.example:5000"
REQUEST, ACCESS, TOKENS = "/v3/OS-OAUTH1/request_token", "/v3/OS-OAUTH1/access_token", "/v3/auth/tokens"
NOBODY = "0" * 32
AUTH = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}

Pair = dict[str, str]


@pytest.fixture(autouse=True)
def quiet() -> None:
    """oauthlib logs what it signs."""
    logging.getLogger("oauthlib").setLevel(logging.WARNING)


@dataclass
class Consumer:
    """A consumer, and the admin who authorizes it on the project admin."""

    client: Client
    id: str
    secret: str
    user_id: str
    project_id: str

    def signed(self, path: str, pair: Pair | None = None, **more: Any) -> dict[str, str]:
        """The header of a request that is signed with the consumer's secret, and that of a token if it has one."""
        given = {
            "client_secret": self.secret,
            "resource_owner_key": pair and pair["oauth_token"],
            "resource_owner_secret": pair and pair["oauth_token_secret"],
        }
        signer = oauth1.Client(more.pop("client_key", self.id), **{**given, **more})
        _, headers, _ = signer.sign(BASE + path, http_method="POST")
        return {"Authorization": headers["Authorization"]}

    def ask(self, project_id: str | None = None, **more: Any) -> Answer:
        """For a request token."""
        headers = self.signed(REQUEST, **{"callback_uri": "oob", **more})
        headers["Requested-Project-Id"] = self.project_id if project_id is None else project_id
        return self.client.call("POST", REQUEST, token="", headers=headers)

    def asked(self) -> Pair:
        return pair_of(self.ask())

    def authorize(self, pair: Pair, *roles: Any, token: str | None = None) -> Answer:
        path = f"/v3/OS-OAUTH1/authorize/{pair['oauth_token']}"
        return self.client.call("PUT", path, {"roles": list(roles) or [{"name": "member"}]}, token=token)

    def verified(self, pair: Pair, *roles: Any) -> str:
        answer = self.authorize(pair, *roles)
        assert answer.status == 200, answer.text
        verifier: str = answer.json["token"]["oauth_verifier"]
        return verifier

    def exchange(self, pair: Pair, verifier: str | None, **more: Any) -> Answer:
        headers = self.signed(ACCESS, pair, **{"verifier": verifier, **more})
        return self.client.call("POST", ACCESS, token="", headers=headers)

    def granted(self, *roles: Any) -> Pair:
        pair = self.asked()
        return pair_of(self.exchange(pair, self.verified(pair, *roles)))

    def log_in(self, pair: Pair, scope: Any = None, **more: Any) -> Answer:
        body = AUTH if scope is None else {"auth": {**AUTH["auth"], "scope": scope}}
        return self.client.call("POST", TOKENS, body, token="", headers=self.signed(TOKENS, pair, **more))

    def path(self, pair: Pair, user_id: str | None = None) -> str:
        return f"/v3/users/{user_id or self.user_id}/OS-OAUTH1/access_tokens/{pair['oauth_token']}"


def pair_of(answer: Answer) -> Pair:
    assert answer.status == 201, answer.text
    assert answer.headers["content-type"] == "application/x-www-form-urlencoded"
    return dict(parse_qsl(answer.text))


@pytest.fixture
def consumer(client: Client) -> Consumer:
    made = client.create("consumer", {"description": "a robot"}, "/v3/OS-OAUTH1/consumers")
    user = client.call("GET", "/v3/users?name=admin").json["users"][0]["id"]
    project = client.call("GET", "/v3/projects?name=admin").json["projects"][0]["id"]
    return Consumer(client, made["id"], made["secret"], user, project)


def role_id(client: Client, name: str) -> str:
    found: str = client.call("GET", f"/v3/roles?name={name}").json["roles"][0]["id"]
    return found


# -- the way ---------------------------------------------------------------------------------------------------------


def test_a_consumer_gets_access_with_the_roles_that_were_authorized(client: Client, consumer: Consumer) -> None:
    pair = consumer.granted({"id": role_id(client, "member")}, {"name": "reader"})
    assert set(pair) == {"oauth_token", "oauth_token_secret", "oauth_expires_at"}
    answer = consumer.log_in(pair)
    assert answer.status == 201, answer.text
    token = answer.json["token"]
    assert token["methods"] == ["oauth1"]
    assert token["OS-OAUTH1"] == {"access_token_id": pair["oauth_token"], "consumer_id": consumer.id}
    assert {role["name"] for role in token["roles"]} == {"member", "reader"}
    assert (token["project"]["id"], token["user"]["id"]) == (consumer.project_id, consumer.user_id)


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512"])
def test_signatures_may_use_these_hashes(consumer: Consumer, method: str) -> None:
    assert consumer.ask(signature_method=method).status == 201


def test_the_scope_is_that_of_the_access_token_whatever_is_asked_for(consumer: Consumer) -> None:
    answer = consumer.log_in(consumer.granted(), {"system": {"all": True}})
    assert answer.json["token"]["project"]["id"] == consumer.project_id


def test_a_query_is_signed_with_the_rest(client: Client, consumer: Consumer) -> None:
    pair = consumer.granted()
    path = f"{TOKENS}?nocatalog"
    assert client.call("POST", path, AUTH, token="", headers=consumer.signed(path, pair)).status == 201
    assert client.call("POST", path, AUTH, token="", headers=consumer.signed(TOKENS, pair)).status == 401


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"client_secret": "wrong"}, 401),
        # Keystone: 404, to whoever asks.
        ({"client_key": NOBODY}, 401),
        ({"client_key": "odd"}, 400),
        ({"callback_uri": None}, 400),
        ({"timestamp": "1000000000"}, 400),
        # Keystone takes it: it is the secrets themselves.
        ({"signature_method": "PLAINTEXT"}, 400),
        ({"project_id": ""}, 400),
        ({"project_id": NOBODY}, 404),
        # Keystone: 404. Which projects there are is told to consumers alone.
        ({"project_id": NOBODY, "client_secret": "wrong"}, 401),
    ],
)
def test_a_wish_that_is_refused(consumer: Consumer, more: dict[str, Any], status: int) -> None:
    assert consumer.ask(**more).status == status


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "OAuth"}])
@pytest.mark.parametrize("path", [REQUEST, ACCESS, TOKENS])
def test_without_a_header_of_oauth_it_is_no_request(client: Client, path: str, header: dict[str, str]) -> None:
    """Keystone says 500, or nothing at all."""
    answer = client.call("POST", path, AUTH, token="", headers={"Requested-Project-Id": NOBODY, **header})
    assert answer.status == 400


def test_a_signed_request_is_good_once(client: Client, consumer: Consumer) -> None:
    """Keystone takes it again for as long as it is young."""
    pair = consumer.granted()
    headers = consumer.signed(TOKENS, pair)
    statuses = [client.call("POST", TOKENS, AUTH, token="", headers=headers).status for _ in range(2)]
    assert statuses == [201, 401]


AUTHORIZED: list[tuple[Any, int]] = [
    ([{"name": "member"}], 200),
    ([{"id": "{member}"}, {"name": "reader"}], 200),
    ([{"id": NOBODY}], 401),
    ([{"name": "nonesuch"}], 404),
    ([{"name": "service"}], 401),
    ([{"id": "a", "name": "b"}], 400),
    ([{}], 400),
    (["member"], 400),
    ("member", 400),
]


@pytest.mark.parametrize(("roles", "status"), AUTHORIZED)
def test_what_may_be_authorized(client: Client, consumer: Consumer, roles: Any, status: int) -> None:
    path = f"/v3/OS-OAUTH1/authorize/{consumer.asked()['oauth_token']}"
    if status == 200 and "id" in roles[0]:
        roles = [{"id": role_id(client, "member")}, *roles[1:]]
    assert client.call("PUT", path, {"roles": roles}).status == status


def test_a_request_token_that_is_not_there_is_not_found(client: Client, consumer: Consumer) -> None:
    pair = {"oauth_token": NOBODY, "oauth_token_secret": "x"}
    assert consumer.authorize(pair).status == 404
    assert consumer.exchange(pair, "abcdefgh").status == 404


def test_a_delegated_token_authorizes_nothing(client: Client, consumer: Consumer) -> None:
    pair = consumer.granted({"name": "admin"})
    delegated = consumer.log_in(pair).headers["x-subject-token"]
    assert consumer.authorize(consumer.asked(), token=delegated).status == 403


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"verifier": "abcdefgh"}, 401),
        ({"verifier": None}, 400),
        ({"resource_owner_secret": "wrong"}, 401),
        ({"client_secret": "wrong"}, 401),
        ({"client_key": NOBODY}, 401),
    ],
)
def test_an_exchange_that_is_refused(consumer: Consumer, more: dict[str, Any], status: int) -> None:
    pair = consumer.asked()
    told = {"verifier": consumer.verified(pair), **more}
    assert consumer.exchange(pair, **told).status == status


def test_what_nobody_authorized_is_not_exchanged(consumer: Consumer) -> None:
    assert consumer.exchange(consumer.asked(), "abcdefgh").status == 401


def test_a_request_token_is_exchanged_once(consumer: Consumer) -> None:
    pair = consumer.asked()
    verifier = consumer.verified(pair)
    assert [consumer.exchange(pair, verifier).status for _ in range(2)] == [201, 404]


def test_another_consumer_can_not_use_it(client: Client, consumer: Consumer) -> None:
    made = client.create("consumer", {}, "/v3/OS-OAUTH1/consumers")
    other = Consumer(client, made["id"], made["secret"], consumer.user_id, consumer.project_id)
    pair = consumer.asked()
    assert other.exchange(pair, consumer.verified(pair)).status == 401
    assert other.log_in(consumer.granted()).status == 401


@pytest.mark.parametrize("more", [{"resource_owner_secret": "wrong"}, {"resource_owner_key": NOBODY}])
def test_a_log_in_that_is_refused(consumer: Consumer, more: dict[str, Any]) -> None:
    assert consumer.log_in(consumer.granted(), **more).status == 401


# -- how it ends -------------------------------------------------------------------------------------------------------


def test_a_token_of_it_makes_no_other(client: Client, consumer: Consumer) -> None:
    token = consumer.log_in(consumer.granted()).headers["x-subject-token"]
    body = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}}
    assert client.call("POST", TOKENS, body, token="").status == 403


def ended_by(client: Client, consumer: Consumer, pair: Pair, how: str) -> None:
    """Take the access away."""
    if how == "revocation":
        assert client.call("DELETE", consumer.path(pair)).status == 204
    else:
        assert client.call("DELETE", f"/v3/OS-OAUTH1/consumers/{consumer.id}").status == 204


@pytest.mark.parametrize("how", ["revocation", "the end of the consumer"])
def test_access_ends_with_the_tokens_made_by_it(client: Client, consumer: Consumer, how: str) -> None:
    pair = consumer.granted()
    token = consumer.log_in(pair).headers["x-subject-token"]
    assert client.call("GET", TOKENS, headers={"X-Subject-Token": token}).status == 200
    ended_by(client, consumer, pair, how)
    assert client.call("GET", TOKENS, headers={"X-Subject-Token": token}).status == 404
    assert consumer.log_in(pair).status == 401


def test_a_role_that_the_user_loses_is_lost_to_the_consumer(client: Client, consumer: Consumer) -> None:
    """Keystone lets the consumer keep it."""
    role = client.create("role", {"name": client.name("role")})["id"]
    grant = f"/v3/projects/{consumer.project_id}/users/{consumer.user_id}/roles/{role}"
    assert client.call("PUT", grant).status == 204
    pair = consumer.granted({"id": role})
    assert consumer.log_in(pair).status == 201
    assert client.call("DELETE", grant).status == 204
    assert consumer.log_in(pair).status == 401


def test_secrets_are_not_kept_as_they_are(client: Client, consumer: Consumer) -> None:
    pair = consumer.granted()
    kept = client.identity.oauth_tokens.access(pair["oauth_token"])
    assert pair["oauth_token_secret"] not in str(kept)


# -- what is shown of it -----------------------------------------------------------------------------------------------


def test_access_tokens_are_shown_without_their_secrets(client: Client, consumer: Consumer) -> None:
    pair = consumer.granted()
    shown = client.call("GET", consumer.path(pair)).json["access_token"]
    url = f"{BASE}{consumer.path(pair)}"
    assert shown == {
        "id": pair["oauth_token"],
        "consumer_id": consumer.id,
        "project_id": consumer.project_id,
        "authorizing_user_id": consumer.user_id,
        "expires_at": pair["oauth_expires_at"],
        "links": {"self": url, "roles": f"{url}/roles"},
    }
    listed = client.call("GET", f"/v3/users/{consumer.user_id}/OS-OAUTH1/access_tokens").json["access_tokens"]
    assert shown in listed


def test_its_roles_are_shown(client: Client, consumer: Consumer) -> None:
    path = consumer.path(consumer.granted())
    member = role_id(client, "member")
    assert [role["name"] for role in client.call("GET", f"{path}/roles").json["roles"]] == ["member"]
    assert client.call("GET", f"{path}/roles/{member}").json["role"]["name"] == "member"
    assert client.call("GET", f"{path}/roles/{role_id(client, 'admin')}").status == 404


@pytest.mark.parametrize(("method", "more", "status"), [("GET", "", 404), ("GET", "/roles", 404), ("DELETE", "", 401)])
def test_another_users_token_is_not_theirs(
    client: Client, consumer: Consumer, method: str, more: str, status: int
) -> None:
    path = consumer.path(consumer.granted(), NOBODY)
    assert client.call(method, path + more).status == status
