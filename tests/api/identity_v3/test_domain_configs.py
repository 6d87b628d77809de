"""Configuration of domains: all of it, a group, an option; secrets stay hidden; defaults."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client
from tests.api.identity_v3.scenarios import Scenario, play

CONFIG = "/v3/domains/{D}/config"
DEFAULTS = "/v3/domains/config"
COMPLIANCE = "/v3/domains/default/config/security_compliance"


def config(**groups: Any) -> dict[str, Any]:
    return {"config": groups}


@pytest.fixture
def names(client: Client) -> dict[str, str]:
    found = {"D": client.create("domain", {"name": "d"})["id"], "N": client.create("domain", {"name": "n"})["id"]}
    options = {"url": "ldap://x", "suffix": "s", "password": "hidden"}
    play(client, ("PUT", CONFIG, config(ldap=options, identity={"driver": "ldap"}), 201, "!hidden"), found)
    return found


SCENARIOS: list[Scenario] = [
    ("GET", CONFIG, None, 200, '"ldap://x"', '"driver": "ldap"', "!hidden"),
    ("GET", "/v3/domains/{N}/config", None, 404),
    ("GET", "/v3/domains/none/config", None, 404),
    ("GET", f"{CONFIG}/ldap", None, 200, '{"config": {"ldap": {', "!driver"),
    ("GET", f"{CONFIG}/ldap/url", None, 200, '{"config": {"url": "ldap://x"}}'),
    ("HEAD", f"{CONFIG}/ldap/url", None, 200),
    ("GET", f"{CONFIG}/ldap/password", None, 404),
    ("GET", f"{CONFIG}/ldap/page_size", None, 404),
    ("GET", f"{CONFIG}/ldap/color", None, 403),
    ("GET", f"{CONFIG}/color", None, 403),
    ("PUT", CONFIG, config(identity={"driver": "sql"}), 200, '"sql"', "!ldap"),
    ("PUT", "/v3/domains/none/config", config(identity={"driver": "sql"}), 404),
    *(
        (method, CONFIG, body, status)
        for method in ("PUT", "PATCH")
        for body, status in [
            ({}, 403),
            (config(), 403),
            (config(ldap={}), 403),
            (config(ldap="x"), 403),
            (config(color={"a": 1}), 403),
            (config(ldap={"color": 1}), 403),
            ({"config": "x"}, 400),
        ]
    ),
    ("PATCH", CONFIG, config(ldap={"url": "ldap://y"}), 200, '"ldap://y"', '"driver": "ldap"', '"suffix": "s"'),
    ("PATCH", f"{CONFIG}/ldap", config(ldap={"url": "ldap://y"}), 200, '"ldap://y"', '"driver": "ldap"'),
    ("PATCH", f"{CONFIG}/ldap", config(identity={"driver": "sql"}), 403),
    ("PATCH", f"{CONFIG}/ldap", config(ldap={"url": "y"}, identity={"driver": "sql"}), 403),
    ("PATCH", f"{CONFIG}/ldap/url", config(url="ldap://y"), 200, '"ldap://y"'),
    ("PATCH", f"{CONFIG}/ldap/url", config(suffix="x"), 403),
    ("PATCH", f"{CONFIG}/ldap/url", config(url="y", suffix="x"), 403),
    ("PATCH", f"{CONFIG}/ldap/page_size", config(page_size=2), 404),
    ("PATCH", f"{CONFIG}/ldap/password", config(password="new"), 200, "!new"),
    ("PATCH", "/v3/domains/{N}/config/ldap", config(ldap={"url": "y"}), 404),
    ("DELETE", f"{CONFIG}/ldap/suffix", None, 204),
    ("DELETE", f"{CONFIG}/ldap/page_size", None, 404),
    ("DELETE", f"{CONFIG}/ldap", None, 204),
    ("DELETE", f"{CONFIG}/color", None, 403),
    ("DELETE", CONFIG, None, 204),
    ("DELETE", "/v3/domains/{N}/config", None, 204),
    ("DELETE", "/v3/domains/{N}/config/ldap", None, 404),
    ("GET", f"{DEFAULTS}/default", None, 200, '"ldap://localhost"', '"driver": "sql"', '!password"'),
    ("GET", f"{DEFAULTS}/ldap/default", None, 200, '"page_size": 0', "!driver"),
    ("GET", f"{DEFAULTS}/ldap/url/default", None, 200, '{"config": {"url": "ldap://localhost"}}'),
    ("GET", f"{DEFAULTS}/ldap/password/default", None, 403),
    ("GET", f"{DEFAULTS}/color/default", None, 403),
    ("GET", f"{DEFAULTS}/ldap/color/default", None, 403),
    ("GET", COMPLIANCE, None, 200, '{"security_compliance": {"password_regex": null'),
    ("GET", f"{COMPLIANCE}/password_regex", None, 200, '{"config": {"password_regex": null}}'),
    ("GET", f"{COMPLIANCE}/lockout_duration", None, 403),
    ("GET", f"{CONFIG}/security_compliance", None, 403),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda row: f"{row[0]} {row[1]}")
def test_domain_configuration_answers_as_keystone(client: Client, names: dict[str, str], scenario: Scenario) -> None:
    play(client, scenario, names)


def test_configuration_ends_with_its_domain(client: Client, names: dict[str, str]) -> None:
    play(client, ("PATCH", "/v3/domains/{D}", {"domain": {"enabled": False}}, 200), names)
    play(client, ("DELETE", "/v3/domains/{D}", None, 204), names)
    play(client, ("GET", CONFIG, None, 404), names)
