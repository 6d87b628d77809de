"""Tokens of an identity provider that are not good: forged, of others, for others, too old, or no tokens at all."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.api.identity_v3.federation.openid_tokens import AUDIENCE, ISSUER, Issuer
from tests.api.identity_v3.federation.world import AUTH, World, text_of

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


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _signed(header: dict[str, Any], claims: dict[str, Any], key: Any) -> str:
    """By RS256, whatever the header says."""
    signing = f"{_part({name: value for name, value in header.items() if value is not None})}.{_part(claims)}"
    signature = jwt.get_algorithm_by_name("RS256").sign(signing.encode(), key)
    return f"{signing}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
