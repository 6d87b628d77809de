"""`docs/cli.md` has a heading for every verb and names every flag below it."""

import argparse
import re
from collections.abc import Iterator

import pytest

from appliance.cli.client.arguments import add_cloud, add_output
from appliance.cli.help import TOPICS
from appliance.cli.verbs import build_parser
from tests.e2e.conftest import ROOT

TEXT = (ROOT / "docs/cli.md").read_text()
SECTIONS = {part.splitlines()[0]: part for part in re.split(r"(?m)^##+ ", TEXT)[1:]}
ELSEWHERE = ("cloud", "output", "settings")
"""Groups of flags that many verbs share, which are explained once."""


def leaves(chain: tuple[str, ...], parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield " ".join(chain), parser
    for name, subparser in below[0].choices.items() if below else ():
        yield from leaves((*chain, name), subparser)


VERBS = dict(leaves((), build_parser()))


def flags_of(parser: argparse.ArgumentParser, *, without: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for group in parser._action_groups:
        if group.title not in without:
            found.update(flag for action in group._group_actions for flag in action.option_strings)
    return found - {"-h", "--help"}


def names(text: str, flag: str) -> bool:
    return re.search(rf"`[^`]*{re.escape(flag)}(?![\w-])", text) is not None


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_its_flags_are_documented(verb: str) -> None:
    assert verb in SECTIONS, f"docs/cli.md has no heading for {verb}"
    missing = [f for f in flags_of(VERBS[verb], without=ELSEWHERE) if not names(SECTIONS[verb], f)]
    assert not missing, f"docs/cli.md does not name {missing} below {verb}"


def test_the_flags_that_verbs_share_are_documented() -> None:
    parser = argparse.ArgumentParser()
    add_cloud(parser)
    add_output(parser)
    assert not [flag for flag in flags_of(parser, without=()) if not names(TEXT, flag)]


def test_no_topic_is_without_a_file() -> None:
    files = {file.stem for file in (ROOT / "appliance/cli/topics").glob("*.md")}
    assert files == set(TOPICS) - {"settings"}
