"""Runs under Tempest's own Python: the tests named on standard input, one result a line to the file named first.

A line is test, result (passed, failed or skipped) and reason. What goes wrong while a class is set up is the result of
each of its tests.
"""

import sys
import unittest
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Results(unittest.TestResult):
    """Notes each test's last result, failures before anything else."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, str]] = {}
        self.classes: dict[str, tuple[str, str]] = {}

    def addSuccess(self, test: Any) -> None:
        self.found.setdefault(_name(test), ("passed", ""))

    def addSkip(self, test: Any, reason: str) -> None:
        self._note(test, "skipped", reason)

    def addError(self, test: Any, err: Any, details: Any = None) -> None:
        self._note(test, "failed", _reason(err, details))

    def addFailure(self, test: Any, err: Any, details: Any = None) -> None:
        self._note(test, "failed", _reason(err, details))

    def _note(self, test: Any, status: str, reason: str) -> None:
        name, told = _name(test), (status, " ".join(reason.split())[:500])
        if name.startswith(("setUpClass (", "tearDownClass (")):
            self.classes.setdefault(name.partition("(")[2].rstrip(")"), told)
        else:
            self.found[name] = told


def _name(test: Any) -> str:
    return str(test.id()).partition("[")[0]


def _reason(err: Any, details: Any) -> str:
    if err is not None:
        text = f"{err[0].__name__}: {err[1]}"
    else:
        text = "\n".join(part.as_text() for name, part in (details or {}).items() if "traceback" in name)
    # Tempest puts the whole log before the traceback: what went wrong is the last thing that it says.
    lines = [line.strip() for line in text.splitlines() if line.strip(" }")]
    return " ".join(lines[-2:]) or "failed"


def load(names: Iterable[str]) -> tuple[unittest.TestSuite, dict[str, tuple[str, str]]]:
    """The tests of these names, class by class, and those that cannot be loaded."""
    suite, missing = unittest.TestSuite(), {}
    loader = unittest.TestLoader()
    for name in names:
        try:
            suite.addTest(loader.loadTestsFromName(name))
        except (ImportError, AttributeError, TypeError) as problem:
            missing[name] = ("failed", f"cannot be loaded: {problem}")
    return suite, missing


def main() -> int:
    """Run the tests and write their results."""
    names = sys.stdin.read().split()
    suite, found = load(names)
    results = Results()
    suite.run(results)
    found.update(results.found)
    with Path(sys.argv[1]).open("w") as out:
        for name in names:
            told = found.get(name) or results.classes.get(name.rpartition(".")[0]) or ("failed", "gave no result")
            out.write("\t".join((name, *told)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
