"""The standard streams as a command finds them: perhaps closed, perhaps of an encoding that lacks characters."""

import io
import os
import sys
from typing import Any, NoReturn

from appliance.errors import Fatal

_NAMES = ("standard input", "standard output")


def prepare(*, tolerant: bool) -> None:
    """Make the streams usable, before anything else is opened.

    What a closed one would have brought or taken is missed in a sentence when it is needed; a `tolerant` command goes
    on without. Nobody misses messages: a closed standard error takes them all. A character that the terminal's
    encoding lacks is written as an escape.
    """
    closed = [number for number in range(3) if not _is_open(number)]
    for number in closed:
        # Else the next file or socket would be opened as this stream.
        os.open(os.devnull, os.O_RDWR)
        _replace(number, tolerant=tolerant or number == 2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """Nobody takes what was printed: let nothing be flushed at the exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.close(devnull)
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), "utf-8")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _replace(number: int, *, tolerant: bool) -> None:
    if tolerant:
        raw: Any = io.FileIO(number, "r" if number == 0 else "w", closefd=False)
    else:
        raw = _Closed(_NAMES[number])
    buffer = io.BufferedReader(raw) if number == 0 else io.BufferedWriter(raw)
    setattr(sys, ("stdin", "stdout", "stderr")[number], io.TextIOWrapper(buffer, "utf-8"))


class _Closed(io.RawIOBase):
    """A stream that was closed before the command began."""

    def __init__(self, name: str) -> None:
        self._name = name

    def readable(self) -> bool:
        return self._name == _NAMES[0]

    def writable(self) -> bool:
        return self._name == _NAMES[1]

    def readinto(self, buffer: Any, /) -> NoReturn:
        self._miss()

    def write(self, data: Any, /) -> NoReturn:
        self._miss()

    def fileno(self) -> NoReturn:
        self._miss()

    def isatty(self) -> bool:
        return False

    def _miss(self) -> NoReturn:
        raise Fatal(f"{self._name} is closed")
