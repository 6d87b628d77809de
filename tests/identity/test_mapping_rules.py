"""The language of mappings: what rules make of what an identity provider says."""

import copy
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import Invalid
from appliance.identity.federation.mapping_rules import evaluate
from appliance.identity.federation.mapping_schema import check_mapping

ROOT = Path(__file__).parents[2]
KEYSTONE = ROOT / ".venv-peers" / "bin" / "python"
SAID = {
    "UserName": ["tester"],
    "Email": ["tester@example.com"],
    "Groups": ["staff", "dev", "ops"],
    "Type": ["Contractor"],
    "Nothing": [],
    "Empty": [""],
}
DOMAIN = {"name": "Default"}
USER = {"type": "UserName"}


def rule(local: Any, *remote: Any) -> dict[str, Any]:
    return {"local": local if isinstance(local, list) else [local], "remote": list(remote) or [USER]}


def mapped(*rules: Any, version: str = "1.0", **said: list[str]) -> dict[str, Any]:
    check_mapping({"rules": list(rules), "schema_version": version})
    return evaluate(rules, version, {**SAID, **said}).shown()


def names(*groups: str, domain: Any = DOMAIN) -> list[dict[str, Any]]:
    return [{"name": name, "domain": domain} for name in groups]


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ({"type": "UserName"}, True),
        ({"type": "Unknown"}, False),
        ({"type": "Nothing"}, False),
        ({"type": "Empty"}, True),
        ({"type": "Type", "any_one_of": ["Employee", "Contractor"]}, True),
        ({"type": "Type", "any_one_of": ["Employee"]}, False),
        ({"type": "Type", "any_one_of": []}, False),
        ({"type": "Groups", "any_one_of": ["ops", "x"]}, True),
        ({"type": "Type", "any_one_of": ["contract"]}, False),
        ({"type": "Type", "any_one_of": ["^Contr"], "regex": True}, True),
        ({"type": "Type", "any_one_of": ["ract"], "regex": True}, True),
        ({"type": "Type", "any_one_of": ["^ract"], "regex": True}, False),
        ({"type": "Type", "not_any_of": ["Employee"]}, True),
        ({"type": "Type", "not_any_of": ["Contractor"]}, False),
        ({"type": "Groups", "not_any_of": ["ops"]}, False),
        ({"type": "Unknown", "not_any_of": ["Employee"]}, False),
        ({"type": "Type", "not_any_of": ["^C"], "regex": True}, False),
        ({"type": "Groups", "whitelist": ["none"]}, True),
    ],
    ids=str,
)
def test_a_rule_applies_if_its_requirement_is_met(condition: dict[str, Any], applies: bool) -> None:
    rules = (rule({"user": {"name": "first"}}, condition), rule({"user": {"name": "second"}}))
    assert mapped(*rules)["user"]["name"] == ("first" if applies else "second")


@pytest.mark.parametrize(
    ("remote", "groups"),
    [
        ({"type": "Groups"}, ["staff", "dev", "ops"]),
        ({"type": "Groups", "whitelist": ["ops", "staff", "x"]}, ["staff", "ops"]),
        ({"type": "Groups", "blacklist": ["ops", "x"]}, ["staff", "dev"]),
        ({"type": "Groups", "whitelist": ["^.{3}$"], "regex": True}, ["dev", "ops"]),
        ({"type": "Groups", "blacklist": ["^.{3}$"], "regex": True}, ["staff"]),
        ({"type": "Groups", "whitelist": []}, []),
        ({"type": "UserName"}, ["tester"]),
    ],
    ids=str,
)
def test_a_list_of_groups_is_what_the_requirement_leaves_of_the_values(remote: Any, groups: list[str]) -> None:
    found = mapped(rule({"groups": "{0}", "domain": DOMAIN}, remote))
    assert found["group_names"] == names(*groups)


def test_only_requirements_that_give_values_are_counted() -> None:
    remote = [{"type": "Type", "any_one_of": ["Contractor"]}, USER, {"type": "Email"}]
    assert mapped(rule({"user": {"name": "{0}", "email": "{1}"}}, *remote))["user"] == {
        "name": "tester",
        "email": "tester@example.com",
        "type": "ephemeral",
    }


