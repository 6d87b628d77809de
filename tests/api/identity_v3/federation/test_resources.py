"""What is registered of a federation: identity providers, mappings, protocols, service providers."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client
from tests.api.identity_v3.scenarios import Scenario, play

FEDERATION = "/v3/OS-FEDERATION"
PROVIDERS = f"{FEDERATION}/identity_providers"
MAPPINGS = f"{FEDERATION}/mappings"
PROTOCOLS = f"{PROVIDERS}/corp/protocols"
SERVICES = f"{FEDERATION}/service_providers"
RULES = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "preferred_username"}]}]


def provider(**values: Any) -> dict[str, Any]:
    return {"identity_provider": values}


def mapping(**values: Any) -> dict[str, Any]:
    return {"mapping": values}


def ruled(local: Any, *remote: Any, version: str = "1.0") -> dict[str, Any]:
    return mapping(rules=[{"local": [local], "remote": list(remote) or [{"type": "sub"}]}], schema_version=version)


def protocol(**values: Any) -> dict[str, Any]:
    return {"protocol": values}


def service(**values: Any) -> dict[str, Any]:
    return {"service_provider": {"auth_url": "https://b.example/v3", "sp_url": "https://b.example/saml", **values}}


PROJECT = {"name": "{0}", "roles": [{"name": "member"}]}

SCENARIOS: list[Scenario] = [
    ("GET", PROVIDERS, None, 200, '"id": "corp"', '"links"'),
    ("GET", f"{PROVIDERS}?id=corp", None, 200, '"id": "corp"'),
    ("GET", f"{PROVIDERS}?id=other", None, 200, '"identity_providers": []'),
    ("GET", f"{PROVIDERS}?enabled=false", None, 200, '"identity_providers": []'),
    ("GET", f"{PROVIDERS}/corp", None, 200, '"remote_ids": ["https://sso.example"]', f'{PROVIDERS}/corp/protocols"'),
    ("GET", f"{PROVIDERS}/none", None, 404, "Could not find Identity Provider: none."),
    ("POST", PROVIDERS, provider(), 405),
    ("PUT", f"{PROVIDERS}/new", {}, 201, '"enabled": false', '"remote_ids": []', '"authorization_ttl": null'),
    ("PUT", f"{PROVIDERS}/new", provider(domain_id="default"), 201, '"domain_id": "default"'),
    ("PUT", f"{PROVIDERS}/new", provider(domain_id="none"), 404),
    ("PUT", f"{PROVIDERS}/new", provider(remote_ids=None, description=None), 201, '"remote_ids": []'),
    ("PUT", f"{PROVIDERS}/new", provider(remote_ids=["https://sso.example"]), 409, "Duplicate remote ID"),
    ("PUT", f"{PROVIDERS}/new", provider(remote_ids=["a", "a"]), 400),
    ("PUT", f"{PROVIDERS}/new", provider(color="red"), 400),
    ("PUT", f"{PROVIDERS}/new", provider(authorization_ttl=-1), 400),
    ("PUT", f"{PROVIDERS}/corp", provider(), 409, "Duplicate entry"),
    ("PATCH", f"{PROVIDERS}/corp", provider(remote_ids=[]), 200, '"remote_ids": []', '"enabled": true'),
    ("PATCH", f"{PROVIDERS}/corp", provider(remote_ids=["b", "https://sso.example"]), 200, '["b", "https://sso.ex'),
    ("PATCH", f"{PROVIDERS}/corp", provider(authorization_ttl=5), 200, '"authorization_ttl": 5', "https://sso.example"),
    ("PATCH", f"{PROVIDERS}/corp", provider(), 400),
    ("PATCH", f"{PROVIDERS}/corp", provider(domain_id="default"), 400),
    ("PATCH", f"{PROVIDERS}/none", provider(enabled=True), 404),
    ("DELETE", f"{PROVIDERS}/corp", None, 204),
    ("DELETE", f"{PROVIDERS}/none", None, 404),
    ("GET", MAPPINGS, None, 200, '"id": "rules"', '"schema_version": "1.0"'),
    ("GET", f"{MAPPINGS}/rules", None, 200, "preferred_username", f'{MAPPINGS}/rules"'),
    ("GET", f"{MAPPINGS}/none", None, 404, "Could not find mapping: none."),
    ("PUT", f"{MAPPINGS}/rules", mapping(rules=RULES), 409),
    ("PUT", f"{MAPPINGS}/new", mapping(rules=RULES), 201, '"schema_version": "1.0"'),
    ("PUT", f"{MAPPINGS}/new", mapping(rules=RULES, schema_version="3.0"), 201, '"schema_version": "3.0"'),
    ("PUT", f"{MAPPINGS}/new", mapping(rules=RULES, schema_version="4.0"), 400),
    ("PUT", f"{MAPPINGS}/new", mapping(rules=[]), 400),
    ("PUT", f"{MAPPINGS}/new", {}, 400),
    ("PUT", f"{MAPPINGS}/new", {"mapping": []}, 400),
    ("PUT", f"{MAPPINGS}/new", ruled({"user": {"type": "local"}}), 201),
    ("PUT", f"{MAPPINGS}/new", ruled({"user": {"type": "other"}}), 400),
    ("PUT", f"{MAPPINGS}/new", ruled({"group": {"id": "g"}}), 201),
    ("PUT", f"{MAPPINGS}/new", ruled({"group": {"name": "g", "domain": {"name": "d"}}}), 201),
    ("PUT", f"{MAPPINGS}/new", ruled({"group": {"name": "g"}}), 400),
    ("PUT", f"{MAPPINGS}/new", ruled({"groups": "{0}", "domain": {"id": "d"}}), 201),
    ("PUT", f"{MAPPINGS}/new", ruled({"color": "red"}), 400),
    ("PUT", f"{MAPPINGS}/new", ruled({"projects": [PROJECT]}), 201),
    ("PUT", f"{MAPPINGS}/new", ruled({"projects": [{**PROJECT, "domain": {"id": "d"}}]}), 400),
    ("PUT", f"{MAPPINGS}/new", ruled({"projects": [{**PROJECT, "domain": {"id": "d"}}]}, version="2.0"), 201),
    ("PUT", f"{MAPPINGS}/new", ruled({"projects_json": "{0}"}, version="2.0"), 400),
    ("PUT", f"{MAPPINGS}/new", ruled({"projects_json": "{0}"}, version="3.0"), 201),
    ("PUT", f"{MAPPINGS}/new", ruled({}, {"type": "sub", "any_one_of": ["a"], "regex": True}), 201),
    ("PUT", f"{MAPPINGS}/new", ruled({}, {"type": "sub", "any_one_of": ["a"], "not_any_of": ["b"]}), 400),
    ("PUT", f"{MAPPINGS}/new", ruled({}, {"type": "sub", "whitelist": ["(a+)+"], "regex": True}), 400, "whitelist"),
    ("PUT", f"{MAPPINGS}/new", ruled({}, {"type": "sub", "blacklist": ["("], "regex": True}), 400, "blacklist"),
    ("PUT", f"{MAPPINGS}/new", ruled({}, {"type": "sub", "blacklist": [5], "regex": True}), 400, "blacklist"),
    ("PATCH", f"{MAPPINGS}/rules", ruled({"group": {"id": "g"}}, version="2.0"), 200, '"2.0"', "!preferred"),
    ("PATCH", f"{MAPPINGS}/rules", mapping(schema_version="2.0"), 400),
    ("PATCH", f"{MAPPINGS}/none", mapping(rules=RULES), 404),
    ("DELETE", f"{MAPPINGS}/rules", None, 204),
    ("DELETE", f"{MAPPINGS}/none", None, 404),
    ("GET", PROTOCOLS, None, 200, '"idp_id": "corp"', '"remote_id_attribute": "HTTP_OIDC_ISS"'),
    ("GET", f"{PROVIDERS}/none/protocols", None, 200, '"protocols": []'),
    ("GET", f"{PROTOCOLS}/openid", None, 200, '"mapping_id": "rules"', f'{PROVIDERS}/corp"', "!remote_id_attribute"),
    ("GET", f"{PROTOCOLS}/none", None, 404, "Could not find federated protocol none for Identity Provider: corp."),
    ("PUT", f"{PROTOCOLS}/saml2", protocol(mapping_id="rules"), 201, f'{PROTOCOLS}/saml2"'),
    ("PUT", f"{PROTOCOLS}/saml2", protocol(mapping_id="none"), 400, "Invalid mapping id: none"),
    ("PUT", f"{PROTOCOLS}/saml2", protocol(), 400),
    ("PUT", f"{PROTOCOLS}/openid", protocol(mapping_id="rules"), 409),
    ("PUT", f"{PROVIDERS}/none/protocols/saml2", protocol(mapping_id="rules"), 404),
    ("PATCH", f"{PROTOCOLS}/openid", protocol(mapping_id="rules", remote_id_attribute="x"), 200),
    ("PATCH", f"{PROTOCOLS}/openid", protocol(mapping_id="rules", remote_id_attribute=None), 400),
    ("PATCH", f"{PROTOCOLS}/openid", protocol(mapping_id="none"), 400),
    ("PATCH", f"{PROTOCOLS}/none", protocol(mapping_id="rules"), 404),
    ("DELETE", f"{PROTOCOLS}/openid", None, 204),
    ("DELETE", f"{PROTOCOLS}/none", None, 404),
    ("GET", SERVICES, None, 200, '"id": "beta"', '"relay_state_prefix": "ss:mem:"'),
    ("GET", f"{SERVICES}?enabled=false", None, 200, '"service_providers": []'),
    ("GET", f"{SERVICES}/beta", None, 200, '"sp_url": "https://b.example/saml"', f'{SERVICES}/beta"'),
    ("GET", f"{SERVICES}/none", None, 404, "Could not find Service Provider: none."),
    ("PUT", f"{SERVICES}/new", service(), 201, '"enabled": false'),
    ("PUT", f"{SERVICES}/new", service(relay_state_prefix=None), 201, '"ss:mem:"'),
    ("PUT", f"{SERVICES}/new", service(auth_url="nowhere"), 400),
    ("PUT", f"{SERVICES}/new", service(color="red"), 400),
    ("PUT", f"{SERVICES}/new", {"service_provider": {"auth_url": "http://b.example"}}, 400),
    ("PUT", f"{SERVICES}/beta", service(), 409),
    ("PATCH", f"{SERVICES}/beta", {"service_provider": {"enabled": False}}, 200, '"enabled": false', "/saml"),
    ("PATCH", f"{SERVICES}/beta", {"service_provider": {}}, 400),
    ("PATCH", f"{SERVICES}/none", {"service_provider": {"enabled": False}}, 404),
    ("DELETE", f"{SERVICES}/beta", None, 204),
    ("DELETE", f"{SERVICES}/none", None, 404),
]


@pytest.fixture
def registered(client: Client) -> Client:
    """A client of a service that has one of each."""
    for path, sent in (
        (f"{PROVIDERS}/corp", provider(enabled=True, remote_ids=["https://sso.example"])),
        (f"{MAPPINGS}/rules", mapping(rules=RULES)),
        (f"{PROTOCOLS}/openid", protocol(mapping_id="rules", remote_id_attribute="HTTP_OIDC_ISS")),
        (f"{SERVICES}/beta", service(enabled=True)),
    ):
        assert client.call("PUT", path, sent).status == 201
    return client


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda row: f"{row[0]} {row[1]}")
def test_what_is_registered_answers_as_keystone(registered: Client, scenario: Scenario) -> None:
    play(registered, scenario, {})


def test_an_identity_provider_gets_a_domain_of_its_own(registered: Client) -> None:
    domain_id = registered.call("GET", f"{PROVIDERS}/corp").json["identity_provider"]["domain_id"]
    domain = registered.call("GET", f"/v3/domains/{domain_id}").json["domain"]
    assert domain["description"] == "Auto generated federated domain for Identity Provider: corp"


def test_a_conflict_leaves_no_domain_behind(registered: Client) -> None:
    before = registered.call("GET", "/v3/domains").json["domains"]
    assert registered.call("PUT", f"{PROVIDERS}/corp", provider()).status == 409
    assert registered.call("GET", "/v3/domains").json["domains"] == before


def test_identity_providers_go_with_their_domain(registered: Client) -> None:
    domain_id = registered.call("GET", f"{PROVIDERS}/corp").json["identity_provider"]["domain_id"]
    assert registered.call("PATCH", f"/v3/domains/{domain_id}", {"domain": {"enabled": False}}).status == 200
    assert registered.call("DELETE", f"/v3/domains/{domain_id}").status == 204
    assert registered.call("GET", PROVIDERS).json["identity_providers"] == []
    assert registered.call("GET", PROTOCOLS).json["protocols"] == []


def test_a_token_lists_the_service_providers_that_are_enabled(registered: Client) -> None:
    assert registered.call("PUT", f"{SERVICES}/off", service()).status == 201
    token = registered.call("GET", "/v3/auth/tokens", headers={"X-Subject-Token": registered.token or ""})
    assert token.json["token"]["service_providers"] == [
        {"id": "beta", "auth_url": "https://b.example/v3", "sp_url": "https://b.example/saml"}
    ]


def test_a_token_says_nothing_of_service_providers_without_one(client: Client) -> None:
    token = client.call("GET", "/v3/auth/tokens", headers={"X-Subject-Token": client.token or ""})
    assert "service_providers" not in token.json["token"]
