"""The fragments of the changelog become one release."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging"))

import changelog
from appliance import __version__

BEFORE = """\
# Changelog

Intro.

## 0.2.0 (unreleased)

**Starting**
- It starts.

## 0.1.0 (2026-01-01)

**Starting**
- It was there.
"""


def test_fragments_join_what_is_there_as_unreleased() -> None:
    news = {"Starting": ["- It starts faster."], "Store": ["- It stores."]}
    after = changelog.released(BEFORE, "0.2.0", "2026-02-02", news)
    part = after.split("## 0.1.0")[0].split("Intro.\n\n")[1]
    expected = "**Starting**\n- It starts.\n- It starts faster.\n\n**Store**\n- It stores.\n\n"
    assert part == f"## 0.2.0 (2026-02-02)\n\n{expected}"


def test_a_release_that_nothing_was_written_under_comes_first() -> None:
    after = changelog.released(BEFORE, "0.3.0", "2026-03-03", {"Store": ["- It stores."]})
    assert after.startswith("# Changelog\n\nIntro.\n\n## 0.3.0 (2026-03-03)\n\n**Store**\n- It stores.\n\n## 0.2.0")


def test_earlier_releases_stay_as_they_are() -> None:
    after = changelog.released(BEFORE, "0.2.0", "2026-02-02", {})
    assert after.endswith(BEFORE.split("It starts.\n\n")[1])


def test_fragments_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "002-b.md").write_text("**Store**\n- Second.\n")
    (tmp_path / "001-a.md").write_text("**Store**\n- First,\n  and on.\n")
    assert changelog.fragments(tmp_path) == {"Store": ["- First,\n  and on.", "- Second."]}


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("001-a.md", "- Without a section.\n", "neither a section"),
        ("001-a.md", "**Store**\nNo dash.\n", "neither a section"),
        ("001-a.md", "**Store**\n", "says nothing"),
        ("news.md", "**Store**\n- Well.\n", "not named"),
    ],
)
def test_a_fragment_of_another_shape_is_refused(tmp_path: Path, name: str, text: str, problem: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(changelog.Malformed, match=problem):
        changelog.fragments(tmp_path)


def test_our_own_fragments_have_their_shape() -> None:
    changelog.fragments(changelog.FRAGMENTS)


def test_the_newest_release_is_this_version() -> None:
    headings = [line for line in changelog.CHANGELOG.read_text().splitlines() if line.startswith("## ")]
    assert headings[0].split()[1] == __version__


def test_what_is_unreleased_can_be_released() -> None:
    assert changelog.released(changelog.CHANGELOG.read_text(), __version__, "2026-01-01", {})
