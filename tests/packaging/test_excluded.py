"""What stays out of the executable is nothing that the appliance imports."""

import ast
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging"))

from excluded import EXCLUDED

ROOT = Path(__file__).parents[2]


def imported() -> set[str]:
    """The first part of every name that a module of the appliance imports."""
    found: set[str] = set()
    for file in (ROOT / "appliance").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found


IMPORTED = imported()


@pytest.mark.parametrize("module", EXCLUDED)
def test_the_appliance_does_not_import_it(module: str) -> None:
    assert module not in IMPORTED


def test_readline_is_excluded() -> None:
    assert "readline" in EXCLUDED
