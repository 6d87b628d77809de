"""Policies of a service with an operator's file: what counts, what is refused, and what happens when it changes."""

import logging
import os
from pathlib import Path

import pytest

from appliance.errors import WrongUsage
from appliance.policy.rules import PROJECT, Default, PolicyRules

DEFAULTS = {
    "is_admin": Default("role:admin"),
    "read": Default("rule:is_admin or role:reader"),
    "write": Default("rule:is_admin", PROJECT),
}
MEMBER = {"roles": frozenset({"member"})}


def policies(file: Path, text: str) -> PolicyRules:
    file.write_text(text)
    return PolicyRules(DEFAULTS, "policy_file", str(file), not_asked=frozenset({"historic"}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


def lets(rules: PolicyRules, name: str, scope: str = "project") -> bool:
    return rules.allows(name, MEMBER, {}, scope)


@pytest.mark.parametrize(
    ("text", "name", "allowed"),
    [
        ("", "write", False),
        ("write: role:member", "write", True),
        ("write: role:member", "read", False),
        ("is_admin: role:member", "write", True),
        ("mine: role:member\nwrite: rule:mine", "write", True),
        ('{"write": "role:member"}', "write", True),
        ("# a comment\n\nwrite: ''\n", "write", True),
        ('write: "!"', "write", False),
        ('write: "@"', "write", True),
        ("historic: role:admin\nwrite: role:member", "write", True),
    ],
)
def test_what_the_file_says_counts_in_place_of_the_default(file: Path, text: str, name: str, allowed: bool) -> None:
    assert lets(policies(file, text), name) is allowed


def test_the_file_changes_no_scopes(file: Path) -> None:
    assert not lets(policies(file, "write: role:member"), "write", "system")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wirte: role:member", "line 1 of .*: there is no policy wirte, .*; is it write?"),
        ("\n\nwrite: role:a role:b", "line 3 of .*: the rule write: nothing is expected before 'role:b'"),
        ("write: member", "line 1 of .*: the rule write: 'member' is no check"),
        ("write: rule:nobody", "line 1 of .*: the rule write: there is no rule nobody"),
        ("read: '@'\nis_admin: rule:write", "line 2 of .*: the rule is_admin: it asks itself, through write"),
        ("write: [role:a]", "line 1 of .*: the rule write has to be a text"),
        ("write: !", 'line 1 of .*: the rule write: write "!" in quotation marks'),
        ("write: @", "line 1 of .*: found character '@'"),
        ("write: role:a\nwrite: role:b", "line 2 of .*: the rule write is there twice, in line 1"),
        ("? [a]\n: role:b", "line 1 of .*: the name of a rule has to be a text"),
        ("- write", "has to be rules by their names"),
        ("write: 'role:a", "line 1 of .*: found unexpected end of stream"),
    ],
)
def test_a_file_that_can_not_be_meant_is_told_with_its_line(file: Path, text: str, said: str) -> None:
    with pytest.raises(WrongUsage, match=f"policy_file: .*{said}"):
        policies(file, text)


def test_a_file_that_is_not_there_is_told(file: Path) -> None:
    with pytest.raises(WrongUsage, match="can't be read: No such file"):
        PolicyRules(DEFAULTS, "policy_file", str(file))


def test_a_changed_file_counts_from_the_next_question_on(file: Path) -> None:
    rules = policies(file, "write: role:admin")
    file.write_text("write: role:member or role:admin")
    assert lets(rules, "write")


def test_a_file_put_in_place_of_another_counts(file: Path) -> None:
    rules = policies(file, "write: role:admina")
    other = file.with_name("other")
    other.write_text("write: role:member")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert lets(rules, "write")


def test_a_new_file_with_a_mistake_leaves_the_rules_as_they_were(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = policies(file, "write: role:member")
    file.write_text("write: role:member and")
    with caplog.at_level(logging.INFO):
        answers = [lets(rules, "write") for _ in range(3)]
    assert answers == [True] * 3
    assert [record.getMessage() for record in caplog.records] == [
        f"policy_file: line 1 of {file}: the rule write: a check is missing at the end; the rules stay as they were"
    ]


def test_a_file_that_goes_away_leaves_the_rules_as_they_were(file: Path) -> None:
    rules = policies(file, "write: role:member")
    file.unlink()
    assert lets(rules, "write")


def test_a_mistake_put_right_counts(file: Path) -> None:
    rules = policies(file, "write: role:admin")
    file.write_text("write: role:member and")
    assert not lets(rules, "write")
    file.write_text("write: role:member and @")
    assert lets(rules, "write")


def test_rules_are_listed_with_where_they_come_from(file: Path) -> None:
    rules = policies(file, "mine: role:member\nwrite: rule:mine")
    assert [(rule.name, rule.source) for rule in rules.listed()] == [
        ("is_admin", "default"),
        ("read", "default"),
        ("write", str(file)),
        ("mine", str(file)),
    ]


def test_a_policy_that_nothing_asks_is_told(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    policies(file, "historic: role:admin")
    assert "nothing here asks historic" in caplog.text
