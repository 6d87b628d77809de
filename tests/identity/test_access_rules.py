"""Which paths an access rule is for, and that finding out never takes long."""

import random
import re

import pytest

from appliance.identity.resources.application_credentials import permit


def matches(rule: str, path: str) -> bool:
    return permit([{"service": "image", "method": "GET", "path": rule}], "image", "GET", path)


@pytest.mark.parametrize(
    ("rule", "path", "permitted"),
    [
        ("/v2/images", "/v2/images", True),
        ("/v2/images", "/v2/images/x", False),
        ("/v2/images/*", "/v2/images/x", True),
        ("/v2/images/*", "/v2/images/x/file", False),
        ("/v2/images/*", "/v2/images/", False),
        ("/v2/images/**", "/v2/images/x/file", True),
        ("/v2/images/**", "/v2/images/", True),
        ("/v2/images/**/file", "/v2/images/x/y/file", True),
        ("/v2/{thing}/x", "/v2/images/x", True),
        ("/v2/{thing}/x", "/v2/a/b/x", False),
        ("/v2/images.", "/v2/imagesx", False),
        ("/v2/im*s", "/v2/images", True),
        ("/v2/im*s", "/v2/ims", False),
        ("/**", "/anything/at/all", True),
        ("/***", "/a/b", True),
        ("/***", "/", False),
        ("/****", "/", True),
        ("/*{x}", "/a", False),
        ("/*{x}", "/ab", True),
        ("/{", "/{", True),
        ("/**\n", "/a\n", True),
    ],
)
def test_rules_match_paths(rule: str, path: str, permitted: bool) -> None:
    assert matches(rule, path) is permitted


def test_a_rule_is_for_its_service_and_method() -> None:
    rules = [{"service": "image", "method": "GET", "path": "/**"}]
    assert permit(rules, "image", "GET", "/x")
    assert not permit(rules, "image", "POST", "/x")
    assert not permit(rules, "identity", "GET", "/x")


def by_expression(rule: str, path: str) -> bool:
    """The same by way of a regular expression, which is all right for paths this short."""
    pieces = re.split(r"(\*\*|\*|\{[^/{}]*\})", rule)
    wild = {"**": ".*"}
    text = "".join(wild.get(p, "[^/]+") if i % 2 else re.escape(p) for i, p in enumerate(pieces))
    return re.fullmatch(text, path, re.DOTALL) is not None


def test_rules_match_what_their_regular_expressions_would() -> None:
    chance = random.Random(5)
    for _ in range(3000):
        rule = "/" + "".join(chance.choices(["a", "b", "/", "*", "**", "{x}"], k=chance.randint(0, 7)))
        path = "/" + "".join(chance.choices("ab/", k=chance.randint(0, 8)))
        assert matches(rule, path) is by_expression(rule, path), (rule, path)


@pytest.mark.parametrize(
    "rule",
    ["/" + "**a" * 40 + "**b", "/" + "*a" * 60 + "b", "/" + "{x}" * 40 + "b", "/" + "*" * 127],
    ids=["any", "parts", "names", "stars"],
)
def test_a_rule_made_to_take_long_takes_one_step_for_each_character(rule: str) -> None:
    """The longest rule on a path longer than any server takes; the regular expression would take years."""
    path = "/" + "a" * 65_536
    assert matches(rule, path) is (rule == "/" + "*" * 127)
