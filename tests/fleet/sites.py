"""Sites for tests: data directories that are open, and bundles between them as bytes."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.blobs.garbage_collection import GarbageCollector
from appliance.db.image.images import ImageRecord
from appliance.fleet.bundle_import import Imported, Terms
from appliance.fleet.service import Fleet
from appliance.fleet.syncing import FollowTerms
from appliance.image.changes import Change
from appliance.maintenance.doctor import Doctor
from appliance.values import now
from tests.data_directory import ADMIN, Opened


class Site(Opened):
    """A directory with a fleet of its own."""

    def __init__(self, path: Path, ahead: int = 0, **settings: Any) -> None:
        """Its clock is so many seconds ahead of the others'."""
        super().__init__(path, clock=lambda: now() + ahead * 1_000_000, **settings)
        self.fleet = Fleet(self.db, self.images, self.directory, self.clock)

    def publish(self, name: str = "golden", **wanted: Any) -> None:
        self.fleet.publisher.create(name, wanted or {"visibility": ["public"]}, [])

    def set_feed(self, **values: Any) -> None:
        """Change the terms of the feed golden."""
        self.db.transact(lambda tx: self.fleet.context.rows.change_feed(tx, "golden", values))

    def bundle(self, name: str = "golden", since: str = "") -> bytes:
        writer = self.fleet.bundle(name, since)
        bundle = b"".join(writer.pieces())
        assert writer.length == len(bundle)
        return bundle

    def take(self, bundle: bytes, origin: "Site | None" = None, **terms: str) -> Imported:
        """Import a bundle, trusting in its origin if one is given."""
        if origin is not None:
            terms["origin"] = origin.fleet.key.fingerprint
        return self.fleet.imports.run(io.BytesIO(bundle).read, Terms(**terms))

    def change(self, image_id: str, **values: Any) -> None:
        changes = [Change("add", (name,), value) for name, value in values.items()]
        self.images.update(ADMIN, image_id, changes)

    def delete(self, image_id: str) -> None:
        self.images.delete(ADMIN, image_id)

    def get(self, image_id: str) -> ImageRecord:
        return self.images.finder.get(ADMIN, image_id)

    def ids(self) -> set[str]:
        return {image.id for image in self.images.finder.page(ADMIN, [("limit", "100"), ("visibility", "all")])[0]}

    def collect(self) -> None:
        """Give the space of what nothing names back, at once."""
        GarbageCollector(self.blobs, grace=0).run()

    def findings(self) -> list[str]:
        """What the doctor finds, every byte read."""
        return [finding.text for finding in Doctor(self.db, self.stores, now).examine(deep=True)]


def pair(one: Site, name: str, other: Site, url: str = "", pin: str = "") -> None:
    one.fleet.peers.pair(name, other.fleet.key.fingerprint, key=other.fleet.key.public, url=url, pin=pin)


class Pair:
    """A site with a feed, and one that follows it."""

    def __init__(self, center: Site, edge: Site, url: str, terms: FollowTerms | None = None, pin: str = "") -> None:
        self.center, self.edge = center, edge
        pair(center, "edge", edge)
        pair(edge, "center", center, url, pin)
        center.fleet.publisher.create("golden", {"visibility": ["public"]}, ["edge"])
        edge.fleet.syncer.follow("center", "golden", terms or FollowTerms())

    def sync(self) -> list[str]:
        """The ids of the images that came."""
        return self.edge.fleet.syncer.run("golden").created

    def came(self) -> int:
        """Bytes of blocks that the last run has brought, as they are stored."""
        return self.edge.fleet.syncer.behind()[0].progress.came


@contextmanager
def site(path: Path, ahead: int = 0, **settings: Any) -> Iterator[Site]:
    it = Site(path, ahead, **settings)
    try:
        yield it
    finally:
        it.close()


def members(bundle: bytes) -> dict[str, bytes]:
    """What is in a bundle, in its order."""
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]


def packed(parts: dict[str, bytes], **odd: Any) -> bytes:
    """An archive of these members; `odd` are attributes of the first one."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number, (name, data) in enumerate(parts.items()):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for attribute, value in odd.items() if number == 0 else ():
                setattr(info, attribute, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def document(bundle: bytes) -> dict[str, Any]:
    """What `bundle.json` says."""
    found: dict[str, Any] = json.loads(members(bundle)["bundle.json"])
    return found
