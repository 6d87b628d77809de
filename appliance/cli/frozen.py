"""What differs when the program is the single executable.

That is two processes: an outer one, which unpacks the program into a temporary folder, waits and cleans up, and the
program itself, an inner one. If the outer one is killed there is nobody left to pass signals on or to clean up, and so
the inner one stops as if told to, and takes the folder with it.
"""

import atexit
import ctypes
import os
import shutil
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tie_to_parent() -> None:
    """Have the kernel tell this process to stop when its parent ends. Does nothing in a checkout."""
    unpacked = getattr(sys, "_MEIPASS", None)
    if unpacked is None:
        return
    outer = os.getppid()
    atexit.register(_clean_up_after, outer, unpacked)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _clean_up_after(outer: int, unpacked: str) -> None:
    if os.getppid() != outer:
        shutil.rmtree(unpacked, ignore_errors=True)
