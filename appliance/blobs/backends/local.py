"""A backend made of one local directory, with staging beside it on the same file system."""

import os
from collections.abc import Iterator
from pathlib import Path

from appliance.blobs.backends.base import SegmentHandle, SegmentMissing
from appliance.blobs.durable import Disk, DurableFile, disk_failure, ensure_directory, read_exactly

_SUFFIX = ".seg"


class LocalHandle:
    """An open segment file. The file descriptor keeps the bytes alive after an unlink."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._fd = -1
        try:
            self._fd = disk.open_to_read(path)
            self.size = os.fstat(self._fd).st_size
        except FileNotFoundError as error:
            raise SegmentMissing(path) from error
        except OSError as error:
            self.close()
            raise disk_failure(error, "opening a segment") from error

    def read_into(self, buffer: memoryview, offset: int) -> None:
        read_exactly(self._disk, self._fd, buffer, offset)

    def read_ahead(self, offset: int, length: int) -> bool:
        self._disk.start_reading(self._fd, offset, length)
        return True

    def file_number(self) -> int | None:
        return self._fd

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class LocalBackend:
    """`segments/` holds what is sealed, `staging/` what is not. Satisfies `Backend`."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._disk = disk
        self.segments = directory / "segments"
        self.staging = directory / "staging"
        for path in (directory, self.segments, self.staging):
            ensure_directory(disk, path)

    def path(self, name: str) -> Path:
        return self.segments / (name + _SUFFIX)

    def stage(self, name: str) -> DurableFile:
        return DurableFile(self._disk, self.staging / (name + _SUFFIX))

    def put(self, name: str, staged: DurableFile) -> None:
        staged.publish(self.path(name))

    def open(self, name: str) -> SegmentHandle:
        return LocalHandle(self._disk, self.path(name))

    def names(self) -> Iterator[str]:
        try:
            for name in self._disk.names(self.segments):
                if name.endswith(_SUFFIX):
                    yield name.removesuffix(_SUFFIX)
        except OSError as error:
            raise disk_failure(error, "listing the segments") from error

    def size(self, name: str) -> int | None:
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk_failure(error, "looking at a segment") from error

    def age(self, name: str, now: int) -> int:
        try:
            return now - self.path(name).stat().st_mtime_ns // 1000
        except OSError:
            return 0

    def delete(self, name: str) -> None:
        try:
            self._disk.unlink(self.path(name))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise disk_failure(error, "removing a segment") from error

    def clear_staging(self) -> int:
        count = 0
        try:
            for name in list(self._disk.names(self.staging)):
                self._disk.unlink(self.staging / name)
                count += 1
        except OSError as error:
            raise disk_failure(error, "clearing the staging directory") from error
        return count
