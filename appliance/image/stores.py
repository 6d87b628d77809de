"""The stores that image data lies in: each a block store of its own under a name."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from appliance.blobs.reserve import Reserve
from appliance.blobs.store import BlobStore
from appliance.errors import Invalid, StorageFault


@dataclass(frozen=True, slots=True)
class Store:
    """One named store. One without blobs is read-only: it stands for what lies elsewhere, behind URLs."""

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

    A `retired` store is no longer offered to clients, but what lies in it can still be read.
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
