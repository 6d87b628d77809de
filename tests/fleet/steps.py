"""Every step of the fleet at which a site may be killed, read from the code, and a process that kills itself at one.

A step is a call that makes something durable or visible, a piece that goes out or comes in, or a request of a peer that
is answered. Its name is that of its function; of a function with several steps the second is called `…#2`.
"""

import ast
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from tests.e2e.conftest import ROOT

_MODULES = ("appliance/fleet/*.py", "appliance/cli/parts.py", "appliance/cli/bundle.py", "appliance/cli/fleet.py")
_ROUTES = "appliance/api/appliance_v1/fleet_peers.py"
_EFFECTS = {"transact", "replace_file", "ensure_directory", "mkdir", "unlink", "chmod", "publish", "rename"}
_STREAMS = {"blocks", "pieces", "sent"}
"""Functions whose pieces are on their way: each yield is a step."""


@dataclass(frozen=True, slots=True)
class Step:
    """The lines of one step, and the function that it is in; a step of no lines is the whole function."""

    name: str
    file: str
    function: str
    first: int = 0
    last: int = 0


def every_step() -> dict[str, Step]:
    """All of them by their names."""
    found = list(_handlers())
    for pattern in _MODULES:
        for path in sorted(ROOT.glob(pattern)):
            found += _steps_in(path)
    return {step.name: step for step in found}


def _handlers() -> Iterator[Step]:
    """The requests of peers: what `PeerRoutes` has beside `routes`."""
    path = ROOT / _ROUTES
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef) and node.name == "PeerRoutes":
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and part.name not in ("__init__", "routes"):
                    yield Step(f"fleet_peers.{part.name}", str(path), f"PeerRoutes.{part.name}")


def _steps_in(path: Path) -> Iterator[Step]:
    count = Counter[str]()
    for function, node in _nodes(ast.parse(path.read_text()), ()):
        if not function or not _is_step(function, node):
            continue
        name = f"{path.stem}.{function}"
        count[name] += 1
        number = f"#{count[name]}" if count[name] > 1 else ""
        yield Step(name + number, str(path), function, node.lineno, node.end_lineno)


def _is_step(function: str, node: Any) -> bool:
    if isinstance(node, ast.Yield | ast.YieldFrom):
        return function.rpartition(".")[2] in _STREAMS
    called = node.func if isinstance(node, ast.Call) else None
    return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) in _EFFECTS


def _nodes(node: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for child in ast.iter_child_nodes(node):
        is_named = isinstance(child, ast.FunctionDef | ast.ClassDef)
        inside = (*names, child.name) if isinstance(child, ast.FunctionDef | ast.ClassDef) else names
        if not is_named:
            yield ".".join(names), child
        yield from _nodes(child, inside)


class Death:
    """Kills this process (SIGKILL) before or after it goes through a step for the n-th time."""

    def __init__(self, step: Step, when: str, nth: int = 1) -> None:
        self._step = step
        self._before = when == "before"
        self._left = nth
        self._inside = False

    def lie_in_wait(self) -> None:
        """In this thread and all that begin from now on."""
        threading.settrace(self._watch)
        sys.settrace(self._watch)

    def _watch(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        name = code.co_qualname.replace("<locals>.", "")
        if name != self._step.function or code.co_filename != self._step.file:
            return None
        if not self._step.first:
            self._enter()
            return self._whole
        return self._lines

    def _whole(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "return":
            self._leave()
        return self._whole

    def _lines(self, frame: FrameType, event: str, argument: Any) -> Any:
        within = self._step.first <= frame.f_lineno <= self._step.last
        if event == "line" and within and not self._inside:
            self._enter()
        elif (event == "line" and not within) or event == "return":
            self._leave()
        return self._lines

    def _enter(self) -> None:
        self._inside = True
        self._left -= 1
        if self._before and not self._left:
            os.kill(os.getpid(), signal.SIGKILL)

    def _leave(self) -> None:
        if self._inside and not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        self._inside = False
