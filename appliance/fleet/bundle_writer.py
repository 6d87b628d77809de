"""A bundle on its way out: what of a feed a site lacks, as a stream of plain tar.

bundle.json, bundle.sig   what it is, and the signature of the site that made it
entries.jsonl             the feed's entries, each signed by the feed's origin
maps/HASH.map, .bits      of each new image: its blocks, and which of them follow
segments/NUMBER.seg       those blocks, in segments as the store has them
SHA512SUMS                the hash of every member, for `sha512sum -c` and for the import
"""

import hashlib
import itertools
import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from appliance.blobs import segment_format as fmt
from appliance.blobs.delivery import StoredBlock, record_lengths, records
from appliance.db.fleet import FeedRecord
from appliance.errors import Conflict, Forbidden
from appliance.fleet import tar
from appliance.fleet.block_map import BlockMap
from appliance.fleet.context import FleetContext
from appliance.fleet.feed_log import Entry, Position
from appliance.fleet.keys import canonical
from appliance.fleet.publishing import entry_of, live
from appliance.fleet.receipts import Receipt
from appliance.fleet.shipping import Shipment
from appliance.values import MIB

KIND = "bundle"
FORMAT = "glance-appliance bundle 1"
INDEX = "SHA512SUMS"
_SUM = 131
"""Characters of a line of the index, beside the name."""
_SEGMENT = 32 * MIB
_PAGE = 500


@dataclass(frozen=True, slots=True)
class _Member:
    """One member: its size is known before its bytes are."""

    name: str
    size: int
    parts: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """An image of the bundle, and which of its blocks are in it."""

    entry: Entry
    bits: bytes
    shipment: Shipment


class BundleWriter:
    """One bundle: everything is planned when it is made, and `pieces` may be asked for once."""

    def __init__(self, context: FleetContext, feed: FeedRecord, since: Receipt | None) -> None:
        self._context = context
        self._feed = feed
        self._at = context.clock()
        self._after = self._base(since)
        self._chosen = self._choose(since)
        self._segments = list(_segments(itertools.chain(*(one.shipment.stored for one in self._chosen))))
        self._blocks = itertools.chain.from_iterable(one.shipment.blocks() for one in self._chosen)
        self._members = list(self._plan())
        self._sums: list[str] = []

    @property
    def length(self) -> int:
        """Bytes of the whole bundle."""
        return _length(self._members) + _length_of_end([member.name for member in self._members])

    # -- planning ------------------------------------------------------------------------------------------------------

    def _base(self, since: Receipt | None) -> Position:
        """After which entry the bundle begins. Raises `Forbidden` or `Conflict` for a receipt that does not fit."""
        if since is None:
            return Position()
        if (since.origin, since.feed) != (self._feed.origin, self._feed.source):
            raise Forbidden(f"the receipt is for the feed {since.feed} of another site, and not for {self._feed.name}")
        if since.sequence == 0:
            return Position()
        rows = self._context.rows.entries(self._feed.name, since.sequence - 1, 1)
        if not rows or entry_of(rows[0]).position != Position(since.sequence, since.head):
            raise Conflict(
                f"the receipt tells of an entry {since.sequence} that this feed does not have: was this site restored "
                "from an older backup, or is it behind the one that wrote the receipt? Export without --since"
            )
        return Position(since.sequence, since.head)

    def _choose(self, since: Receipt | None) -> list[_Chosen]:
        had = set(since.images.values()) & self._published() if since else set[str]()
        new = [entry for entry in live(self._context, self._feed) if entry.sequence > self._after.sequence]
        # Images of the same bytes have one map.
        fresh = {entry.put["map"]["sha256"]: entry for entry in new if entry.put is not None}
        fresh = {digest: entry for digest, entry in fresh.items() if digest not in had}
        wanted = self._wanted(list(fresh.values()), had)
        chosen = []
        for entry in fresh.values():
            assert entry.put is not None
            block_map = self._map(entry)
            bits = block_map.bitmap(wanted)
            wanted.difference_update(digest for _, digest, _ in block_map.chosen(bits))
            chosen.append(_Chosen(entry, bits, Shipment(self._context, entry.put, block_map, bits)))
        return chosen

    def _wanted(self, fresh: list[Entry], had: set[str]) -> set[bytes]:
        """The digests of blocks that are in new images, and in none that the other site has of this feed."""
        wanted: set[bytes] = set()
        for entry in fresh:
            wanted.update(digest for _, digest, _ in self._map(entry).each_block())
        for sha256 in had if wanted else ():
            # A map that is lost costs bytes, and nothing else.
            if packed := self._context.maps.find(sha256):
                block_map = BlockMap.unpack(packed, digest=sha256, size=None)
                wanted.difference_update(digest for _, digest, _ in block_map.each_block())
        return wanted

    def _published(self) -> set[str]:
        """The maps of everything that ever was in the feed: a receipt may speak of nothing else."""
        return {entry.put["map"]["sha256"] for entry in self._entries(0) if entry.put is not None}

    def _entries(self, after: int) -> Iterator[Entry]:
        while rows := self._context.rows.entries(self._feed.name, after, _PAGE):
            for row in rows:
                if row.sequence > self._feed.sequence:
                    return
                yield entry_of(row)
            after = rows[-1].sequence

    def _map(self, entry: Entry) -> BlockMap:
        assert entry.put is not None
        return self._context.map_of_manifest(entry.put)

    def _plan(self) -> Iterator[_Member]:
        rest = list(self._after_header())
        names = ["bundle.json", "bundle.sig", *(member.name for member in rest)]
        document = canonical(self._document(_length(rest) + _length_of_end(names))).encode()
        signature = f"{self._context.key.sign(KIND, document.decode())}\n".encode()
        yield _Member("bundle.json", len(document), _once(document))
        yield _Member("bundle.sig", len(signature), _once(signature))
        yield from rest

    def _after_header(self) -> Iterator[_Member]:
        lines = [json.dumps(entry.signed()).encode() + b"\n" for entry in self._entries(self._after.sequence)]
        yield _Member("entries.jsonl", sum(map(len, lines)), lambda: iter(lines))
        for chosen in self._chosen:
            block_map = self._map(chosen.entry)
            size, digest = len(block_map.pack()), block_map.digest
            yield _Member(f"maps/{digest}.map", size, partial(self._packed, chosen.entry))
            yield _Member(f"maps/{digest}.bits", len(chosen.bits), _once(chosen.bits))
        for number, stored in enumerate(self._segments):
            yield _Member(f"segments/{number:06d}.seg", segment_length(stored), partial(self._segment, stored))

    def _document(self, length: int) -> dict[str, object]:
        return {
            "format": FORMAT,
            "at": self._at,
            "feed": self._feed.source,
            "origin": self._feed.origin,
            "site": self._context.key.public,
            "after": self._after.sequence,
            "previous": self._after.head,
            "sequence": self._feed.sequence,
            "head": self._feed.head,
            "maps": [chosen.entry.put["map"]["sha256"] for chosen in self._chosen if chosen.entry.put],
            "blocks": sum(map(len, self._segments)),
            "length": length,
        }

    # -- writing -------------------------------------------------------------------------------------------------------

    def pieces(self) -> Iterator[bytes]:
        """The archive, piece by piece. Raises `Corrupt` or `Conflict` if an image can't be read any more."""
        for member in self._members:
            digest = hashlib.sha512()
            yield tar.header(member.name, member.size, self._at)
            for part in member.parts():
                digest.update(part)
                yield part
            yield tar.padding(member.size)
            self._sums.append(f"{digest.hexdigest()}  {member.name}\n")
        sums = "".join(self._sums).encode()
        yield tar.header(INDEX, len(sums), self._at) + sums + tar.padding(len(sums)) + tar.END

    def _packed(self, entry: Entry) -> Iterator[bytes]:
        yield self._map(entry).pack()

    def _segment(self, stored: "array[int]") -> Iterator[bytes]:
        yield from segment_of(itertools.islice(self._blocks, len(stored)), self._at)


