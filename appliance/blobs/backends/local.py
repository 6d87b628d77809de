"""A backend made of one local directory, with staging beside it on the same file system."""

import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from appliance.blobs.backends.base import SegmentHandle, SegmentMissing, StagedSegment
from appliance.blobs.backends.registry import Location
from appliance.blobs.backends.tombstones import Tombstones
from appliance.blobs.durable import (
    Bytes,
    Disk,
    DurableFile,
    disk_failure,
    ensure_directory,
    read_exactly,
    remove_files,
    replace_file,
)
from appliance.errors import StorageFault
from appliance.values import MIB, Micros

_SUFFIX = ".seg"
_IDLE_HANDLES = 64


class LocalHandle:
    """An open segment file. The file descriptor keeps the bytes alive after an unlink."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._fd = -1
        self.identity = path.stem
        try:
            self._fd = disk.open_to_read(path)
            self.size = os.fstat(self._fd).st_size
        except FileNotFoundError as error:
            raise SegmentMissing(path) from error
        except OSError as error:
            self.close()
            raise disk_failure(error, "opening a segment") from error

    def read_into(self, buffer: memoryview, offset: int, *, fresh: bool = False) -> None:
        read_exactly(self._disk, self._fd, buffer, offset)

    def read_ahead(self, offset: int, length: int) -> bool:
        self._disk.start_reading(self._fd, offset, length)
        return True

    def file_with(self, offset: int, length: int) -> int | None:
        return self._fd

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class LocalStaged:
    """A file of the staging directory, and where it goes."""

    def __init__(self, disk: Disk, path: Path, target: Path) -> None:
        self._file = DurableFile(disk, path)
        self._target = target

    @property
    def size(self) -> int:
        return self._file.size

    def write(self, parts: Sequence[Bytes]) -> None:
        self._file.write(parts)

    def publish(self) -> None:
        self._file.publish(self._target)

    def discard(self) -> None:
        self._file.discard()


class LocalBackend:
    """`segments/` holds what is sealed, `staging/` what is not. Satisfies `Backend`."""

    idle_handles = _IDLE_HANDLES
    segment_size = 512 * MIB
    is_remote = False

    def __init__(self, directory: Path, disk: Disk | None = None) -> None:
        self._disk = disk or Disk()
        self._directory = directory
        self._segments = directory / "segments"
        self._staging = directory / "staging"
        self._mark = directory / "store"
        self._tombstones = Tombstones(directory, self._disk)

    @property
    def place(self) -> str:
        return str(self._directory)

    @property
    def details(self) -> Mapping[str, object]:
        return {"data_dir": self.place, "chunk_size": 65536, "thin_provisioning": True}

    @property
    def working_directory(self) -> Path | None:
        return self._directory

    def is_there(self) -> bool:
        return self._directory.is_dir()

    def prepare(self) -> None:
        for path in (self._directory, self._segments, self._staging):
            ensure_directory(self._disk, path)

    def read_mark(self) -> bytes | None:
        try:
            return self._mark.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk_failure(error, "reading the store's mark") from error

    def write_mark(self, mark: bytes) -> None:
        replace_file(self._disk, self._mark, mark)

    def note_deletions(self, uploads: Collection[bytes]) -> None:
        self._tombstones.add(uploads)

    def deletions(self) -> set[bytes]:
        return self._tombstones.all()

    def _path(self, name: str) -> Path:
        return self._segments / (name + _SUFFIX)

    def stage(self, name: str) -> StagedSegment:
        return LocalStaged(self._disk, self._staging / (name + _SUFFIX), self._path(name))

    def open(self, name: str) -> SegmentHandle:
        return LocalHandle(self._disk, self._path(name))

    def names(self) -> Iterator[str]:
        try:
            for name in self._disk.names(self._segments):
                if name.endswith(_SUFFIX):
                    yield name.removesuffix(_SUFFIX)
        except OSError as error:
            raise disk_failure(error, "listing the segments") from error

    def size(self, name: str) -> int | None:
        try:
            return self._path(name).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk_failure(error, "looking at a segment") from error

    def age(self, name: str, now: Micros) -> int:
        try:
            return now - self._path(name).stat().st_mtime_ns // 1000
        except OSError:
            return 0

    def delete(self, name: str) -> None:
        try:
            self._disk.unlink(self._path(name))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise disk_failure(error, "removing a segment") from error

    def clear_staging(self) -> int:
        return remove_files(self._disk, self._staging)

    def free_space(self) -> int | None:
        try:
            return shutil.disk_usage(self._directory).free
        except OSError as error:
            raise StorageFault(f"the directory {self._directory} can't be read: {error.strerror}") from error

    def trouble(self) -> str | None:
        return None

    def close(self) -> None:
        """Nothing stays open here: each handle is closed by whoever opened it."""


def connect(location: Location, disk: Disk) -> LocalBackend:
    """The backend of a directory."""
    return LocalBackend(location.directory, disk)
