"""OpenID providers: what the settings may say of one, and where its keys come from, and when."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import Unauthenticated, Unavailable, WrongUsage
from appliance.identity.federation.openid import OpenIdProviders, RemoteKeys, assertion_of, parse
from tests.api.identity_v3.federation.openid_tokens import AUDIENCE, ISSUER, Issuer

KEYS_AT = f"{ISSUER}/certs"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"


class Web:
    """What is fetched, and how often; a document that is missing can't be."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.asked: list[tuple[str, str]] = []
        self.documents: dict[str, Any] = {DISCOVERY: {"issuer": ISSUER, "jwks_uri": KEYS_AT}}
        self.down = False

    def __call__(self, address: str, trusted: str) -> bytes:
        self.asked.append((address, trusted))
        if self.down:
            raise Unavailable("The network is down.")
        if address == KEYS_AT:
            return self.issuer.keys.read_bytes()
        return json.dumps(self.documents[address]).encode()


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(Issuer(tmp_path / "keys.json"))


def providers(web: Web, *more: str) -> OpenIdProviders:
    options = [f"corp:issuer={ISSUER}", f"corp:audience={AUDIENCE}", *(f"corp:{option}" for option in more)]
    return OpenIdProviders(parse(options), web)


def test_keys_are_found_through_the_issuer(web: Web) -> None:
    assert providers(web).verify("corp", web.issuer.token())["sub"] == "248289761001"
    assert web.asked == [(DISCOVERY, ISSUER), (KEYS_AT, ISSUER)]


def test_keys_at_an_address_that_is_named_are_fetched_from_there(web: Web) -> None:
    providers(web, f"keys={KEYS_AT}").verify("corp", web.issuer.token())
    assert web.asked == [(KEYS_AT, KEYS_AT)]


def test_keys_are_fetched_once_for_many_tokens(web: Web) -> None:
    checked = providers(web, f"keys={KEYS_AT}")
    for _ in range(5):
        checked.verify("corp", web.issuer.token())
    assert len(web.asked) == 1


def test_a_new_key_is_fetched_when_a_token_names_it(web: Web) -> None:
    checked = providers(web, f"keys={KEYS_AT}")
    checked.verify("corp", web.issuer.token())
    web.issuer.rotate("next")
    checked.verify("corp", web.issuer.token("next"))
    assert len(web.asked) == 2


def test_keys_that_nobody_has_do_not_make_it_fetch_again_and_again(web: Web) -> None:
    checked = providers(web, f"keys={KEYS_AT}")
    for number in range(20):
        with pytest.raises(Unauthenticated):
            checked.verify("corp", web.issuer.token(headers={"kid": f"unknown-{number}"}))
    assert len(web.asked) <= 2


def test_a_provider_that_is_down_is_asked_once_in_a_while(web: Web) -> None:
    web.down = True
    checked = providers(web, f"keys={KEYS_AT}")
    for _ in range(20):
        with pytest.raises(Unavailable):
            checked.verify("corp", web.issuer.token())
    assert len(web.asked) == 1


def test_known_keys_are_good_while_the_provider_is_down(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RemoteKeys, "LIFESPAN", 0.01)
    checked = providers(web, f"keys={KEYS_AT}")
    checked.verify("corp", web.issuer.token())
    web.down = True
    time.sleep(0.02)
    assert checked.verify("corp", web.issuer.token())["sub"] == "248289761001"
    assert len(web.asked) == 2


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example", "jwks_uri": KEYS_AT},
        {"issuer": ISSUER},
        {"jwks_uri": KEYS_AT},
        [],
    ],
    ids=str,
)
def test_a_discovery_document_that_is_none_is_not_used(web: Web, document: Any) -> None:
    web.documents[DISCOVERY] = document
    with pytest.raises(Unavailable):
        providers(web).verify("corp", web.issuer.token())


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": "x"}, [], "x"], ids=str)
def test_what_is_no_set_of_keys_is_not_used(web: Web, keys: Any) -> None:
    web.documents["https://sso.example/keys"] = keys
    with pytest.raises((Unavailable, Unauthenticated)):
        providers(web, "keys=https://sso.example/keys").verify("corp", web.issuer.token())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["corp"], "idp:option=value"),
        (["corp:issuer"], "idp:option=value"),
        (["corp:color=red"], "idp:option=value"),
        (["corp:issuer=https://a.example"], "no audience"),
        (["corp:audience=a"], "no issuer"),
        (["corp:issuer=http://a.example", "corp:audience=a"], "https://"),
        (["corp:issuer=ftp://127.0.0.1", "corp:audience=a"], "https://"),
        (["corp:issuer=https://a.example", "corp:audience=a", "corp:keys=http://a.example/keys"], "https://"),
        (["corp:issuer=https://a.example", "corp:audience=a", "corp:algorithms=HS256"], "algorithms"),
        (["corp:issuer=https://a.example", "corp:audience=a", "corp:algorithms=RS256 none"], "algorithms"),
        (["corp:issuer=https://a.example", "corp:audience=a", "corp:algorithms="], "algorithms"),
        (["corp:issuer=https://a.example", "corp:audience=a", "corp:leeway=3600"], "leeway"),
    ],
)
def test_options_that_make_no_sense_are_refused_at_the_start(options: list[str], reason: str) -> None:
    with pytest.raises(WrongUsage, match=reason):
        parse(options)


def test_a_file_without_keys_is_refused_at_the_start(web: Web, tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text("{}")
    for name in ("empty.json", "missing.json"):
        with pytest.raises(WrongUsage, match="has no keys"):
            providers(web, f"keys={tmp_path / name}")


def test_a_file_that_breaks_leaves_the_keys_that_it_had(web: Web) -> None:
    checked = providers(web, f"keys={web.issuer.keys}")
    web.issuer.keys.write_text("{")
    assert checked.verify("corp", web.issuer.token())["sub"] == "248289761001"


def test_an_issuer_on_this_host_may_be_without_tls(web: Web) -> None:
    assert parse(["corp:issuer=http://127.0.0.1:8080", "corp:audience=a b"])["corp"].audience == ("a", "b")


def test_claims_become_the_values_of_attributes() -> None:
    claims = {"sub": "1", "email_verified": True, "age": 7, "groups": ["a", None, "b"], "none": None}
    said = assertion_of({**claims, "realm_access": {"roles": ["x"]}})
    assert said["sub"] == said["OIDC-sub"] == said["HTTP_OIDC_SUB"] == ["1"]
    assert (said["email_verified"], said["age"], said["groups"], said["none"]) == (["1"], ["7"], ["a", "b"], [])
    assert said["realm_access.roles"] == ["x"]
    assert said["HTTP_OIDC_REALM_ACCESS_ROLES"] == ["x"]
    assert json.loads(said["realm_access"][0]) == {"roles": ["x"]}


def test_no_claim_hides_another() -> None:
    said = assertion_of(
        {"a-b": "minus", "a_b": "score", "OIDC-sub": "evil", "sub": "1", "x": {"y": "in"}, "x.y": "out"}
    )
    assert said["OIDC-sub"] == ["1"]
    assert (said["HTTP_OIDC_A_B"], said["sub"], said["x.y"]) == (["score"], ["1"], ["out"])
