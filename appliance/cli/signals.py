"""What ends a command from outside, as exceptions: whatever it has begun is cleared away as after Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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
