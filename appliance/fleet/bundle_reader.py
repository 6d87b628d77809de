"""A bundle on its way in: read once from its beginning to its end, and believed only as far as it is signed.

The members must come in the order in which `bundle_writer` writes them, and be of the sizes that what came before
allows, so that a bundle can neither fill a disk nor memory with what nobody has signed.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.blobs import segment_format as fmt
from appliance.blobs.delivery import StoredBlock, read_records
from appliance.errors import Corrupt, Invalid
from appliance.fleet.block_map import BlockMap
from appliance.fleet.bundle_writer import FORMAT, INDEX, KIND
from appliance.fleet.context import check_name
from appliance.fleet.feed_log import Entry, Position, check
from appliance.fleet.keys import check_key, readable, verify
from appliance.fleet.tar import Read, TarReader
from appliance.values import MIB

_LARGEST_HEADER = 64 * MIB
_LARGEST_LINE = 32 * MIB
_LARGEST_MAP = 1 << 30
_LARGEST_SEGMENT = 40 * MIB
_SIGNATURE = 200


@dataclass(frozen=True, slots=True)
class BundleHeader:
    """What `bundle.json` says: it is signed by the site that made the bundle, which need not be the feed's origin."""

    feed: str
    origin: str
    site: str
    at: int
    after: Position
    reached: Position
    maps: tuple[str, ...]
    blocks: int
    length: int
    """Bytes of the archive after its header."""


class BundleReader:
    """One bundle. `header`, `entries`, `maps`, `blocks` and `finish` are used in this order."""

    def __init__(self, read: Read) -> None:
        self._tar = TarReader(read)
        self._wanted: list[tuple[BlockMap, bytes]] = []
        self.header = self._header()

    def _header(self) -> BundleHeader:
        text = self._small("bundle.json", _LARGEST_HEADER).decode("utf-8", "replace")
        signature = self._small("bundle.sig", _SIGNATURE).decode("ascii", "replace").strip()
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise Invalid(f"this bundle is of the form {readable(document['format'])}; this program reads {FORMAT}")
            header = _header_of(document)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Invalid("bundle.json is not in order: this is not a bundle, or it is damaged") from error
        verify(header.site, KIND, text, signature)
        return header

    def entries(self) -> list[Entry]:
        """The entries of the feed, each of which its origin has signed. Raises `Forbidden` or `Invalid`."""
        self._member("entries.jsonl")
        found = []
        for line in self._tar.lines(_LARGEST_LINE):
            try:
                signed = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise Invalid("an entry of the bundle is not JSON") from error
            found.append(check(signed, self.header.feed, self.header.origin))
        if found and (found[0].sequence != self.header.after.sequence + 1 or found[-1].position != self.header.reached):
            raise Invalid("the entries of the bundle are not those that it names")
        return found

    def maps(self, sizes: Mapping[str, int]) -> Iterator[tuple[str, BlockMap]]:
        """The block maps that come. `sizes` has the maps that signed entries name."""
        for digest in self.header.maps:
            if digest not in sizes:
                raise Invalid("the bundle has a block map that no entry names")
            packed = self._small(f"maps/{digest}.map", _LARGEST_MAP)
            block_map = BlockMap.unpack(packed, digest=digest, size=sizes[digest])
            bits = self._small(f"maps/{digest}.bits", block_map.blocks // 8 + 1)
            self._wanted.append((block_map, bits))
            yield digest, block_map

    def digests(self) -> Iterator[bytes]:
        """The digests of the blocks that come."""
        for _, digest, _ in self._coming():
            yield digest

    def blocks(self) -> Iterator[StoredBlock]:
        """The blocks, which are exactly those that the bitmaps name, in their order; each still to be checked."""
        coming = self._coming()
        for block in self._delivered():
            named = next(coming, None)
            if named is None or (block.digest, block.length) != named[1:]:
                raise Corrupt("the bundle has other blocks than it names")
            yield block
        if next(coming, None) is not None:
            raise Corrupt("the bundle has fewer blocks than it names")

    def _coming(self) -> Iterator[tuple[int, bytes, int]]:
        for block_map, bits in self._wanted:
            yield from block_map.chosen(bits)

    def _delivered(self) -> Iterator[StoredBlock]:
        while (member := self._tar.next()) is not None and member[0] != INDEX:
            name, size = member
            if not name.startswith("segments/") or size > _LARGEST_SEGMENT:
                raise Invalid(f"a bundle has no member like {name!r} here")
            fmt.unpack_header(self._tar.read(fmt.HEADER_LENGTH))
            yield from read_records(self._tar.read)
            self._tar.skip()
        if member is None:
            raise Corrupt("the bundle has no index: it ends early")

    def finish(self) -> None:
        """Compare every member with the index. Raises `Corrupt`."""
        sums = {}
        for line in self._tar.lines(_SIGNATURE):
            digest, _, name = line.decode("utf-8", "replace").partition("  ")
            sums[name] = digest
        for name, digest in self._tar.digests.items():
            if sums.get(name) != digest:
                raise Corrupt(f"{name} is not what the index of the bundle says: the bundle is damaged")
        if sums.keys() != self._tar.digests.keys() or self._tar.next() is not None:
            raise Corrupt("the bundle has other members than its index names")

    def _member(self, name: str) -> int:
        member = self._tar.next()
        if member is None or member[0] != name:
            raise Invalid(f"the bundle has {repr(member[0]) if member else 'no member'} where {name} should be")
        return member[1]

    def _small(self, name: str, largest: int) -> bytes:
        if self._member(name) > largest:
            raise Invalid(f"{name} of the bundle is larger than it can be")
        return self._tar.all()


def _header_of(document: dict[str, Any]) -> BundleHeader:
    numbers = [document[name] for name in ("at", "after", "sequence", "blocks", "length")]
    texts = [document["previous"], document["head"], *document["maps"]]
    if not all(isinstance(number, int) and 0 <= number < 2**63 for number in numbers):
        raise TypeError
    if not all(isinstance(text, str) and len(text) == 64 and text.isalnum() for text in texts):
        raise TypeError
    return BundleHeader(
        feed=check_name(document["feed"]),
        origin=check_key(document["origin"]),
        site=check_key(document["site"]),
        at=document["at"],
        after=Position(document["after"], document["previous"]),
        reached=Position(document["sequence"], document["head"]),
        maps=tuple(document["maps"]),
        blocks=document["blocks"],
        length=document["length"],
    )
