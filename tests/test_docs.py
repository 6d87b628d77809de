"""The documentation can't rot: its generated tables are fresh, its links lead somewhere, every document is linked."""

import ast
import functools
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

_spec = importlib.util.spec_from_file_location("docs_generator", ROOT / "packaging" / "docs.py")
assert _spec is not None and _spec.loader is not None
docs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(docs)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))


@pytest.mark.parametrize("file", sorted(docs.PARTS))
def test_generated_tables_are_fresh(file: str) -> None:
    text, fresh = docs.rendered(file)
    assert text == fresh, f"{file} is out of date: run `make docs`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), (
            f"{document.relative_to(ROOT)} links to {target}, which is not there"
        )


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d.name != "README.md"], ids=lambda path: path.name)
def test_every_document_can_be_reached(document: Path) -> None:
    name = document.name
    assert any(
        name in other.read_text() or (document.parent.name == "decisions" and "decisions/" in other.read_text())
        for other in DOCUMENTS
        if other != document
    ), f"nothing links to {name}"


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_number_a_status_and_a_date(decision: Path) -> None:
    number = int(decision.name.partition("-")[0])
    beginning = rf"# {number}\. .+\n\n\*\*Status\.\*\* (Accepted|Superseded by \d+), \d{{4}}-\d\d-\d\d"
    assert re.match(beginning, decision.read_text()), f"{decision.name} begins otherwise than {beginning}"


def test_no_two_decisions_have_one_number() -> None:
    numbers = [decision.name.partition("-")[0] for decision in DECISIONS]
    assert len(set(numbers)) == len(numbers)


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert named <= targets, named - targets


def anchors(text: str) -> set[str]:
    """The names that a reader's browser gives to the headings of a document."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"(?m)^#+ (.*)$", text)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_sections_that_exist(document: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text()):
        there = document.parent / target if target else document
        assert anchor in anchors(there.read_text()), f"{document.relative_to(ROOT)} links to {target}#{anchor}"


# -- messages ----------------------------------------------------------------------------------------------------------

TEXTS = [*DOCUMENTS, ROOT / "CHANGELOG.md", *(ROOT / "appliance/cli/topics").glob("*.md")]
NOT_OURS = {"failed to map segment"}
"""Messages of other programs that the documentation explains."""
SHORTEST = 12
"""Letters that a text must have in common with a message of the program to be one."""


def literal(node: ast.expr) -> str:
    """A string of the program, with `…` for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(value) if isinstance(value, ast.Constant) else "…" for value in node.values)
    return ""


@functools.cache
def messages() -> list[str]:
    """Every string of the program that could be said to somebody."""
    files = (ROOT / "appliance").rglob("*.py")
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.expr))
    found = map(literal, nodes)
    return [text for text in found if len(text) >= SHORTEST]


def said(quoted: str) -> bool:
    """Whether the program has a message that fits a quoted one; on both sides `…` stands for anything."""
    for message in messages():
        pattern = ".*".join(re.escape(part) for part in message.strip().split("…"))
        plain = quoted.replace("…", "")
        if len(message.replace("…", "").strip()) >= SHORTEST and re.search(pattern, quoted, re.S):
            return True
        parts = [part.strip() for part in quoted.split("…") if part.strip()]
        if len(plain.strip()) >= SHORTEST and re.search(".*".join(map(re.escape, parts)), message, re.S):
            return True
    return False


def quoted_messages() -> list[tuple[str, str]]:
    """What documents quote as said by the program: `**"…"**`, and lines that begin as its failures do."""
    found = []
    for document in TEXTS:
        text = document.read_text()
        bold = re.findall(r"(?s)\*\*([^*]+)\*\*", text)
        quotes = [" ".join(quote.split()) for span in bold for quote in re.findall(r'"([^"]+)"', span)]
        quotes += re.findall(r"(?m)^(?:glance-appliance: )(.+)$", text)
        quotes += re.findall(r"(?m)^((?:No enabled|Can't|The administrator is|There are no credentials).+)$", text)
        found += [(document.name, quote) for quote in quotes if not any(other in quote for other in NOT_OURS)]
    return found


@pytest.mark.parametrize(("document", "quote"), quoted_messages())
def test_messages_that_are_quoted_are_those_of_the_program(document: str, quote: str) -> None:
    assert said(quote), f"{document} quotes “{quote}”, which the program does not say"


def test_a_message_that_nobody_says_is_noticed() -> None:
    assert said("Can't listen on 127.0.0.1:9292: another program uses that port.")
    assert not said("Address already in use") and not said("… was written by a newer version")


# -- the program's own words


def _template(node: ast.expr) -> str:
    """A text of the program with `…` for what is put into it."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return "…"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%(?:\.\d+)?[sdrf]", "…", node.value)
    return ""


@functools.cache
def _sayings() -> str:
    """Everything that the program may say."""
    texts = set()
    for file in sorted((ROOT / "appliance").rglob("*.py")):
        nodes = list(ast.walk(ast.parse(file.read_text())))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        said = [node for node in nodes if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in docstrings]
        texts |= {_template(node) for node in said}
    return "\0".join(texts)


def _table_of_messages() -> list[str]:
    section = (ROOT / "docs/operations.md").read_text().partition("## What it says when something is wrong")[2]
    return re.findall(r"^\| `([^`]+)` \|", section.partition("\n## ")[0], re.M)


@pytest.mark.parametrize("message", _table_of_messages())
def test_a_message_of_the_documentation_is_one_of_the_program(message: str) -> None:
    # What changes may be the beginning or the end of a sentence of several parts.
    said = message.strip("….").strip().removeprefix(":").strip()
    pattern = re.escape(said).replace("…", r"[^\0]*")
    assert re.search(pattern, _sayings()), "the program says something else"


def test_there_is_a_table_of_messages() -> None:
    assert len(_table_of_messages()) > 20
    assert "a sentence that nobody has written into the program" not in _sayings()
