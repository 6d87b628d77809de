"""The data directory: what is where in it, and the kernel lock that gives it one owner."""

import errno
import fcntl
import logging
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from appliance.errors import Fatal

log = logging.getLogger(__name__)

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
        self.remote = self.path / "remote"
        self.store_record = self.path / "stores.json"
        self.keys = self.path / "keys"
        self.tls = self.path / "tls"
        self.fleet = self.path / "fleet"
        self.clouds = self.path / "clouds.yaml"
        self.openrc = self.path / "admin-openrc"
        self.last_backup = self.path / "last-backup"
        self.node = self.path / "node"
        self._lock: BinaryIO | None = None
        self._directory = -1

    def room(self) -> tuple[int, int]:
        """The size and the free bytes of the disk that it is on."""
        usage = shutil.disk_usage(self.path)
        return usage.total, usage.free

    def backed_up_at(self) -> int | None:
        """When a backup of it was last made, in microseconds; None if that is not known."""
        try:
            return self.last_backup.stat().st_mtime_ns // 1000
        except OSError:
            return None

    def note_backup(self) -> None:
        """Say that a backup was made now. Whoever may only read the directory makes one without a note."""
        with suppress(OSError):
            self.last_backup.touch(mode=0o600)

    def acquire(self, purpose: str) -> None:
        """Make the directory if need be and become its only user.

        `purpose` is what a second process is told. Raises `Fatal` if the directory can't be used or is in use.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The directory itself is locked, too: removing the file must not let a second owner in.
            self._directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Fatal(f"can't use {self.path} as the data directory: {reason(error)}") from error
        try:
            _lock(self._directory)
            lock = open(self.path / "lock", "a+b", opener=_private)  # noqa: SIM115 - open as long as we own it
            self._lock = lock
            _lock(lock.fileno())
        except BlockingIOError:
            holder = _first_line(self._text())
            self._let_go()
            raise Fatal(f"{self.path} is in use by {holder}") from None
        except OSError as error:
            self._let_go()
            raise Fatal(f"can't lock {self.path}: {reason(error)}") from error
        if not (_leads_to(self.path, self._directory) and _leads_to(self.path / "lock", lock.fileno())):
            # A first start that failed has taken what it had made away between our open and our lock.
            self._let_go()
            return self.acquire(purpose)
        try:
            lock.truncate(0)
            lock.write(f"process {os.getpid()} ({purpose})\n".encode())
            lock.flush()
        except OSError as error:
            # On a full disk the text is all that is missing.
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                self._let_go()
                raise Fatal(f"can't write to {self.path}: {reason(error)}") from error
        try:
            if narrowed := self.narrow():
                log.warning(narrowed)
        except Fatal:
            self.release()
            raise

    def narrow(self) -> str | None:
        """Let nobody but the owner into the directory; says what was changed, if anything. Raises `Fatal`.

        The files that are made beside it keep whatever mode they have: nobody else gets to them any more. Those with
        secrets are narrowed all the same, for copies keep modes.
        """
        status = self.path.stat()
        too_open = stat.S_IMODE(status.st_mode) & 0o077
        if too_open and status.st_mode & stat.S_ISVTX:
            raise Fatal(f"{self.path} is a directory that others write to: choose a data directory of its own")
        files = [path for path in self._secret_files() if path.is_file() and path.stat().st_mode & 0o077]
        try:
            if too_open:
                self.path.chmod(0o700)
            for path in files:
                path.chmod(0o600)
        except OSError as error:
            raise Fatal(
                f"others may read {self.path}, and its mode can't be changed: {reason(error)}; "
                f"let its owner `chmod -R go= {self.path}`"
            ) from error
        if not too_open and not files:
            return None
        return f"others could read {self.path}: it is for its owner alone now (mode 0700)"

    def _secret_files(self) -> Iterator[Path]:
        yield from (self.clouds, self.openrc, self.path / "lock", self.path / "segments.lock")
        yield from self.path.glob("appliance.db*")
        yield from self.keys.rglob("*")
        yield from self.tls.glob("*.key")

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
        return None if text is None else _first_line(text)

    def _lock_text(self) -> str | None:
        """What the lock says; None if nobody holds it."""
        try:
            # A shared lock is in nobody's way for longer than this takes.
            for path in (self.path, self.path / "lock"):
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                finally:
                    os.close(fd)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            return self._text()
        except OSError as error:
            raise Fatal(f"can't read {self.path / 'lock'}: {reason(error)}") from error
        return None

    def _text(self) -> str:
        """What the owner wrote into the lock."""
        try:
            with open(self.path / "lock", "rb") as file:
                return file.read(_LONGEST).decode("utf-8", "replace")
        except OSError:
            return ""

    def holder_pid(self) -> int | None:
        """The process that owns the directory, if one does."""
        match = re.match(r"process (\d+) ", self.holder() or "")
        return int(match[1]) if match else None

    def release(self) -> None:
        """Give the directory up. The lock file stays: removing it would race with the next owner."""
        if self._lock is not None:
            self._lock.truncate(0)
        self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1

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
        return open(self.path / "segments.lock", "a+b", opener=_private)


def _first_line(text: str) -> str:
    """Who holds a lock, by what is written into it."""
    return text.partition("\n")[0].strip() or "another process"


def _leads_to(path: Path, fd: int) -> bool:
    """Whether the path still leads to what is open."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


def reason(error: OSError) -> str:
    """Why the system refused, and for what an operator can do something about, what to do."""
    said = os.strerror(error.errno) if error.errno else str(error)
    if error.errno == errno.EROFS:
        return f"{said}; mount it for writing (after an error the kernel may have made it read-only: see its log)"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{said}; make room there"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{said} for the user with id {os.geteuid()}"
    return said


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _lock(fd: int) -> None:
    """Raises `BlockingIOError` if another process has it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Network file systems that lock files only: the file's lock is there besides.
        if error.errno not in (errno.EBADF, errno.EINVAL, errno.EISDIR, errno.ENOTSUP):
            raise
