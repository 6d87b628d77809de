"""Room on the disk that only what gives room back may use, so that a full disk can be emptied through the service.

A file holds the room. While it is whole, whatever adds to the disk is refused a little before the disk is full. Whoever
deletes, revokes, logs in, collects or starts may spend it: the file goes when there is no other room, and comes back
when there is plenty again. Until then everything that adds is refused.
"""

import logging
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.blobs.durable import Disk
from appliance.errors import StorageFull
from appliance.values import MIB, Micros, elapsed

log = logging.getLogger(__name__)

NAME = "reserve"
_MISSED = 60_000_000
"""How long room that somebody has missed counts as wanted."""


class Reserve:
    """The reserve of one directory's file system, or of none, where there is room without end. For any thread.

    A size of 0 keeps none and refuses nothing.
    """

    def __init__(
        self, directory: Path | None, size: int, disk: Disk | None = None, clock: Callable[[], Micros] = elapsed
    ) -> None:
        self._directory = directory or Path()
        self.path = self._directory / NAME
        self._asked = size if directory else 0
        self._unlimited = directory is None
        self._disk = disk or Disk()
        self._lock = threading.Lock()
        self._spending = threading.local()
        self._intact = bool(self._asked) and self.path.is_file()
        self._clock = clock
        self._missed, self._missed_at = 0, 0

    @property
    def size(self) -> int:
        """What is kept: as much as asked for, but no more than an eighth of a small disk."""
        if not self._asked:
            return 0
        try:
            return min(self._asked, shutil.disk_usage(self._directory).total // 8)
        except OSError:
            return self._asked

    def admit(self) -> None:
        """Before a write: raise `StorageFull` if there is no room but the reserve; spend it where that is allowed."""
        if not self._asked:
            return
        if getattr(self._spending, "depth", 0):
            self._give_way()
        elif trouble := self.trouble():
            raise StorageFull(trouble)

    @contextmanager
    def spending(self) -> Iterator[None]:
        """What this thread writes in the block gives room back in the end, or must work on a full disk all the same."""
        self._spending.depth = getattr(self._spending, "depth", 0) + 1
        try:
            yield
        finally:
            self._spending.depth -= 1

    def trouble(self) -> str | None:
        """Why nothing may be added at present."""
        if not self._asked:
            return None
        free = self.free()
        if self._intact and free >= self.size // 8:
            return None
        if not self._intact and self.refill():
            return None
        return (
            f"the disk is full: {free // MIB} MiB are free, which are kept for deleting; "
            "delete images, or give the disk more room"
        )

    def miss(self, size: int) -> None:
        """Somebody was refused for want of room for so many bytes."""
        self._missed, self._missed_at = size, self._clock()

    def is_short(self) -> bool:
        """Whether room is wanted now, so that what is deleted should give its own back without waiting."""
        wanted = 0 < self._missed <= self._total() and self._clock() - self._missed_at < _MISSED
        return self.trouble() is not None or (wanted and self.free() < self._missed)

    def _total(self) -> int:
        """What the disk could ever have room for."""
        try:
            return shutil.disk_usage(self._directory).total
        except OSError:
            return 0

    def refill(self) -> bool:
        """Set the room aside if there is enough; says whether it is."""
        size = self.size
        with self._lock:
            if self._intact or not size:
                return True
            if self.free() < size + size // 4:
                return False
            try:
                self._disk.reserve(self.path, size)
            except OSError as error:
                log.error("no room could be set aside for a full disk: %s", error.strerror)
                return False
            self._intact = True
            return True

    def free(self) -> int:
        """Bytes that are free beside the reserve."""
        if self._unlimited:
            return sys.maxsize
        try:
            return shutil.disk_usage(self._directory).free
        except OSError:
            return 0

    def _give_way(self) -> None:
        """Let the file go if there is no other room."""
        if not self._intact or self.free() >= self.size // 8:
            return
        with self._lock:
            if not self._intact:
                return
            self._intact = False
            try:
                self._disk.unlink(self.path)
            except FileNotFoundError:
                pass
            except OSError as error:
                log.error("the reserve of a full disk can't be used: %s", os.strerror(error.errno or 0))
                return
        log.warning("the disk is full: what is kept for deleting is used now, and nothing is added until there is room")
