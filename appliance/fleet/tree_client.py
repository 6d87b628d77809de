"""The other side of a feed that is followed from plain files on a web server or in a bucket.

Blocks are fetched as ranges of packs. Neighbours are one range, and a small gap is fetched, too.
"""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from appliance.blobs.delivery import StoredBlock
from appliance.errors import Corrupt, Invalid, NotFound, Unavailable
from appliance.fleet import tree
from appliance.fleet.block_map import BlockMap, longest
from appliance.fleet.manifest import Manifest
from appliance.fleet.pace import Interrupted, Pacer
from appliance.fleet.resuming import Resumed
from appliance.fleet.tree import Place, TreeHead
from appliance.fleet.web import Incoming, ask, read_all
from appliance.values import KIB, MIB

_LARGEST_JSON = 64 * MIB
_MOST = 64 * MIB
_RANGE = 8 * MIB
_GAP = 64 * KIB


@dataclass(slots=True)
class _Run:
    """Blocks of one pack that are fetched by one range."""

    pack: int
    start: int
    end: int
    blocks: list[tuple[bytes, int, Place]] = field(default_factory=list)


class TreeClient:
    """Reads one published feed. Raises `Unavailable` if it can't be reached or breaks off."""

    def __init__(self, url: str, pin: str = "", pacer: Pacer | None = None) -> None:
        self._url = url.rstrip("/")
        self._pin = pin
        self._pacer = pacer or Pacer()
        self._places: tuple[str, list[Place]] = ("", [])

    def head(self) -> TreeHead:
        """Which feed it is, and how long."""
        return tree.read_head(self._file(tree.FEED, _LARGEST_JSON))

    def entries(self, feed: str, after: int) -> tuple[list[object], int]:
        """The entries that follow one, not yet checked, and how many there are in all."""
        head = self.head()
        if after >= head.sequence:
            return [], head.sequence
        try:
            page = json.loads(self._file(tree.page_name(after + 1), _LARGEST_JSON))["entries"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Invalid("A page of the published feed is not in order.") from error
        if not isinstance(page, list):
            raise Invalid("A page of the published feed is not in order.")
        return page[after % tree.PAGE :], head.sequence

    def map(self, feed: str, manifest: Manifest) -> bytes:
        """The block map of an image, not yet checked."""
        return self._file(
            tree.map_name(manifest["map"]["sha256"]), longest(manifest["map"]["blocks"], manifest["size"])
        )

    def blocks(self, feed: str, manifest: Manifest, block_map: BlockMap, bits: bytes) -> Iterator[StoredBlock]:
        """The first of the blocks that a bitmap names, not yet checked."""
        places = self._places_of(manifest["map"]["sha256"], block_map)
        size = 0
        for run in _runs(block_map, bits, places):
            yield from self._fetch(run)
            size += run.end - run.start
            if size >= _MOST:
                return

    def _places_of(self, digest: str, block_map: BlockMap) -> list[Place]:
        if self._places[0] != digest:
            packed = self._file(tree.places_name(digest), tree.places_length(block_map.blocks))
            self._places = digest, list(tree.unpack_places(packed, block_map.blocks))
        return self._places[1]

    def _fetch(self, run: _Run) -> Iterator[StoredBlock]:
        read, at = _reader(self._bytes(run)), run.start
        for digest, length, place in run.blocks:
            read(place.offset - at)
            at = place.offset + place.stored
            yield StoredBlock(digest, length, place.codec, read(place.stored))

    def _bytes(self, run: _Run) -> Iterator[bytes]:
        """The bytes of a run, asked for again from where they broke off: packs never change."""
        at = run.start
        while at < run.end:
            before = at
            try:
                with self._answer(tree.pack_name(run.pack), {"Range": f"bytes={at}-{run.end - 1}"}) as response:
                    incoming = Incoming(response, self._pacer)
                    # A server that knows no ranges sends the pack from its beginning.
                    skipped = 0 if response.status == 206 else at
                    while skipped and (part := incoming.read(skipped)):
                        skipped -= len(part)
                    while at < run.end and (part := incoming.read(run.end - at)):
                        at += len(part)
                        yield part
            except Interrupted:
                raise
            except Unavailable:
                if at == before:
                    raise
            if at == before:
                raise Unavailable("The web server broke off.")

    def _file(self, name: str, most: int) -> bytes:
        with Resumed(lambda more: self._answer(name, more), most, self._pacer, self._pacer.pause) as answer:
            return read_all(answer.read, most)

    @contextmanager
    def _answer(self, name: str, headers: Mapping[str, str]) -> Iterator[http.client.HTTPResponse]:
        with ask(self._url, self._pin, "GET", f"/{name}", headers) as response:
            if response.status in (403, 404):
                raise NotFound(f"There is no {self._url}/{name}.")
            if response.status != 200 and not (response.status == 206 and headers):
                raise Unavailable(f"{self._url}/{name} can't be had: the web server answers {response.status}.")
            yield response


def _reader(parts: Iterator[bytes]) -> Callable[[int], bytes]:
    """A way to read exactly so many bytes of what comes in parts."""
    waiting = bytearray()

    def read(size: int) -> bytes:
        while len(waiting) < size:
            waiting.extend(next(parts))
        found = bytes(waiting[:size])
        del waiting[:size]
        return found

    return read


def _runs(block_map: BlockMap, bits: bytes, places: list[Place]) -> Iterator[_Run]:
    run: _Run | None = None
    for number, digest, length in block_map.chosen(bits):
        place = places[number]
        if place.stored > length:
            raise Corrupt("A place of the published feed is longer than its block.")
        goes_on = (
            run is not None
            and place.pack == run.pack
            and 0 <= place.offset - run.end <= _GAP
            and place.offset + place.stored - run.start <= _RANGE
        )
        if run is None or not goes_on:
            if run is not None:
                yield run
            run = _Run(place.pack, place.offset, place.offset)
        run.blocks.append((digest, length, place))
        run.end = place.offset + place.stored
    if run is not None:
        yield run