def test_several_rules_add_groups_and_the_first_user_counts() -> None:
    rules = (
        rule([{"user": {"name": "{0}"}}, {"group": {"id": "a"}}]),
        rule([{"user": {"name": "other"}}, {"group": {"name": "g", "domain": DOMAIN}}, {"group_ids": "['a', 'b']"}]),
    )
    assert mapped(*rules) == {
        "user": {"name": "tester", "type": "ephemeral"},
        "group_ids": ["a", "b"],
        "group_names": names("g"),
        "projects": [],
    }


def test_groups_in_json_say_their_domains_where_the_rule_has_none() -> None:
    said = [f"JSON:{json.dumps(group)}" for group in names("a", domain={"id": "x"})]
    assert mapped(rule({"groups": "{0}"}, {"type": "G"}), G=said)["group_names"] == names("a", domain={"id": "x"})


def test_text_around_a_reference_stays() -> None:
    assert mapped(rule({"groups": "cloud-{0}", "domain": DOMAIN}))["group_names"] == names("cloud-tester")
    assert mapped(rule({"groups": "['a', '{0}']", "domain": DOMAIN}))["group_names"] == names("a", "tester")
    assert mapped(rule({"user": {"name": "{{{0}}}"}}))["user"]["name"] == "{tester}"


def test_several_values_in_a_name_are_written_as_a_list() -> None:
    assert mapped(rule({"user": {"name": "{0}"}}, {"type": "Groups"}))["user"]["name"] == "['staff', 'dev', 'ops']"


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_the_domain_of_a_rule_is_that_of_its_user_and_projects_from_version_2_on(version: str) -> None:
    project = {"name": "p", "roles": [{"name": "member"}]}
    found = mapped(rule({"user": {"name": "x"}, "projects": [project], "domain": DOMAIN}), version=version)
    expected = DOMAIN if version == "2.0" else None
    assert (found["user"].get("domain"), found["projects"][0].get("domain")) == (expected, expected)


def test_projects_in_json_come_after_those_of_the_rule() -> None:
    project = {"name": "{0}", "roles": [{"name": "member"}]}
    listed = json.dumps([{"name": "listed", "roles": [{"name": "reader"}]}])
    local = {"projects": [project], "projects_json": "{1}"}
    found = mapped(rule(local, USER, {"type": "P"}), version="3.0", P=[listed])
    assert [one["name"] for one in found["projects"]] == ["tester", "listed"]


