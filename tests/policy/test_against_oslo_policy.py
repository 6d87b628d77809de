"""The check language answers as the real oslo.policy does, of rules, callers and targets that nobody chose."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.policy.language import RuleError, compiled

ROOT = Path(__file__).parents[2]
OTHERS = {"first": "role:member", "second": "rule:first and not project_id:p"}

Ask = Callable[..., str]
WORDS = st.sampled_from(["p", "q", "member", "reader", "True", "None", "7", "50%%"])
HOLES = st.sampled_from(["%(project_id)s", "%(name)s", "%(number)s", "%(missing)s", "%(user.name)s", "x-%(name)s"])
PLAIN_KINDS = st.sampled_from(
    ["project_id", "user_id", "is_admin", "system_scope", "token.domain.id", "groups.id", "tags", "nothing", "a.b.c"]
)
LITERALS = st.sampled_from(["'p'", '"q"', "True", "None", "7", "'member'"])
CHECKS = st.one_of(
    st.sampled_from(["@", "!", "rule:first", "rule:second"]),
    st.builds("role:{}".format, st.one_of(WORDS, HOLES)),
    st.builds("{}:{}".format, PLAIN_KINDS, st.one_of(WORDS, HOLES)),
    # Only literals are compared with what a target has no value for: see `test_what_nobody_owns_is_nobodys`.
    st.builds("{}:{}".format, LITERALS, st.one_of(WORDS, HOLES, st.just("%(owner)s"))),
)
RULES = st.recursive(
    CHECKS,
    lambda inner: st.one_of(
        st.builds("not {}".format, inner),
        st.builds("({})".format, inner),
        st.builds("{} and {}".format, inner, inner),
        st.builds("{} OR {}".format, inner, inner),
        st.builds("{} or ({} and {})".format, inner, inner, inner),
    ),
    max_leaves=6,
)
NOISE = st.lists(
    st.sampled_from(["role:member", "and", "or", "not", "(", ")", "@", "!", "member", "'p':p", "'p", ":p", "  "]),
    max_size=6,
).map(" ".join)
VALUES = st.sampled_from(["p", "q", "member", "None", "True"])
CALLERS = st.fixed_dictionaries(
    {
        "roles": st.lists(st.sampled_from(["member", "reader", "p", "none"]), unique=True),
        "project_id": st.one_of(st.none(), VALUES),
        "system_scope": st.one_of(st.none(), st.just("all")),
        "is_admin": st.booleans(),
        "token": st.one_of(st.just({}), st.builds(lambda value: {"domain": {"id": value}}, VALUES)),
        "groups": st.lists(st.builds(lambda value: {"id": value}, VALUES), max_size=2),
        "tags": st.lists(VALUES, max_size=2),
    },
    optional={"user_id": VALUES},
)
THINGS = VALUES.filter(lambda value: value != "None")
TARGETS = st.fixed_dictionaries(
    {"owner": st.one_of(st.none(), THINGS)},
    optional={"project_id": THINGS, "name": THINGS, "number": st.integers(6, 8), "user.name": THINGS},
)


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """What oslo.policy says, from a process that has it."""
    command = [str(ROOT / ".venv-clients" / "bin" / "python"), str(ROOT / "tests" / "policy" / "peer.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None

        def answer(*question: Any) -> str:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield answer
        process.stdin.close()


def ours(rules: dict[str, str], caller: dict[str, Any], target: dict[str, Any]) -> str:
    try:
        checks = compiled(rules)
    except RuleError:
        return "wrong"
    return json.dumps(checks["asked"](caller | {"roles": frozenset(caller["roles"])}, target))


BOUNDS = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@BOUNDS
@given(RULES, CALLERS, TARGETS)
def test_a_rule_lets_whom_oslo_policy_lets(ask: Ask, text: str, caller: dict[str, Any], target: dict[str, Any]) -> None:
    rules = {**OTHERS, "asked": text}
    assert ours(rules, caller, target) == ask(rules, "asked", caller, target)


@BOUNDS
@given(NOISE, CALLERS)
def test_what_is_no_rule_to_oslo_policy_is_none_here(ask: Ask, text: str, caller: dict[str, Any]) -> None:
    rules = {**OTHERS, "asked": text}
    theirs = ask(rules, "asked", caller, {})
    assert ours(rules, caller, {}) in (theirs, "wrong")


def test_what_nobody_owns_is_nobodys(ask: Ask) -> None:
    """oslo.policy lets a caller without a project have what has no owner; here nothing is equal to nothing."""
    rules = {"asked": "project_id:%(owner)s"}
    caller: dict[str, Any] = {"roles": [], "project_id": None}
    assert (ours(rules, caller, {"owner": None}), ask(rules, "asked", caller, {"owner": None})) == ("false", "true")
