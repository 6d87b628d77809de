"""Backup of a live data directory, and its restoration: the database first, then the segments that it names.

A backup is a data directory itself. Segments never change, so a second backup to the same place copies only new ones.
At any moment the database in the backup names only segments that lie there: segments come before it, and those that
it names no more go after it.
"""

import logging
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.blobs.backends.base import Backend, SegmentMissing
from appliance.blobs.backends.local import LocalBackend
from appliance.blobs.durable import Disk, DurableFile, disk_failure, ensure_directory, replace_file
from appliance.datadir import DataDir
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.files import stores_in_use
from appliance.db.engine.registry import open_database
from appliance.db.engine.sqlite import copy_database
from appliance.errors import Failure, Fatal, StorageFault
from appliance.image.store_settings import inside, inside_path, write_record
from appliance.settings import Settings
from appliance.values import MIB

log = logging.getLogger(__name__)

_PAGE = 1000
_CHUNK = 4 * MIB

Progress = Callable[[int, int], None]
"""Told how many more bytes of segments are done, and how many there are in all."""


def _nobody(done: int, total: int) -> None:
    """Nobody watches."""


@dataclass(slots=True)
class CopyReport:
    """What a backup or restoration did. Sizes are bytes."""

    copied: int = 0
    copied_size: int = 0
    kept: int = 0
    removed: int = 0
    missing: list[str] = field(default_factory=list)
    """Segments that the database names and that are not there, or not whole: the source is damaged."""


class Copier:
    """Copies one data directory's database, segments and small files to another."""

    def __init__(self, source: DataDir, target: DataDir, progress: Progress = _nobody) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._total = 0
        self._disk = Disk()
        self.report = CopyReport()

    def copy(self, stores: Mapping[str, tuple[Backend, Backend]]) -> CopyReport:
        """Copy everything; `stores` says for each one where it is and where its copy goes.

        Raises `Failure` if the disk says no: what was copied so far is used by the next try.
        """
        scratch = self._target.path / "appliance.db.copy"
        scratch.unlink(missing_ok=True)
        copy_database(self._source.database, scratch)
        try:
            _check_stores(scratch, stores)
            named = _segments(scratch, stores)
            self._total = sum(size for segments in named.values() for size in segments.values())
            for name, (source, target) in stores.items():
                self._prepare(target)
                for segment, size in named[name].items():
                    self._copy_segment(source, target, segment, size)
                _copy_notes(source, target)
            self._copy_small()
            self._publish(scratch)
        finally:
            scratch.unlink(missing_ok=True)
        for name, (_, target) in stores.items():
            self._remove_unnamed(target, named[name])
        return self.report

    def _prepare(self, target: Backend) -> None:
        if target.working_directory and target.working_directory.parent == self._target.stores:
            ensure_directory(self._disk, self._target.stores)
        target.prepare()
        # What a copy that was killed has left half way.
        target.clear_staging()

    def _copy_segment(self, source: Backend, target: Backend, name: str, size: int) -> None:
        if target.size(name) == size:
            self.report.kept += 1
            self._progress(size, self._total)
            return
        if source.size(name) != size:
            log.error("segment %s is missing or not whole; it is not copied", name)
            self.report.missing.append(name)
            self._progress(size, self._total)
            return
        target.delete(name)
        staged = target.stage(name)
        try:
            for chunk in _read(source, name):
                staged.write([chunk])
                self._progress(len(chunk), self._total)
            staged.publish()
        except Failure:
            staged.discard()
            raise
        self.report.copied += 1
        self.report.copied_size += size

    def _copy_small(self) -> None:
        """Keys, settings, credentials and our own authority."""
        self._copy_files(self._source.path, self._target.path, ("appliance.toml", "clouds.yaml", "admin-openrc"))
        trees = (self._source.keys, *self._source.keys.rglob("*"), self._source.tls)
        for directory in sorted(path for path in trees if path.is_dir()):
            target = self._target.path / directory.relative_to(self._source.path)
            ensure_directory(self._disk, target)
            self._copy_files(directory, target, [path.name for path in directory.iterdir() if path.is_file()])

    def _copy_files(self, source: Path, target: Path, names: list[str] | tuple[str, ...]) -> None:
        for name in names:
            if not (source / name).is_file():
                continue
            data = (source / name).read_bytes()
            if not (target / name).is_file() or (target / name).read_bytes() != data:
                replace_file(self._disk, target / name, data)

    def _publish(self, scratch: Path) -> None:
        """Put the copied database in its place, durably."""
        half_way = self._target.path / "appliance.db.staged"
        half_way.unlink(missing_ok=True)
        staged = DurableFile(self._disk, half_way)
        try:
            for chunk in _chunks(scratch):
                staged.write([chunk])
        except Failure:
            staged.discard()
            raise
        # A log left by whoever opened the former copy would be played into the new one.
        for suffix in ("-wal", "-shm"):
            self._target.database.with_name(self._target.database.name + suffix).unlink(missing_ok=True)
        staged.publish(self._target.database)

    def _remove_unnamed(self, backend: Backend, named: Container[str]) -> None:
        for name in list(backend.names()):
            if name not in named:
                backend.delete(name)
                self.report.removed += 1


