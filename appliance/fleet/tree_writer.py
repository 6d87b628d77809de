"""Keeps a directory as a feed's plain files: a bundle goes in, and what changed in the feed is there.

Files are put in place one by one, what others name first and `feed.json` last, so that whoever reads meanwhile sees
the feed as it was or as it is.
"""

import json
import re
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from appliance.blobs.delivery import StoredBlock
from appliance.blobs.durable import Disk, replace_file
from appliance.errors import Conflict, Fatal
from appliance.fleet import tree
from appliance.fleet.block_map import BlockMap
from appliance.fleet.bundle_reader import BundleReader
from appliance.fleet.feed_log import Entry, Position, current, read
from appliance.fleet.keys import SiteKey
from appliance.fleet.receipts import Receipt, sign_receipt
from appliance.fleet.tree import Place, TreeHead
from appliance.values import MIB, Clock

_PACK = 32 * MIB
_UNUSED_SECONDS = 24 * 3600
_PACK_NAME = re.compile(r"(\d{6})\.pack")


class TreeWriter:
    """One directory, made if need be. It has one writer at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._disk = Disk()
        if directory.is_dir() and any(directory.iterdir()) and not (directory / tree.FEED).is_file():
            raise Fatal(f"{directory} is neither empty nor a published feed")
        for path in (directory, *(directory / name for name in ("entries", "maps", "packs"))):
            path.mkdir(parents=True, exist_ok=True)

    @property
    def head(self) -> TreeHead | None:
        """What is there; None for a new directory."""
        path = self._directory / tree.FEED
        return tree.read_head(path.read_bytes()) if path.is_file() else None

    def receipt(self, key: SiteKey, clock: Clock) -> str:
        """What is there, as a receipt for the bundle that brings the rest; empty for a new directory."""
        head = self.head
        if head is None or not head.sequence:
            return ""
        entries = list(self._entries())
        images = {one.image_id: one.put["map"]["sha256"] for one in current(entries).values() if one.put}
        position = entries[-1].position
        return sign_receipt(key, clock(), Receipt("", head.origin, head.feed, head.sequence, position.head, images))

    def add(self, bundle: BundleReader) -> int:
        """Bring the directory up to what a bundle has; how many bytes of blocks came. Raises `Conflict`."""
        head, header = self.head, bundle.header
        if head is not None and (head.feed, head.origin) != (header.feed, header.origin):
            raise Conflict(f"{self._directory} has another feed, {head.feed}")
        before = list(self._entries())
        if (before[-1].position if before else Position()) != header.after:
            raise Conflict(f"the bundle goes on from entry {header.after.sequence}, and the files end otherwise")
        entries = [*before, *bundle.entries()]
        live = {one.put["map"]["sha256"]: one.put["size"] for one in current(entries).values() if one.put}
        maps = dict(bundle.maps({one.put["map"]["sha256"]: one.put["size"] for one in entries if one.put}))
        places = dict(self._places(live.keys() - maps.keys()))
        came = self._pack(bundle, places)
        bundle.finish()
        for digest, block_map in maps.items():
            found = [places[block] for _, block, _ in block_map.each_block()]
            self._put(tree.map_name(digest), block_map.pack())
            self._put(tree.places_name(digest), tree.pack_places(found))
        self._write_entries(entries, len(before))
        self._put(tree.FEED, TreeHead(header.feed, header.origin, header.reached.sequence).text().encode())
        self._tidy(live.keys())
        return came

    def _entries(self) -> Iterator[Entry]:
        head = self.head
        for start in range(1, (head.sequence if head else 0) + 1, tree.PAGE):
            page = json.loads((self._directory / tree.page_name(start)).read_bytes())
            for signed in page["entries"]:
                entry = read(signed["entry"], signed["signature"])
                if head is not None and entry.sequence <= head.sequence:
                    yield entry

    def _write_entries(self, entries: list[Entry], kept: int) -> None:
        for start in range(kept // tree.PAGE * tree.PAGE, len(entries), tree.PAGE):
            page = {"entries": [entry.signed() for entry in entries[start : start + tree.PAGE]]}
            self._put(tree.page_name(start + 1), json.dumps(page).encode())

    # -- blocks --------------------------------------------------------------------------------------------------------

    def _places(self, digests: Iterable[str]) -> Iterator[tuple[bytes, Place]]:
        """Where the blocks of these maps are already."""
        for digest in digests:
            packed = (self._directory / tree.map_name(digest)).read_bytes()
            block_map = BlockMap.unpack(packed, digest=digest, size=None)
            found = (self._directory / tree.places_name(digest)).read_bytes()
            for (_, block, _), place in zip(
                block_map.each_block(), tree.unpack_places(found, block_map.blocks), strict=True
            ):
                yield block, place

    def _pack(self, bundle: BundleReader, places: dict[bytes, Place]) -> int:
        """Write the blocks of a bundle into new packs, and say in `places` where they are."""
        number = 1 + max((found for found, _ in self._packs()), default=0)
        batch: list[StoredBlock] = []
        came = size = 0
        for block in bundle.blocks():
            block.plain()
            batch.append(block)
            size += len(block.data)
            came += len(block.data)
            if size >= _PACK:
                self._write_pack(number, batch, places)
                batch, size, number = [], 0, number + 1
        if batch:
            self._write_pack(number, batch, places)
        return came

    def _write_pack(self, number: int, blocks: list[StoredBlock], places: dict[bytes, Place]) -> None:
        offset = 0
        for block in blocks:
            places[block.digest] = Place(number, offset, len(block.data), block.codec)
            offset += len(block.data)
        self._put(tree.pack_name(number), b"".join(block.data for block in blocks))

    def _packs(self) -> Iterator[tuple[int, Path]]:
        for path in (self._directory / "packs").iterdir():
            if match := _PACK_NAME.fullmatch(path.name):
                yield int(match[1]), path

    def _put(self, name: str, data: bytes) -> None:
        """Replace a file, durably. Others may read it: that is what it is for."""
        path = self._directory / name
        replace_file(self._disk, path, data)
        path.chmod(0o644)

    def _tidy(self, live: Collection[str]) -> None:
        """Remove what no image needs any more, unless somebody may still be reading it."""
        needed = {place.pack for _, place in self._places(live)}
        before = time.time() - _UNUSED_SECONDS
        unused = [path for number, path in self._packs() if number not in needed]
        unused += [path for path in (self._directory / "maps").iterdir() if path.stem not in live]
        for path in unused:
            if path.stat().st_mtime < before:
                path.unlink()
