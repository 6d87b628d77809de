"""The stores that the settings ask for, opened: each a directory of its own, all in one database."""

import re
from collections.abc import Iterable
from pathlib import Path

from appliance.blobs.durable import Disk
from appliance.blobs.recent_checks import RecentChecks
from appliance.blobs.reserve import Reserve
from appliance.blobs.store import BlobStore
from appliance.datadir import DataDir
from appliance.db.blocks import BlockIndex
from appliance.db.database import Database
from appliance.errors import Fatal, WrongUsage
from appliance.image.stores import Store, Stores
from appliance.settings import Settings
from appliance.values import Clock

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
        gate = directory.removing_segments
        store = BlobStore(path, BlockIndex(db, name), clock=clock, disk=disk, gate=gate, checks=checks)
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
