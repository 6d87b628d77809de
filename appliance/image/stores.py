"""The stores that images are kept in: set up from the settings, recorded in the database, chosen by name."""

import dataclasses
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.blobs.block_reader import RecentChecks
from appliance.blobs.durable import Disk, replace_file
from appliance.blobs.reserve import Reserve
from appliance.blobs.store import BlobStore
from appliance.datadir import DataDir
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.base import Database
from appliance.db.engine.files import stores_in_use
from appliance.errors import ApplianceError, Fatal, Invalid, StorageFault, WrongUsage
from appliance.settings import Settings
from appliance.values import Clock


@dataclass(frozen=True, slots=True)
class Store:
    """One named store. One without blobs is read-only: it stands for what is elsewhere, behind URLs."""

    id: str
    blobs: BlobStore | None
    type: str = "file"
    description: str = ""
    weight: int = 0

    @property
    def read_only(self) -> bool:
        return self.blobs is None

    @property
    def writer(self) -> BlobStore:
        """The blobs of a store that can be written."""
        if self.blobs is None:
            raise Invalid(f"Store {self.id} is read-only.")
        return self.blobs

    def free_space(self) -> int:
        """Bytes that the disk still has room for."""
        try:
            return shutil.disk_usage(self.writer.directory).free
        except OSError as error:
            raise StorageFault(f"the directory of store {self.id} can't be read: {error.strerror}") from error


class Stores:
    """All stores in the order of the settings, and the one that takes what names no store.

    A `retired` store is no longer offered to clients, but what is in it can still be read.
    """

    def __init__(
        self,
        stores: Iterable[Store],
        default: str,
        *,
        several: bool = False,
        retired: Iterable[Store] = (),
        reserve: Reserve | None = None,
    ) -> None:
        self._offered = {store.id: store for store in stores}
        self._by_id = {store.id: store for store in retired} | self._offered
        self.default = self._offered[default]
        self._reserve = reserve
        """That of the database."""
        self.several = several
        """Whether clients are told of stores at all."""

    def __iter__(self) -> Iterator[Store]:
        return iter(self._offered.values())

    def __contains__(self, store_id: str) -> bool:
        return store_id in self._offered

    def every(self) -> Iterator[Store]:
        """The retired ones too."""
        return iter(self._by_id.values())

    def find(self, store_id: str | None) -> Store | None:
        return self._by_id.get(store_id) if store_id is not None else None

    def writable(self, store_id: str | None) -> Store:
        """The store of that name, the default one for None. Raises `Invalid`."""
        if store_id is None:
            return self.default
        store = self._offered.get(store_id)
        if store is None or store.read_only or not self.several:
            raise Invalid(f"Unknown store identifier: {store_id}")
        return store

    @property
    def for_urls(self) -> str | None:
        """The store that URLs belong to; None where clients are told of no stores, or there is none of the kind."""
        return next((store.id for store in self if store.type == "http"), None) if self.several else None

    @property
    def takes_urls(self) -> bool:
        """Whether images may lie at URLs; the single store of an appliance always comes with one for them."""
        return not self.several or self.for_urls is not None

    def weight(self, store_id: str | None) -> int:
        store = self.find(store_id)
        return store.weight if store else 0

    def trouble(self) -> dict[str, str | None]:
        """What keeps each writable store from taking data, or None."""
        database = self._reserve.trouble() if self._reserve else None
        return ({"database": database} if database else {}) | {
            store.id: store.blobs.reserve.trouble() or store.blobs.write_trouble()
            for store in self.every()
            if store.blobs is not None
        }

    @contextmanager
    def spending(self) -> Iterator[None]:
        """What this thread does in the block may use what is kept free on the stores' disks."""
        with ExitStack() as spent:
            for reserve in self._reserves():
                spent.enter_context(reserve.spending())
            yield

    def is_full(self) -> bool:
        """Whether a disk has no room but what is kept for deleting."""
        return any(reserve.trouble() for reserve in self._reserves())

    def refill(self) -> None:
        """Keep room free again on the disks that have it."""
        for reserve in self._reserves():
            reserve.refill()

    def _reserves(self) -> set[Reserve]:
        of_stores = {store.blobs.reserve for store in self.every() if store.blobs is not None}
        return of_stores | ({self._reserve} if self._reserve else set())

    def close(self) -> None:
        """Close every store's files."""
        for store in self.every():
            if store.blobs is not None:
                store.blobs.close()


