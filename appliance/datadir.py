"""The data directory: what lies where in it, and the kernel lock that gives it one owner."""

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from appliance.errors import Fatal

_LONGEST = 2000
"""Bytes that are read of a lock."""


class DataDir:
    """A data directory, owned by this process from `acquire` to `release`.

    The lock is the kernel's (`flock`), so it goes with its process, however that ends; the file's text only tells
    people who the holder is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.database = self.path / "appliance.db"
        self.blobs = self.path / "blobs"
        self.stores = self.path / "stores"
        self.keys = self.path / "keys"
        self.clouds = self.path / "clouds.yaml"
        self.openrc = self.path / "admin-openrc"
        self._lock: BinaryIO | None = None

    def acquire(self, purpose: str) -> None:
        """Make the directory if need be and become its only user.

        `purpose` is what a second process is told. Raises `Fatal` if the directory can't be used or is in use.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = open(self.path / "lock", "a+b")  # noqa: SIM115 - held open for as long as we own the directory
        except OSError as error:
            raise Fatal(f"can't use {self.path} as the data directory: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read(_LONGEST).decode("utf-8", "replace").partition("\n")[0].strip() or "another process"
            lock.close()
            raise Fatal(f"{self.path} is in use by {holder}") from None
        except OSError as error:
            lock.close()
            raise Fatal(f"can't lock {self.path}: {error.strerror}") from error
        if not _names(self.path / "lock", lock):
            # A first start that failed has taken its file away between our open and our lock.
            lock.close()
            return self.acquire(purpose)
        try:
            lock.truncate(0)
            lock.write(f"process {os.getpid()} ({purpose})\n".encode())
            lock.flush()
        except OSError as error:
            raise Fatal(f"can't write to {self.path}: {error.strerror}") from error
        self._lock = lock

    def tell(self, facts: Mapping[str, str]) -> None:
        """Let other processes know something for as long as we own the directory: `told` gives it to them."""
        if self._lock is not None:
            self._lock.write("".join(f"{name} {value}\n" for name, value in facts.items()).encode())
            self._lock.flush()

    def told(self) -> dict[str, str]:
        """What the owner of the directory tells; nothing if nobody owns it."""
        lines = (self._lock_text() or "").splitlines()[1:]
        return {name: value for name, _, value in (line.partition(" ") for line in lines)}

    def holder(self) -> str | None:
        """Who owns the directory, in the words that the owner wrote into the lock; None if nobody does."""
        text = self._lock_text()
        return None if text is None else text.partition("\n")[0].strip() or "another process"

    def _lock_text(self) -> str | None:
        """What the lock says; None if nobody holds it."""
        try:
            with open(self.path / "lock", "rb") as file:
                try:
                    # A shared lock stands in nobody's way for longer than this takes.
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    return None
                except BlockingIOError:
                    return file.read(_LONGEST).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Fatal(f"can't read {self.path / 'lock'}: {error.strerror}") from error

    def holder_pid(self) -> int | None:
        """The process that owns the directory, if one does."""
        match = re.match(r"process (\d+) ", self.holder() or "")
        return int(match[1]) if match else None

    def release(self) -> None:
        """Give the directory up. The lock file stays: removing it would race with the next owner."""
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    @contextmanager
    def hold_segments(self) -> Iterator[None]:
        """While this lasts, in whatever process, nobody removes a segment: a backup of a live directory copies them.

        A kernel lock as well, so that a backup that dies holds nothing back.
        """
        with self._segments_lock() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    @contextmanager
    def removing_segments(self) -> Iterator[bool]:
        """True if segments may be removed in this block; False while somebody holds them."""
        with self._segments_lock() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def _segments_lock(self) -> BinaryIO:
        return open(self.path / "segments.lock", "a+b")


def _names(path: Path, file: BinaryIO) -> bool:
    """Whether the path still leads to the open file."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
