"""The demonstration types into a real shell and keeps what it showed."""

import contextlib
import importlib.util
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo() -> Any:
    spec = importlib.util.spec_from_file_location("demo", ROOT / "packaging" / "demo.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def terminal(demo: Any, tmp_path: Path) -> Iterator[Any]:
    """A shell in an empty directory."""
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


def free_ports(count: int) -> list[int]:
    """They are free as long as nobody is quicker."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*forkpty.*:DeprecationWarning")
def test_the_second_night_moves_what_is_new(demo: Any, terminal: Any, tmp_path: Path) -> None:
    """From the checkout in place of the executable: a file of that name that is long enough for a disk, too."""
    program = tmp_path / "glance-appliance"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/appliance.py "$@"\nexit\n')
    with program.open("ab") as file:
        file.write(os.urandom(10 << 20))
    program.chmod(0o755)
    demo.play_sites(terminal, free_ports(4))
    shown = terminal.transcript()
    ids = re.findall(r"^[0-9a-f-]{36}$", shown, re.MULTILINE)
    assert len(ids) == 2 and all(re.search(f"^{one} +(mon|tues)day +active", shown, re.MULTILINE) for one in ids)
    (first, came), (second, more) = re.findall(r"^golden +(\d+) +(\d+)$", shown, re.MULTILINE)
    assert first == second == "0" and int(came) > 10_000_000 and 64_000 < int(more) < 600_000
    assert "\nthe same\n" in shown
