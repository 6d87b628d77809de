"""The process and its surroundings: standard streams, signals, and the parent of the one-file program."""

import ctypes
import io
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
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
        self._was_missed = False

    def readable(self) -> bool:
        return self._name == _NAMES[0]

    def writable(self) -> bool:
        return self._name == _NAMES[1]

    def readinto(self, buffer: Any, /) -> NoReturn:
        self._miss()

    def write(self, data: Any, /) -> int:
        if not self._was_missed:
            self._was_missed = True
            self._miss()
        # The same data once more, as the interpreter ends: from 3.13 on it would print what is raised then.
        return len(data)

    def fileno(self) -> NoReturn:
        self._miss()

    def isatty(self) -> bool:
        return False

    def _miss(self) -> NoReturn:
        raise Fatal(f"{self._name} is closed")


_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """A signal has asked the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@contextmanager
def raised() -> Iterator[None]:
    """Let the first such signal in the block raise `Ended`; the next one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # One that is ignored, as SIGHUP under nohup, stays so.
    caught = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in caught:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, frame: FrameType | None) -> None:
    for one in _ENDING:
        if signal.getsignal(one) is _raise:
            signal.signal(one, signal.SIG_DFL)
    raise Ended(number)


_PR_SET_PDEATHSIG = 1


def follow() -> None:
    """Have the kernel send SIGTERM when the process that started this one ends, by SIGKILL too."""
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        # It was gone before the kernel could be told.
        os.kill(os.getpid(), signal.SIGTERM)


def clean_up(parent: int) -> None:
    """Remove the unpacked program if `parent`, who would have done it, is gone. The last thing that is done."""
    unpacked = getattr(sys, "_MEIPASS", "")
    if unpacked and os.getppid() != parent:
        shutil.rmtree(unpacked, ignore_errors=True)
