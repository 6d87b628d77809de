"""The log of a feed: signed entries, each of which puts an image or removes one, and names the one before it.

Whoever has followed a log up to an entry takes nothing but the next one of its origin: none can be left out, slipped
in, or played once more, whoever hands them on.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.errors import Conflict, Invalid
from appliance.fleet.keys import SiteKey, canonical, fingerprint, readable, verify
from appliance.fleet.manifest import Manifest, check_manifest
from appliance.values import Micros, is_uuid

KIND = "feed entry"
START = "0" * 64
"""What the first entry names as the one before it."""
_LARGEST = 16 << 20
"""Characters of an entry: an image has at most some megabytes of properties."""
_PARTS = {"at", "feed", "origin", "previous", "put", "remove", "sequence"}


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log is: the number and the hash of an entry."""

    sequence: int = 0
    head: str = START


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `put` is a manifest; an entry without one removes the image."""

    sequence: int
    previous: str
    at: Micros
    image_id: str
    put: Manifest | None
    body: str
    signature: str

    @property
    def position(self) -> Position:
        return Position(self.sequence, hashlib.sha256(self.body.encode()).hexdigest())

    def signed(self) -> dict[str, str]:
        """As it goes from site to site."""
        return {"entry": self.body, "signature": self.signature}


def make(key: SiteKey, feed: str, after: Position, at: Micros, image_id: str, put: Manifest | None) -> Entry:
    """The entry that follows `after` in one of our own feeds."""
    document: dict[str, Any] = {
        "at": at,
        "feed": feed,
        "origin": key.public,
        "previous": after.head,
        "sequence": after.sequence + 1,
    }
    document |= {"put": put} if put is not None else {"remove": image_id}
    body = canonical(document)
    return Entry(after.sequence + 1, after.head, at, image_id, put, body, key.sign(KIND, body))


def read(body: str, signature: str) -> Entry:
    """An entry of our own database, which was checked when it came."""
    document = json.loads(body)
    put = document.get("put")
    image_id = put["id"] if put else document["remove"]
    return Entry(document["sequence"], document["previous"], document["at"], image_id, put, body, signature)


def check(signed: Any, feed: str, origin: str) -> Entry:
    """An entry that came from elsewhere. Raises `Forbidden` or `Invalid` unless the origin made it for this feed."""
    if not isinstance(signed, Mapping) or not isinstance(signed.get("entry"), str) or len(signed["entry"]) > _LARGEST:
        raise Invalid("an entry of a feed is a text with a signature")
    body = signed["entry"]
    verify(origin, KIND, body, signed.get("signature"))
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("an entry of a feed is not JSON") from error
    if not isinstance(document, dict) or not document.keys() <= _PARTS or ("put" in document) == ("remove" in document):
        raise Invalid("an entry of a feed is of a form that is not known here: is this appliance older than its peer?")
    if document.get("feed") != feed or document.get("origin") != origin:
        raise Invalid(
            f"an entry is of the feed {readable(document.get('feed'))}, and not of {feed} of {fingerprint(origin)}"
        )
    numbers = [document.get("sequence"), document.get("at")]
    if not all(isinstance(number, int) and 0 <= number < 2**63 for number in numbers):
        raise Invalid("an entry of a feed has no number or no time")
    put = check_manifest(document["put"]) if "put" in document else None
    image_id = put["id"] if put else document["remove"]
    if not isinstance(image_id, str) or not is_uuid(image_id):
        raise Invalid("an entry of a feed names no image")
    previous = document.get("previous")
    if not isinstance(previous, str):
        raise Invalid("an entry of a feed does not say what comes before it")
    return Entry(document["sequence"], previous, document["at"], image_id, put, body, signed["signature"])


def follow(entries: Iterable[Entry], position: Position, known: Mapping[int, str]) -> Iterator[Entry]:
    """Those of the entries that are new after a position. Raises `Conflict` for a gap, or another past.

    `known` has the bodies of entries that are here already, by their numbers: they may come once more, unchanged.
    """
    for entry in entries:
        if entry.sequence <= position.sequence:
            if known.get(entry.sequence) != entry.body:
                raise Conflict(f"entry {entry.sequence} of the feed is another than the one that came before")
            continue
        if entry.sequence != position.sequence + 1:
            raise Conflict(f"the entries {position.sequence + 1} to {entry.sequence - 1} of the feed are missing")
        if entry.previous != position.head:
            raise Conflict(f"entry {entry.sequence} of the feed does not follow the one that is here")
        position = entry.position
        yield entry


def current(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The last entry of each image."""
    return {entry.image_id: entry for entry in entries}
