"""Collect the fragments of the changelog into CHANGELOG.md at a release: `changelog.py VERSION`.

A change that users notice brings a file `changelog/unreleased/NNN-slug.md` (NNN is the number of its issue or pull
request, slug a word or two), so that two changes never meet in one file. It looks like a piece of CHANGELOG.md: a
section in bold, and sentences below it, each beginning with `- `.
"""

import argparse
import datetime
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHANGELOG = ROOT / "CHANGELOG.md"
FRAGMENTS = ROOT / "changelog" / "unreleased"
NAME = re.compile(r"\d+-[a-z0-9-]+\.md")
SECTION = re.compile(r"\*\*(.+)\*\*")

Sections = dict[str, list[str]]


class Malformed(Exception):
    """What is wrong with a fragment, in a sentence."""


def parsed(name: str, text: str) -> Sections:
    """The sentences of each section of a fragment, or of one release in the changelog."""
    sections: Sections = {}
    current: list[str] | None = None
    for line in text.splitlines():
        heading = SECTION.fullmatch(line)
        if heading:
            current = sections.setdefault(heading[1], [])
        elif line.startswith("- ") and current is not None:
            current.append(line)
        elif line.startswith("  ") and current:
            current[-1] += f"\n{line}"
        elif line.strip():
            raise Malformed(f"{name}: `{line}` is neither a section in bold nor a sentence that begins with `- `")
    return sections


def fragments(folder: Path) -> Sections:
    """What all fragments say together, in the order of their names."""
    together: Sections = {}
    for file in sorted(folder.glob("*.md")):
        if not NAME.fullmatch(file.name):
            raise Malformed(f"{file.name} is not named NNN-slug.md")
        said = parsed(file.name, file.read_text())
        if not any(said.values()):
            raise Malformed(f"{file.name} says nothing")
        for section, sentences in said.items():
            together.setdefault(section, []).extend(sentences)
    return together


def released(changelog: str, version: str, day: str, news: Sections) -> str:
    """The changelog with this release at its top: what was under it as unreleased, and the news."""
    intro, *parts = re.split(r"(?m)^(?=## )", changelog)
    under = f"## {version} (unreleased)\n"
    sections: Sections = {}
    if parts and parts[0].startswith(under):
        sections = parsed("CHANGELOG.md", parts.pop(0).removeprefix(under))
    for section, sentences in news.items():
        sections.setdefault(section, []).extend(sentences)
    body = "\n\n".join("\n".join([f"**{section}**", *sentences]) for section, sentences in sections.items())
    return intro + f"## {version} ({day})\n\n{body}\n" + "".join(f"\n{part}" for part in parts)


def main() -> int:
    """Write the release that the command line names into the changelog, and remove the fragments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version")
    options = parser.parse_args()
    try:
        news = fragments(FRAGMENTS)
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        CHANGELOG.write_text(released(CHANGELOG.read_text(), options.version, today, news))
    except Malformed as problem:
        print(f"the changelog stays as it was: {problem}", file=sys.stderr)
        return 1
    for file in FRAGMENTS.glob("*.md"):
        file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