SINGLE = "main"
"""The store of an appliance that has one. It keeps its name and its place when others join it."""

_ID = re.compile(r"(?!os_glance_)[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


def store_paths(settings: Settings, directory: DataDir) -> dict[str, Path | None]:
    """Each store's directory by its id, in the order of the settings; None for a read-only one behind URLs.

    Raises `WrongUsage` for settings that can't be meant.
    """
    paths: dict[str, Path | None] = {}
    for item in settings.enabled_backends or (f"{SINGLE}:file",):
        name, kind, place = (item.split(":", 2) + ["", ""])[:3]
        if not _ID.fullmatch(name) or name in paths:
            raise WrongUsage(f"enabled_backends: {item!r} has no name of its own that a store can have")
        if kind == "http" and not place:
            paths[name] = None
        elif kind == "file":
            paths[name] = Path(place) if place else directory.blobs if name == SINGLE else directory.stores / name
        else:
            raise WrongUsage(f"enabled_backends: {item!r} is neither id:file, id:file:DIRECTORY nor id:http")
    if not any(paths.values()):
        raise WrongUsage("enabled_backends: at least one store must be of the type file")
    return paths


def store_directories(settings: Settings, directory: DataDir) -> dict[str, Path]:
    """Each directory of blocks by its store's id, the former single store's too if it is there."""
    found = {name: path for name, path in store_paths(settings, directory).items() if path is not None}
    return found | ({SINGLE: directory.blobs} if SINGLE not in found and directory.blobs.is_dir() else {})


def open_stores(
    settings: Settings,
    directory: DataDir,
    db: Database,
    clock: Clock,
    *,
    lost_index: bool = False,
    disk: Disk | None = None,
    reserve: Reserve | None = None,
) -> Stores:
    """Open every store. The caller closes them. `reserve` is that of the data directory's disk.

    `disk` is for tests of disks that fail.
    """
    if settings.dedup_scope not in ("project", "all"):
        raise WrongUsage(f"dedup_scope is project or all, not {settings.dedup_scope!r}")
    paths = store_paths(settings, directory)
    weights = _by_store("store_weights", settings.store_weights, paths)
    descriptions = _by_store("store_descriptions", settings.store_descriptions, paths)
    default = settings.default_backend or next(name for name, path in paths.items() if path)
    retired = SINGLE not in paths and directory.blobs.is_dir()
    if paths.get(default) is None:
        raise WrongUsage(f"default_backend: there is no store {default!r} that can be written")
    try:
        numbers = {name: int(weight) for name, weight in weights.items()}
    except ValueError as error:
        raise WrongUsage("store_weights: a weight is a whole number") from error

    def opened(name: str, path: Path) -> BlobStore:
        if path.parent == directory.stores:
            directory.stores.mkdir(mode=0o700, exist_ok=True)
        elif not path.parent.is_dir():
            raise Fatal(
                f"{path.parent}, where the store {name} is to be, is not there: make it first, or mount its disk"
            )
        checks = RecentChecks(settings.recheck_seconds)
        removal_lock = directory.removing_segments
        store = BlobStore(path, BlockIndex(db, name), clock=clock, disk=disk, removal_lock=removal_lock, checks=checks)
        store.open(lost_index=lost_index)
        if reserve is not None:
            store.reserve = _reserve_of(path, settings, directory, reserve)
        return store

    stores: list[Store] = []
    try:
        for name, path in paths.items():
            blobs = opened(name, path) if path else None
            kind = "file" if path else "http"
            stores.append(Store(name, blobs, kind, descriptions.get(name, ""), numbers.get(name, 0)))
        # The single store of before stays readable when the settings name others and not it.
        former = [Store(SINGLE, opened(SINGLE, directory.blobs))] if retired else []
    except BaseException:
        for store in stores:
            if store.blobs is not None:
                store.blobs.close()
        raise
    return Stores(stores, default, several=bool(settings.enabled_backends), retired=former, reserve=reserve)


def _reserve_of(path: Path, settings: Settings, directory: DataDir, reserve: Reserve) -> Reserve:
    """The reserve of a store: the data directory's, or one of its own if it is on another file system."""
    if path.stat().st_dev == directory.path.stat().st_dev:
        return reserve
    own = Reserve(path, settings.disk_reserve)
    own.refill()
    return own


def _by_store(setting: str, items: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """`("a:1", "b:2")` → `{"a": "1", "b": "2"}`."""
    found = {}
    for item in items:
        name, _, value = item.partition(":")
        if name not in known:
            raise WrongUsage(f"{setting}: there is no store {name!r}")
        found[name] = value
    return found


def write_record(settings: Settings, directory: DataDir) -> None:
    """Note the stores of these settings, places in full, unless they are noted already."""
    items = []
    for name, path in store_paths(settings, directory).items():
        items.append(f"{name}:http" if path is None else _item(name, path.absolute(), directory))
    if not settings.enabled_backends:
        items = []
    text = json.dumps({"enabled_backends": items, "default_backend": settings.default_backend}, indent=1) + "\n"
    path = directory.store_record
    if not path.is_file() or path.read_text() != text:
        replace_file(Disk(), path, text.encode())


def _item(name: str, path: Path, directory: DataDir) -> str:
    inside = directory.blobs if name == SINGLE else directory.stores / name
    return f"{name}:file" if path == inside else f"{name}:file:{path}"


def with_recorded_stores(settings: Settings, directory: DataDir) -> Settings:
    """The settings, with the directory's own stores unless they name others. Raises `Fatal` if those don't fit."""
    items, default = _recorded(directory) or (_found(directory), "")
    if items and not settings.enabled_backends:
        settings = dataclasses.replace(settings, enabled_backends=items, default_backend=default)
    names = {item.split(":")[0] for item in items if not item.endswith(":http")} | set(_in_use(directory))
    if lacking := sorted(names - set(store_directories(settings, directory))):
        raise Fatal(
            f"{directory.path} has the store {', '.join(lacking)} too, and nothing says where: name every store with "
            "--enabled-backends, as it is for `serve`"
        )
    return settings


def inside(settings: Settings) -> Settings:
    """The same stores for a copy that keeps all of them within its directory."""
    items = tuple(":".join(item.split(":", 2)[:2]) for item in settings.enabled_backends)
    return dataclasses.replace(settings, enabled_backends=items)


def _recorded(directory: DataDir) -> tuple[tuple[str, ...], str] | None:
    """The stores as items of `enabled_backends`, and the default one."""
    try:
        found = json.loads(directory.store_record.read_text())
        return tuple(str(item) for item in found["enabled_backends"]), str(found["default_backend"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Fatal(f"{directory.store_record} can't be read ({error}); the next `serve` writes it anew") from error


def _found(directory: DataDir) -> tuple[str, ...]:
    """What a directory of before there were records shows: the stores inside it, unless there is but the one."""
    inside = sorted(path.name for path in directory.stores.iterdir()) if directory.stores.is_dir() else []
    names = ([SINGLE] if directory.blobs.is_dir() else []) + inside
    return tuple(f"{name}:file" for name in names) if inside else ()


def _in_use(directory: DataDir) -> list[str]:
    try:
        return stores_in_use(directory.database) if directory.database.is_file() else []
    except ApplianceError:
        # A damaged database says nothing; whoever opens it next says why.
        return []
