"""A large file in parts that fit on a stick: FILE, or FILE.000, FILE.001 and so on. `cat FILE.*` makes one of them."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from appliance.blobs.durable import Disk, DurableFile
from appliance.errors import Fatal
from appliance.values import MIB

_CHUNK = 4 * MIB


def part(file: Path, number: int) -> Path:
    return file.with_name(f"{file.name}.{number:03d}")


class PartWriter:
    """Writes parts of `size` bytes, or one file for 0. Each appears only once it is whole and durable."""

    def __init__(self, file: Path, size: int) -> None:
        self._file = file
        self._size = size
        self._disk = Disk()
        self.written: list[Path] = []

    def write(self, pieces: Iterable[bytes]) -> None:
        """Raises `Failure` if the disk says no; parts that are whole stay for whoever looks."""
        open_: DurableFile | None = None
        try:
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    if open_ is not None and self._size and open_.size >= self._size:
                        self._publish(open_)
                        open_ = None
                    open_ = open_ or self._begin()
                    room = self._size - open_.size if self._size else len(rest)
                    open_.write([rest[:room]])
                    rest = rest[room:]
            if open_ is not None:
                self._publish(open_)
                open_ = None
        finally:
            if open_ is not None:
                open_.discard()

    def _begin(self) -> DurableFile:
        target = part(self._file, len(self.written)) if self._size else self._file
        staged = target.with_name(target.name + ".new")
        staged.unlink(missing_ok=True)
        return DurableFile(self._disk, staged)

    def _publish(self, file: DurableFile) -> None:
        target = file.path.with_name(file.path.name.removesuffix(".new"))
        file.publish(target)
        self.written.append(target)


class PartReader:
    """Reads a file, or its parts one after the other, as one stream. `length` is that of all that are there."""

    def __init__(self, file: Path) -> None:
        self._parts = _parts_of(file)
        self.length = sum(path.stat().st_size for path in self._parts)
        self.last = self._parts[-1]
        self.next = part(_base(file), len(self._parts)) if self._parts[0] != _base(file) else None
        """The part that would come after those that are there."""
        self.position = 0
        """How many bytes were read."""
        self._at = -1
        self._open: BinaryIO | None = None

    def read(self, size: int) -> bytes:
        """Exactly as many bytes, fewer only at the end of the last part."""
        found = b""
        while len(found) < size:
            more = self._open.read(size - len(found)) if self._open is not None else b""
            if not more:
                self.close()
                self._at += 1
                if self._at >= len(self._parts):
                    self._at = len(self._parts)
                    break
                self._open = open(self._parts[self._at], "rb")  # noqa: SIM115 - closed when the next is opened
            found += more
        self.position += len(found)
        return found

    def __enter__(self) -> "PartReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def _base(file: Path) -> Path:
    """The name without the number of a part."""
    return file.with_name(file.name[:-4]) if file.name.endswith(".000") else file


def _parts_of(file: Path) -> list[Path]:
    base = _base(file)
    if base == file and file.is_file():
        return [file]
    numbers = sorted(int(path.name[-3:]) for path in base.parent.glob(f"{base.name}.[0-9][0-9][0-9]") if path.is_file())
    if not numbers:
        raise Fatal(f"there is no {file}, and no {part(base, 0).name} beside it")
    missing = sorted(set(range(numbers[-1] + 1)) - set(numbers))
    if missing:
        raise Fatal(f"{part(base, missing[0])} is missing: there are {len(numbers)} of {numbers[-1] + 1} parts or more")
    return [part(base, number) for number in numbers]
