"""Disks that misbehave on purpose: one that fails at the n-th operation, one that records all and replays crashes."""

import errno
import os
import random
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.blobs.durable import Bytes, Disk
from appliance.db.engine.base import Result
from appliance.db.engine.sqlite import SqliteDatabase, SqliteTx


class FailingDisk(Disk):
    """Fails at the n-th operation of one kind, once or from then on; counts them all the while."""

    def __init__(self) -> None:
        self.kind = ""
        self.fails_at = 0
        self.code = errno.EIO
        self.goes_on = False
        self.short_writes = False
        self.count = 0
        self.struck = False
        self._lock = threading.Lock()

    def plan(self, kind: str, at: int, code: int, goes_on: bool = False) -> None:
        with self._lock:
            self.kind, self.fails_at, self.code, self.goes_on = kind, at, code, goes_on
            self.count, self.struck = 0, False

    def heal(self) -> None:
        self.plan("", 0, 0)

    def _turn(self, kind: str) -> None:
        with self._lock:
            if kind != self.kind:
                return
            self.count += 1
            if self.count == self.fails_at or (self.goes_on and self.count > self.fails_at):
                self.struck = True
                raise OSError(self.code, os.strerror(self.code))

    def create(self, path: Path) -> int:
        self._turn("create")
        return super().create(path)

    def write(self, fd: int, parts: Sequence[Bytes]) -> int:
        self._turn("write")
        if self.short_writes:
            return super().write(fd, [memoryview(parts[0])[: max(1, len(parts[0]) // 3)]])
        return super().write(fd, parts)

    def sync(self, fd: int) -> None:
        self._turn("sync")
        super().sync(fd)

    def rename(self, source: Path, target: Path) -> None:
        self._turn("rename")
        super().rename(source, target)

    def unlink(self, path: Path) -> None:
        self._turn("unlink")
        super().unlink(path)

    def sync_directory(self, path: Path) -> None:
        self._turn("sync_directory")
        super().sync_directory(path)

    def open_to_read(self, path: Path) -> int:
        self._turn("open_to_read")
        return super().open_to_read(path)

    def read_into(self, fd: int, buffer: memoryview, offset: int) -> int:
        self._turn("read")
        if self.short_writes:
            return super().read_into(fd, buffer[: max(1, len(buffer) // 2)], offset)
        return super().read_into(fd, buffer, offset)


@dataclass(frozen=True)
class Op:
    kind: str
    path: str = ""
    other: str = ""
    file: int = 0
    data: bytes = b""


class RecordingDisk(Disk):
    """Does everything, and writes down what it did."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log: list[Op] = []
        self._files: dict[str, int] = {}
        self._open: dict[int, int] = {}
        self._made = 0
        self._lock = threading.Lock()

    def note(self, op: Op) -> None:
        with self._lock:
            self.log.append(op)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def make_directory(self, path: Path) -> None:
        super().make_directory(path)
        self.note(Op("mkdir", self._name(path)))

    def create(self, path: Path) -> int:
        fd = super().create(path)
        with self._lock:
            self._made += 1
            self._files[self._name(path)] = self._open[fd] = self._made
            self.log.append(Op("create", self._name(path), file=self._made))
        return fd

    def append_to(self, path: Path) -> int:
        if not path.exists():
            super().close(self.create(path))
        fd = super().append_to(path)
        self._open[fd] = self._files[self._name(path)]
        return fd

    def write(self, fd: int, parts: Sequence[Bytes]) -> int:
        data = b"".join(bytes(part) for part in parts)
        count = super().write(fd, parts)
        self.note(Op("write", file=self._open[fd], data=data[:count]))
        return count

    def sync(self, fd: int) -> None:
        self.note(Op("sync", file=self._open[fd]))

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        with self._lock:
            self._files[self._name(target)] = self._files.pop(self._name(source))
            self.log.append(Op("rename", self._name(source), self._name(target)))

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        self.note(Op("unlink", self._name(path)))

    def sync_directory(self, path: Path) -> None:
        self.note(Op("sync_directory", self._name(path)))


class RecordingDatabase(SqliteDatabase):
    """Keeps a copy of itself at each commit, in the same log: a commit is durable when it returns."""

    def __init__(self, path: Path, disk: RecordingDisk, copies: Path) -> None:
        super().__init__(path)
        self._source = sqlite3.connect(path, check_same_thread=False)
        self._disk = disk
        self._copies = copies
        self._number = 0
        self._copy()

    def transact(self, function: Callable[[SqliteTx], Result], *, frees: bool = False) -> Result:
        result = super().transact(function, frees=frees)
        self._copy()
        return result

    def close(self) -> None:
        self._source.close()
        super().close()

    def _copy(self) -> None:
        self._number += 1
        path = self._copies / f"{self._number}.db"
        target = sqlite3.connect(path)
        self._source.backup(target)
        target.close()
        self._disk.note(Op("commit", str(path)))


@dataclass
class _File:
    data: bytearray = field(default_factory=bytearray)
    synced: int = 0


@dataclass
class AfterCrash:
    """One legal state of the disk after the first `length` operations and a loss of power."""

    database: str = ""
    names: dict[str, int] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)
    files: dict[int, bytes] = field(default_factory=dict)

    def put(self, root: Path) -> None:
        for name in self.directories:
            (root / name).mkdir(parents=True, exist_ok=True)
        for name, file in self.names.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(self.files[file])
        (root / "appliance.db").write_bytes(Path(self.database).read_bytes())


def crash(log: Sequence[Op], luck: random.Random, loss: str) -> AfterCrash:
    """`loss` is `all` (nothing unsynced survives), `none` (all does), or `some`."""
    state = AfterCrash()
    files: dict[int, _File] = {}
    pending: list[Op] = []
    for op in log:
        if op.kind == "commit":
            state.database = op.path
        elif op.kind == "write":
            files[op.file].data += op.data
        elif op.kind == "sync":
            files[op.file].synced = len(files[op.file].data)
        elif op.kind == "sync_directory":
            pending = _settle(state, pending, op.path)
        elif op.kind in ("create", "rename", "unlink", "mkdir"):
            if op.kind == "create":
                files[op.file] = _File()
            pending.append(op)
    for op in pending:
        if loss == "none" or (loss == "some" and luck.random() < 0.5):
            _apply(state, op)
    for number, file in files.items():
        state.files[number] = _survivor(file, luck, loss)
    return state


def _settle(state: AfterCrash, pending: list[Op], directory: str) -> list[Op]:
    """An fsync of a directory makes its entries durable, and what they depend on."""
    rest: list[Op] = []
    for op in pending:
        touched = {str(Path(name).parent) for name in (op.path, op.other) if name}
        if directory in touched:
            if op.kind == "rename":
                rest = [each for each in rest if not (each.path == op.path and _apply(state, each))]
            _apply(state, op)
        else:
            rest.append(op)
    return rest


def _apply(state: AfterCrash, op: Op) -> bool:
    if op.kind == "create":
        state.names[op.path] = op.file
    elif op.kind == "mkdir":
        state.directories.append(op.path)
    elif op.kind == "unlink":
        state.names.pop(op.path, None)
    elif op.kind == "rename" and op.path in state.names:
        state.names[op.other] = state.names.pop(op.path)
    return True


def _survivor(file: _File, luck: random.Random, loss: str) -> bytes:
    synced, unsynced = bytes(file.data[: file.synced]), bytes(file.data[file.synced :])
    if loss == "none" or not unsynced:
        return synced + unsynced
    if loss == "all":
        return synced
    kept = luck.randrange(len(unsynced) + 1)
    # Torn: a later part may have reached the disk without an earlier one, which then reads as zeros.
    return luck.choice([synced + unsynced[:kept], synced + bytes(kept) + unsynced[kept:], synced + bytes(kept)])