def _length(members: Iterable[_Member]) -> int:
    """What members take in the archive."""
    return sum(tar.HEADER + member.size + len(tar.padding(member.size)) for member in members)


def _length_of_end(names: Iterable[str]) -> int:
    """What the index of such members takes, and the end of the archive."""
    size = sum(_SUM + len(name) for name in names)
    return tar.HEADER + size + len(tar.padding(size)) + len(tar.END)


def _once(data: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter([data])


def _segments(stored: Iterable[int]) -> "Iterator[array[int]]":
    """The blocks of each segment, by what they take."""
    batch, size = array("I"), 0
    for length in stored:
        batch.append(length)
        size += length
        if size >= _SEGMENT:
            yield batch
            batch, size = array("I"), 0
    if batch:
        yield batch


def segment_length(stored: Sequence[int]) -> int:
    """Bytes of a segment with such blocks."""
    lengths = list(record_lengths(stored))
    end = len(fmt.pack_record(fmt.DONE, fmt.pack_offsets(lengths), 0)) + fmt.FOOTER_LENGTH
    return fmt.HEADER_LENGTH + sum(lengths) + end


def segment_of(blocks: Iterable[StoredBlock], at: int) -> Iterator[bytes]:
    """A sealed segment of blocks alone, as the store would have written it."""
    header = fmt.pack_header(fmt.SegmentHeader(bytes(16), os.urandom(16), at))
    offsets, offset = [], len(header)
    yield header
    for part in records(blocks):
        yield part
        offsets.append(offset)
        offset += len(part)
    yield fmt.pack_record(fmt.DONE, fmt.pack_offsets(offsets), 0) + fmt.pack_footer(offset)