def back_up(
    source: DataDir,
    target_path: Path,
    stores: Mapping[str, Backend],
    settings: Settings | None = None,
    progress: Progress = _nobody,
) -> CopyReport:
    """Copy the data directory `source`, which may be in use, to `target_path`.

    `stores` gives each store's backend; the copy's record of its stores is made of `settings`.
    Raises `Fatal` for a target that is something else than a backup.
    """
    if not source.database.is_file():
        raise Fatal(f"{source.path} is not a data directory: it has no database")
    target = DataDir(target_path)
    if target.path == source.path or target.path in source.path.parents or source.path in target.path.parents:
        raise Fatal(f"{target.path} and the data directory must not lie in one another")
    if target.path.is_dir() and any(target.path.iterdir()) and not (target.path / "lock").exists():
        raise Fatal(f"{target.path} is neither empty nor a backup")
    target.acquire("backup")
    try:
        places = {name: (backend, _inside(target, name)) for name, backend in stores.items()}
        with source.hold_segments():
            report = Copier(source, target, progress).copy(places)
        if settings is not None:
            write_record(inside(settings), target)
        source.note_backup()
        return report
    finally:
        target.release()


def restore(
    backup_path: Path, target: DataDir, stores: Mapping[str, Backend], progress: Progress = _nobody
) -> CopyReport:
    """Copy a backup to `target`, a new data directory that the caller owns. An interrupted one can be run again.

    Raises `Fatal` if the target has a database already, or the backup none.
    """
    backup = DataDir(backup_path)
    check_backup(backup)
    if target.database.exists():
        raise Fatal(f"{target.path} has a database already; restore to a new directory")
    with backup.hold_segments():
        places = {name: (_inside(backup, name), backend) for name, backend in stores.items()}
        return Copier(backup, target, progress).copy(places)


def check_backup(backup: DataDir) -> None:
    """Raise `Fatal` for a directory that can't be restored from."""
    if not backup.database.is_file():
        raise Fatal(f"{backup.path} is not a backup: it has no database")


def _check_stores(database: Path, stores: Mapping[str, tuple[Backend, Backend]]) -> None:
    """A store that is not copied, or whose disk is not there, would make a backup without its images."""
    for name in stores_in_use(database):
        if name not in stores:
            raise Fatal(f"the database names the store {name}, and nothing says where it is: see --enabled-backends")
        source = stores[name][0]
        if not source.is_there():
            raise Fatal(f"{source.place}, the directory of the store {name}, is not there: is its disk mounted?")


def _inside(directory: DataDir, store: str) -> Backend:
    """Where a backup keeps a store, wherever it was originally."""
    return LocalBackend(inside_path(directory, store))


def _copy_notes(source: Backend, target: Backend) -> None:
    """The store's mark, and the journal of deletions."""
    mark = source.read_mark()
    if mark is not None and mark != target.read_mark():
        target.write_mark(mark)
    target.note_deletions(source.deletions() - target.deletions())


def _read(backend: Backend, name: str) -> Iterator[bytes]:
    try:
        handle = backend.open(name)
    except SegmentMissing as error:
        raise StorageFault(str(error)) from error
    try:
        for start in range(0, handle.size, _CHUNK):
            chunk = bytearray(min(_CHUNK, handle.size - start))
            handle.read_into(memoryview(chunk), start)
            yield bytes(chunk)
    finally:
        handle.close()


def _segments(database: Path, stores: Mapping[str, object]) -> dict[str, dict[str, int]]:
    """The segments, with their sizes, that a copied database names for each store."""
    db = open_database(database)
    try:
        return {name: dict(_segments_of(BlockIndex(db, name))) for name in stores}
    finally:
        db.close()


def _segments_of(index: BlockIndex) -> Iterator[tuple[str, int]]:
    after = 0
    if index.store_uuid() is None:
        return
    while rows := index.maintenance.segments(after, _PAGE):
        after = rows[-1].id
        yield from ((row.name, row.size) for row in rows)


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise disk_failure(error, f"reading {path.name}") from error
