"""`docs/cli.md` has a heading for every verb and names every flag below it; each has a page of the manual."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from appliance.cli.client.options import with_cloud
from appliance.cli.commands import Command, commands
from appliance.cli.help import TOPICS, pages
from appliance.cli.output import with_output
from appliance.settings import sections
from tests.e2e.conftest import ROOT

TEXT = (ROOT / "docs/cli.md").read_text()
SECTIONS = {part.splitlines()[0]: part for part in re.split(r"(?m)^##+ ", TEXT)[1:]}
ELSEWHERE = {"Cloud", "Output", "Password", "Settings", *sections()}
"""Sections of flags that many verbs share, which are explained once."""
VERBS = dict(commands())


def flags_of(ctx: click.Context, *, without: set[str]) -> set[str]:
    assert isinstance(ctx.command, Command)
    found: set[str] = set()
    for title, options in ctx.command.sections(ctx, folded=True).items():
        if title not in without:
            found.update(flag for one in options for flag in (*one.opts, *one.secondary_opts) if flag.startswith("--"))
    return found - {"--help"}


def names(text: str, flag: str) -> bool:
    return re.search(rf"`[^`]*{re.escape(flag)}(?![\w-])", text) is not None


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_its_flags_are_documented(verb: str) -> None:
    assert verb in SECTIONS, f"docs/cli.md has no heading for {verb}"
    missing = [f for f in flags_of(VERBS[verb], without=ELSEWHERE) if not names(SECTIONS[verb], f)]
    assert not missing, f"docs/cli.md does not name {missing} below {verb}"


def test_the_flags_that_verbs_share_are_documented() -> None:
    command = Command("any", params=click.command()(with_output(with_cloud(lambda **_: None))).params)
    with command.make_context("any", [], resilient_parsing=True) as ctx:
        assert not [flag for flag in flags_of(ctx, without=set()) if not names(TEXT, flag)]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_line_of_help(verb: str) -> None:
    assert VERBS[verb].command.short_help


def test_no_topic_is_without_a_file() -> None:
    files = {file.stem for file in (ROOT / "appliance/cli/topics").glob("*.md")}
    assert files == set(TOPICS) - {"settings"}


def test_each_verb_has_a_page_of_the_manual_with_its_flags() -> None:
    made = pages()
    assert len(made) == len(VERBS) + 1
    assert "\\-\\-image\\-port" in made["glance-appliance-serve"] and ".SH CLOUD" in made["glance-appliance-image-list"]


@pytest.mark.skipif(not shutil.which("man"), reason="there is no man on this machine")
def test_man_can_read_the_pages(tmp_path: Path) -> None:
    for name, text in pages().items():
        (tmp_path / f"{name}.1").write_text(text)
        done = subprocess.run(
            ["man", "--warnings", "-l", "-Tutf8", tmp_path / f"{name}.1"], capture_output=True, text=True, check=True
        )
        assert done.stderr == "", name
