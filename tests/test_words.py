"""Words that the project no longer uses for its own things: each has a standard term, named beside it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(
    path
    for pattern in ("appliance/**/*.py", "appliance/**/*.md", "docs/**/*.md", "*.md", "tests/**/*.py", "packaging/*.py")
    for path in ROOT.glob(pattern)
    if path.name not in ("CHANGELOG.md", "test_words.py")
)
# Tables and columns of databases in use keep their names.
ON_DISK = re.compile(
    r"condemned_at|blocks_condemned"
    r"|\bstretches\b(?=[ `'\" (,%])|stretches_segment|\bshelf.marker|FROM notes|INTO notes"
)
RETIRED = {
    r"ledgers?": "identity store",
    r"twins?": "known content",
    r"may_?know": "readable by caller",
    r"obituar(y|ies)": "deleted-image record",
    r"(un)?condemn\w*": "mark for deletion",
    r"pardon\w*": "unmark",
    r"doomed": "closing",
    r"stretch(es)?": "part",
    r"shel(f|ves)": "backend",
    r"liveness": "GC guard",
    r"visitors?": "principal",
    r"(ware|green)?houses?": "project, package",
    r"upkeep": "maintenance",
    r"(beside|with)_?old": "legacy",
    r"of old": "legacy",
    r"old_?(api|images)": "legacy",
    r"lies": "is",
    r"take_in|intake": "ingest",
    r"cross_off": "mark done",
    r"hub": "server context",
}
WORDS = re.compile(r"(?<![a-zA-Z])(" + "|".join(RETIRED) + r")(?![a-zA-Z])", re.IGNORECASE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_retired_word_is_used(path: Path) -> None:
    found = [
        f"line {number}: {match[0]}"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for match in WORDS.finditer(ON_DISK.sub("", line))
    ]
    assert not found, f"{found}: the terms are in RETIRED"
