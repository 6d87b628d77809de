"""A feed as plain files, for any web server or bucket: how they are named and what is in them.

feed.json             which feed this is, and how many entries it has; written last
entries/NUMBER.json   pages of 500 entries; all but the last never change
maps/HASH.map         the block map of each image
maps/HASH.places      where each block of that map is: pack, offset, stored length, codec
packs/NUMBER.pack     blocks as they are stored, one after the other; never change
"""

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from appliance.errors import Invalid
from appliance.fleet.context import check_name
from appliance.fleet.keys import check_key, readable

FORMAT = "glance-appliance tree 1"
FEED = "feed.json"
PAGE = 500
_PLACE = struct.Struct("<IQIB")


class Place(NamedTuple):
    """Where a block is, and how it is stored there."""

    pack: int
    offset: int
    stored: int
    codec: int


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What `feed.json` says. It is not signed: the entries are."""

    feed: str
    origin: str
    sequence: int

    def text(self) -> str:
        document = {"format": FORMAT, "feed": self.feed, "origin": self.origin, "sequence": self.sequence}
        return json.dumps(document, indent=1) + "\n"


def read_head(text: bytes) -> TreeHead:
    """Raises `Invalid`."""
    try:
        document: dict[str, Any] = json.loads(text)
        if document["format"] != FORMAT:
            raise Invalid(f"these files are of the form {readable(document['format'])}; this program reads {FORMAT}")
        sequence = document["sequence"]
        if not isinstance(sequence, int) or not 0 <= sequence < 2**63:
            raise TypeError
        return TreeHead(check_name(document["feed"]), check_key(document["origin"]), sequence)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Invalid(f"{FEED} is not in order: is this the address of a published feed?") from error


def page_name(sequence: int) -> str:
    """The page that has an entry."""
    return f"entries/{(sequence - 1) // PAGE:06d}.json"


def map_name(digest: str) -> str:
    return f"maps/{digest}.map"


def places_name(digest: str) -> str:
    return f"maps/{digest}.places"


def pack_name(number: int) -> str:
    return f"packs/{number:06d}.pack"


def pack_places(places: Iterable[Place]) -> bytes:
    return b"".join(_PLACE.pack(*place) for place in places)


def places_length(blocks: int) -> int:
    """Bytes of the places of so many blocks."""
    return blocks * _PLACE.size


def unpack_places(data: bytes, blocks: int) -> Iterator[Place]:
    """Raises `Invalid` unless there is one for each block of a map."""
    if len(data) != places_length(blocks):
        raise Invalid("the places of the blocks are not those of the block map")
    for values in _PLACE.iter_unpack(data):
        yield Place(*values)
