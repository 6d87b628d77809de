"""The one-file program is two processes: one that has unpacked it and waits, and one that works. They end together."""

import ctypes
import os
import shutil
import signal
import sys

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
