"""A data directory with images in it, opened without a server: for tests of what works on directories."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.datadir import DataDir
from appliance.db.engine.registry import open_database
from appliance.image.service import Images
from appliance.image.stores import Stores, open_stores
from appliance.settings import Settings
from appliance.values import Caller, Clock, now

ADMIN = Caller("u", "p", roles=frozenset(("admin", "manager", "member", "reader")))


class Opened:
    """Database, stores and images of one directory."""

    def __init__(self, path: Path, *, lost_index: bool = False, clock: Clock = now, **settings: Any) -> None:
        self.directory = DataDir(path)
        self.directory.acquire("test")
        self.clock = clock
        self.settings = Settings(data_dir=path, **settings)
        self.db = open_database(self.directory.database)
        try:
            self.stores: Stores = open_stores(self.settings, self.directory, self.db, clock, lost_index=lost_index)
        except BaseException:
            self.db.close()
            raise
        self.images = Images(self.db, self.stores, self.settings, clock)
        self.blobs = self.stores.default.writer

    def add(self, data: bytes, name: str = "x", visibility: str = "public") -> str:
        """A new image with this data; its id."""
        body = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": visibility}
        image = self.images.create(ADMIN, body | {"tags": ["t"], "k": "v"})
        self.images.data.upload(ADMIN, image.id, io.BytesIO(data))
        return image.id

    def read(self, image_id: str) -> bytes:
        """The image's data. Raises what reading raises."""
        content = self.images.downloads.open(self.images.downloads.begin(ADMIN, image_id))
        try:
            return b"".join(iter(lambda: content.read(1 << 20), b""))
        finally:
            content.close()

    def segments(self) -> set[str]:
        return set(self.blobs.backend.names())

    def segment_file(self, name: str) -> Path:
        return self.directory.blobs / "segments" / f"{name}.seg"

    def close(self) -> None:
        self.stores.close()
        self.db.close()
        self.directory.release()


@contextmanager
def opened(path: Path, *, lost_index: bool = False) -> Iterator[Opened]:
    it = Opened(path, lost_index=lost_index)
    try:
        yield it
    finally:
        it.close()


def data(size: int = 300_000) -> bytes:
    """Bytes that nobody has stored before, some zeros, and something to compress."""
    return os.urandom(size) + bytes(200_000) + b"again and again " * 10_000
