"""Every operation on files that could be lost in a crash, and the only place that calls fsync, rename and replace.

`Disk` is the seam: tests put in one that records each operation and replays legal crashes, or one that fails.
A failed fsync means that the file is lost: the kernel may have dropped the pages, so it is never tried again.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.errors import Failure, StorageFault, StorageFull
from appliance.values import MIB

Bytes = bytes | bytearray | memoryview

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_WRITEBACK_STEP = 16 * MIB
_PARTS_AT_ONCE = 512


def disk_failure(error: OSError, doing: str) -> Failure:
    """What the operating system said, in our own terms."""
    if error.errno in _NO_ROOM:
        return StorageFull(f"the disk is full: {doing} failed")
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StorageFault(f"the disk failed: {doing} said “{reason}”")


class Disk:
    """The operating system's file operations, one method each. Raises OSError."""

    def make_directory(self, path: Path) -> None:
        path.mkdir(mode=0o700)

    def create(self, path: Path) -> int:
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)

    def append_to(self, path: Path) -> int:
        return os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)

    def write(self, fd: int, parts: Sequence[Bytes]) -> int:
        return os.writev(fd, parts)

    def start_writeback(self, fd: int, offset: int, length: int) -> None:
        # Linux starts writing the range's dirty pages and does not wait: the later fsync finds less to do.
        os.posix_fadvise(fd, offset, length, os.POSIX_FADV_DONTNEED)

    def sync(self, fd: int) -> None:
        os.fsync(fd)

    def close(self, fd: int) -> None:
        os.close(fd)

    def rename(self, source: Path, target: Path) -> None:
        os.rename(source, target)

    def unlink(self, path: Path) -> None:
        os.unlink(path)

    def sync_directory(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def open_to_read(self, path: Path) -> int:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def start_reading(self, fd: int, offset: int, length: int) -> None:
        # By range and not by what this descriptor was last used for: many readers share it.
        os.posix_fadvise(fd, offset, length, os.POSIX_FADV_WILLNEED)

    def read_into(self, fd: int, buffer: memoryview, offset: int) -> int:
        return os.preadv(fd, [buffer], offset)

    def reserve(self, path: Path, length: int) -> None:
        """Make a file that takes so much room; nothing of it is there if that fails."""
        path.unlink(missing_ok=True)
        fd = self.create(path)
        try:
            os.posix_fallocate(fd, 0, length)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)

    def names(self, directory: Path) -> Iterator[str]:
        with os.scandir(directory) as entries:
            for entry in entries:
                yield entry.name


class DurableFile:
    """A new file that exists only once `publish` has returned. Until then it may vanish at any moment."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self.path = path
        self.size = 0
        self._sent = 0
        try:
            self._fd = disk.create(path)
        except OSError as error:
            raise disk_failure(error, "creating a file") from error

    def write(self, parts: Sequence[Bytes]) -> None:
        """Append all parts, however the kernel slices them."""
        try:
            for start in range(0, len(parts), _PARTS_AT_ONCE):
                self._write_all([part for part in parts[start : start + _PARTS_AT_ONCE] if len(part)])
            if self.size - self._sent >= _WRITEBACK_STEP:
                self._disk.start_writeback(self._fd, self._sent, self.size - self._sent)
                self._sent = self.size
        except OSError as error:
            raise disk_failure(error, "writing") from error

    def _write_all(self, parts: list[Bytes]) -> None:
        while parts:
            written = self._disk.write(self._fd, parts)
            if written <= 0:
                raise OSError(errno.EIO, "nothing was written")
            self.size += written
            while parts and written >= len(parts[0]):
                written -= len(parts[0])
                parts.pop(0)
            if written:
                parts[0] = memoryview(parts[0])[written:]

    def publish(self, target: Path) -> None:
        """Make the file durable under its final name: fsync, rename, fsync of the directory."""
        try:
            self._disk.sync(self._fd)
        except OSError as error:
            self.discard()
            raise disk_failure(error, "making a file durable") from error
        self._close()
        try:
            self._disk.rename(self.path, target)
            self._disk.sync_directory(target.parent)
        except OSError as error:
            raise disk_failure(error, "naming a file") from error

    def discard(self) -> None:
        """Throw the file away. Never raises: the start-up recovery removes what can't be removed now."""
        self._close()
        try:
            self._disk.unlink(self.path)
        except OSError:
            pass

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                self._disk.close(fd)
            except OSError:
                pass


def ensure_directory(disk: Disk, path: Path) -> None:
    """Make a directory durable, unless it is there."""
    if path.is_dir():
        return
    try:
        disk.make_directory(path)
        disk.sync_directory(path.parent)
    except OSError as error:
        raise disk_failure(error, f"making the directory {path.name}") from error


def remove_files(disk: Disk, directory: Path) -> int:
    """Remove what was staged in a directory; the number of files. Needs no flush: what comes back is removed again."""
    count = 0
    try:
        for name in list(disk.names(directory)):
            disk.unlink(directory / name)
            count += 1
    except OSError as error:
        raise disk_failure(error, "clearing the staging directory") from error
    return count


def replace_file(disk: Disk, path: Path, data: bytes) -> None:
    """Put a small file in place of another: either the old or the new one is found after a crash."""
    scratch = path.with_name(path.name + ".new")
    scratch.unlink(missing_ok=True)
    file = DurableFile(disk, scratch)
    try:
        file.write([data])
    except Failure:
        file.discard()
        raise
    file.publish(path)


def append_durably(disk: Disk, path: Path, data: bytes) -> None:
    """Add to the end of a small journal. A torn end is the reader's business."""
    try:
        fd = disk.append_to(path)
        try:
            rest: Bytes = data
            while len(rest):
                rest = memoryview(rest)[disk.write(fd, [rest]) :]
            disk.sync(fd)
        finally:
            disk.close(fd)
        disk.sync_directory(path.parent)
    except OSError as error:
        raise disk_failure(error, f"adding to {path.name}") from error


def read_exactly(disk: Disk, fd: int, buffer: memoryview, offset: int) -> None:
    """Fill the buffer from the file. Raises `StorageFault` if the disk fails or the file is too short."""
    done = 0
    try:
        while done < len(buffer):
            count = disk.read_into(fd, buffer[done:], offset + done)
            if count == 0:
                raise StorageFault("a stored file is shorter than it was when it was written")
            done += count
    except OSError as error:
        raise disk_failure(error, "reading") from error
