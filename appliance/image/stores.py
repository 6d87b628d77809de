"""The stores that images are kept in: opened as the settings say, and chosen by name."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from appliance.blobs.backends.base import Backend
from appliance.blobs.backends.registry import Location, connect
from appliance.blobs.block_reader import RecentChecks
from appliance.blobs.durable import Disk
from appliance.blobs.epochs import Others
from appliance.blobs.reserve import Reserve
from appliance.blobs.store import BlobStore
from appliance.datadir import DataDir
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.base import Database
from appliance.errors import Fatal, Invalid, WrongUsage
from appliance.image.store_settings import by_store, former_location, store_locations
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

    def free_space(self) -> int | None:
        """Bytes that it still has room for; None if nobody can tell."""
        return self.writer.backend.free_space()


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

    def with_data(self) -> Iterator[Store]:
        """Those that have bytes of our own, the retired ones too."""
        return (store for store in self._by_id.values() if store.blobs is not None)

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

    def is_away(self, store_id: str | None) -> bool:
        """Whether a store can't be reached at present: what is in another, too, is read from there."""
        store = self.find(store_id)
        return store is not None and store.blobs is not None and store.blobs.backend.trouble() is not None

    def trouble(self) -> dict[str, str | None]:
        """What keeps each writable store from taking data, or None."""
        database = self._reserve.trouble() if self._reserve else None
        return ({"database": database} if database else {}) | {
            store.id: store.blobs.reserve.trouble() or store.blobs.backend.trouble() or store.blobs.write_trouble()
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

    def is_short(self) -> bool:
        """Whether room is wanted on a disk of theirs: it is full, or somebody has just found too little."""
        return any(reserve.is_short() for reserve in self._reserves())

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


def open_stores(
    settings: Settings,
    directory: DataDir,
    db: Database,
    clock: Clock,
    *,
    lost_index: bool = False,
    disk: Disk | None = None,
    reserve: Reserve | None = None,
    others: Others | None = None,
) -> Stores:
    """Open every store. The caller closes them. `reserve` is that of the data directory's disk, `others` are those
    that use the same stores at the same time.

    `disk` is for tests of disks that fail.
    """
    if settings.dedup_scope not in ("project", "all"):
        raise WrongUsage(f"dedup_scope is project or all, not {settings.dedup_scope!r}")
    locations = store_locations(settings, directory)
    former = former_location(settings, directory)
    weights = by_store("store_weights", settings.store_weights, locations)
    descriptions = by_store("store_descriptions", settings.store_descriptions, locations)
    default = settings.default_backend or next(name for name, location in locations.items() if location)
    if locations.get(default) is None:
        raise WrongUsage(f"default_backend: there is no store {default!r} that can be written")
    try:
        numbers = {name: int(weight) for name, weight in weights.items()}
    except ValueError as error:
        raise WrongUsage("store_weights: a weight is a whole number") from error

    def opened(location: Location) -> BlobStore:
        _check_parent(location, directory)
        backend = connect(location, disk)
        if others is not None and not backend.is_remote:
            raise Fatal(
                f"The store {location.store} is a directory of this machine, which the other nodes can't reach: with "
                "site_key_file every store has to be in a bucket, container or pool (see --store-url)."
            )
        store = BlobStore(
            backend,
            BlockIndex(db, location.store),
            clock=clock,
            removal_lock=directory.removing_segments,
            checks=RecentChecks(settings.recheck_seconds),
            others=others,
            notes_reads=bool(settings.recompress_after),
        )
        store.open(lost_index=lost_index)
        if reserve is not None:
            store.reserve = _reserve_of(store.backend, settings, directory, reserve)
        return store

    stores: list[Store] = []
    try:
        for name, location in locations.items():
            blobs = opened(location) if location else None
            kind = location.kind if location else "http"
            stores.append(Store(name, blobs, kind, descriptions.get(name, ""), numbers.get(name, 0)))
        retired = [Store(former.store, opened(former))] if former else []
    except BaseException:
        for store in stores:
            if store.blobs is not None:
                store.blobs.close()
        raise
    return Stores(stores, default, several=bool(settings.enabled_backends), retired=retired, reserve=reserve)


def _check_parent(location: Location, directory: DataDir) -> None:
    """Make the place of the stores inside the data directory. Raises `Fatal` if that of another is not there."""
    parent = location.directory.parent
    if parent in (directory.stores, directory.remote):
        parent.mkdir(mode=0o700, exist_ok=True)
    elif not parent.is_dir():
        raise Fatal(
            f"{parent}, where the store {location.store} is to be, is not there: make it first, or mount its disk"
        )


def _reserve_of(backend: Backend, settings: Settings, directory: DataDir, reserve: Reserve) -> Reserve:
    """The reserve of a store: the data directory's, or one of its own if it is on another file system."""
    path = backend.working_directory
    if path is None or path.stat().st_dev == directory.path.stat().st_dev:
        return reserve
    own = Reserve(path, settings.disk_reserve)
    own.refill()
    return own
