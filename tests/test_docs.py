"""The documentation can't rot: its generated tables are fresh, its links lead somewhere, every document is linked."""

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