@pytest.mark.parametrize(
    ("local", "version", "said"),
    [
        ({"user": {"name": "{1}"}}, "1.0", {}),
        ({"user": {"name": "{0.__class__}"}}, "1.0", {}),
        ({"user": {"name": "{0:>9999999999}"}}, "1.0", {}),
        ({"user": {"name": "{}"}}, "1.0", {}),
        ({"groups": "{0}"}, "1.0", {}),
        ({"projects_json": "{0}"}, "3.0", {"UserName": ["no JSON"]}),
        ({"projects_json": "{0}"}, "3.0", {"UserName": ["[" * 100_000]}),
        ({"projects_json": "{0}"}, "3.0", {"UserName": ['[{"name": "p"}]']}),
        ({"projects_json": "x"}, "3.0", {}),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(local: Any, version: str, said: dict[str, list[str]]) -> None:
    with pytest.raises(Invalid):
        mapped(rule(local), version=version, **said)


def test_nobody_is_mapped_where_no_rule_applies() -> None:
    with pytest.raises(Invalid, match="Could not map any federated user properties"):
        mapped(rule({"user": {"name": "x"}}, {"type": "Unknown"}))


def test_the_rules_are_left_as_they_are() -> None:
    rules = [rule({"user": {"name": "{0}"}, "projects": [{"name": "p", "roles": []}], "domain": DOMAIN})]
    before = copy.deepcopy(rules)
    evaluate(rules, "2.0", SAID)
    assert rules == before


# -- held against Keystone's ------------------------------------------------------------------------------------------

VALUES = ("a", "b", "ab", "b1", "x y", "")
TEMPLATES = ("{0}", "{1}", "{0} and {1}", "plain", "{0}-{0}", "['a', 'b']")


class Cases:
    """Mappings and assertions by chance, of what both engines mean to treat alike."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def made(self) -> dict[str, Any]:
        version = self._chance.choice(("1.0", "2.0", "3.0"))
        types = ("t0", "t1", "t2", "t3")
        assertion = {one: ";".join(self._some(VALUES, 1, 3)) for one in types if self._chance.random() < 0.8}
        rules = [self._rule(types, version) for _ in range(self._chance.randint(1, 3))]
        return {"version": version, "rules": rules, "assertion": assertion}

    def _some(self, values: tuple[str, ...], least: int, most: int) -> list[str]:
        return self._chance.sample(values, self._chance.randint(least, most))

    def _rule(self, types: tuple[str, ...], version: str) -> dict[str, Any]:
        remote = [self._requirement(types) for _ in range(self._chance.randint(1, 3))]
        return {"local": [self._local(version) for _ in range(self._chance.randint(1, 2))], "remote": remote}

    def _requirement(self, types: tuple[str, ...]) -> dict[str, Any]:
        requirement: dict[str, Any] = {"type": self._chance.choice(types)}
        condition = self._chance.choice(("", "", "any_one_of", "not_any_of", "blacklist", "whitelist"))
        if condition:
            regex = self._chance.random() < 0.4
            requirement[condition] = self._some(("a", "^b", "b$", "[0-9]", "x") if regex else VALUES, 0, 3)
            requirement |= {"regex": True} if regex else {}
        return requirement

    def _local(self, version: str) -> dict[str, Any]:
        text = self._chance.choice
        domain = {"domain": {"name": text(("d", "e"))}}
        user = {"user": {"name": text(TEMPLATES), "type": text(("ephemeral", "local"))}}
        project = {"name": text(TEMPLATES), "roles": [{"name": text(("member", "{0}"))}]}
        more: dict[str, Any] = {**domain} if version != "1.0" else {}
        options: list[dict[str, Any]] = [
            user,
            {"user": {"id": text(TEMPLATES), "email": text(TEMPLATES), **more}},
            {"group": {"id": text(TEMPLATES)}},
            {"group": {"name": text(TEMPLATES), **domain}},
            {"groups": text(TEMPLATES), **domain},
            {"group_ids": text(TEMPLATES)},
            {**user, "projects": [{**project, **more}], **domain},
        ]
        return text(options)


def ours(case: dict[str, Any]) -> Any:
    said = {name: text.split(";") for name, text in case["assertion"].items()}
    try:
        check_mapping({"rules": case["rules"], "schema_version": case["version"]})
        return evaluate(case["rules"], case["version"], said).shown()
    except Invalid:
        return "refused"


def comparable(found: Any) -> Any:
    """Without what has no order: theirs comes out of sets, and says some groups twice."""
    if isinstance(found, str):
        return "refused"
    user = {name: value for name, value in found["user"].items() if value is not None}
    projects = [{name: value for name, value in one.items() if value is not None} for one in found["projects"]]
    groups = {json.dumps(group, sort_keys=True) for group in found["group_names"]}
    return user, set(found["group_ids"]), groups, projects


def ordered(case: dict[str, Any]) -> bool:
    """Whether what comes of a case does not depend on the order of a set: several values left by a list, in a text."""
    lists = [one for rule in case["rules"] for one in rule["remote"] if {"blacklist", "whitelist"} & set(one)]
    return all(len(set(case["assertion"].get(one["type"], "").split(";"))) < 2 for one in lists)


@pytest.mark.slow
@pytest.mark.skipif(not KEYSTONE.exists(), reason="there is no Keystone: `make bench-peers` makes .venv-peers")
def test_the_engine_does_what_keystones_does() -> None:
    cases = [case for case in map(lambda seed: Cases(seed).made(), range(6000)) if ordered(case)]
    script = Path(__file__).with_name("keystone_mappings.py")
    done = subprocess.run(
        [KEYSTONE, "-W", "ignore", script], input=json.dumps(cases), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = json.loads(done.stdout.splitlines()[-1])
    differing = [
        (case, found, expected)
        for case, expected in zip(cases, theirs, strict=True)
        if comparable(found := ours(case)) != comparable(expected)
    ]
    assert not differing, f"{len(differing)} of {len(cases)}: {json.dumps(differing[0], indent=1)}"
    assert len({json.dumps(found) for found in theirs}) > 500
