"""The demonstration types into a real shell and keeps what it showed."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Any]:
    """A shell in an empty directory."""
    spec = importlib.util.spec_from_file_location("demo", ROOT / "packaging" / "demo.py")
    assert spec is not None and spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    opened = demo.Terminal(tmp_path, 0)
    yield opened
    opened.close()


@pytest.mark.filterwarnings("ignore:.*forkpty.*:DeprecationWarning")
def test_what_was_typed_and_what_came_of_it(terminal: Any) -> None:
    terminal.expect("lab")
    terminal.run(r"printf 'half\rwhole\n\033[31mred\033[0m\n'")
    terminal.run("pwd | wc -l")
    shown = terminal.transcript().splitlines()
    assert shown[0].startswith("lab$ printf") and shown[1:3] == ["whole", "red"]
    assert shown[3:] == ["lab$ pwd | wc -l", "1", "lab$"]


def test_waiting_for_what_does_not_come_ends(terminal: Any) -> None:
    with pytest.raises(TimeoutError, match="did not show 'never'"):
        terminal.expect("never", 0.1)
