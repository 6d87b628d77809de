"""The other side of a feed that is followed over HTTP: an appliance that is asked with signed requests.

It believes nothing of what comes: an answer may be neither longer than was asked for nor slower than it makes sense,
and whoever asked checks every entry, map and block.
"""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from appliance.blobs.delivery import StoredBlock, read_records
from appliance.db.fleet import PeerRecord
from appliance.errors import ApplianceError, Forbidden, Invalid, NotFound, TooManyRequests, Unavailable
from appliance.fleet.block_map import BlockMap, longest
from appliance.fleet.keys import SiteKey, readable
from appliance.fleet.manifest import Manifest
from appliance.fleet.pace import Pacer
from appliance.fleet.peer_requests import sign_request
from appliance.fleet.resuming import Resumed
from appliance.fleet.tar import exactly
from appliance.fleet.web import CHUNK, ask, read_all
from appliance.values import MIB, Clock, whole_number

PREFIX = "/appliance/v1/fleet/peer"
RATE = "X-Fleet-Rate"
"""The header by which a site says how many bytes a second it hands on."""
_LARGEST_JSON = 64 * MIB
_LARGEST_BLOCKS = 80 * MIB


class PeerClient:
    """Asks one peer. Raises `Unavailable` if it can't be reached or breaks off."""

    def __init__(self, peer: PeerRecord, key: SiteKey, clock: Clock, pacer: Pacer | None = None) -> None:
        self._peer = peer
        self._key = key
        self._clock = clock
        self._pacer = pacer or Pacer()

    def entries(self, feed: str, after: int) -> tuple[list[Any], int]:
        """The entries that follow one, not yet checked, and how many there are in all."""
        document = self._json(f"/feeds/{feed}/entries?after={after}")
        entries, sequence = document.get("entries"), document.get("sequence")
        if not isinstance(entries, list) or not isinstance(sequence, int):
            raise Invalid("The peer does not answer like an appliance.")
        return entries, sequence

    def feeds(self) -> list[dict[str, Any]]:
        found = self._json("/feeds").get("feeds", [])
        if not isinstance(found, list):
            raise Invalid("The peer does not answer like an appliance.")
        return [feed for feed in found if isinstance(feed, dict)]

    def map(self, feed: str, manifest: Manifest) -> bytes:
        """The block map of an image, not yet checked."""
        most = longest(manifest["map"]["blocks"], manifest["size"])
        with self._resumed("GET", f"/feeds/{feed}/images/{manifest['id']}/map", most) as answer:
            return read_all(answer.read, most)

    def blocks(self, feed: str, manifest: Manifest, block_map: BlockMap, bits: bytes) -> Iterator[StoredBlock]:
        """The first of the blocks that a bitmap names, not yet checked."""
        path = f"/feeds/{feed}/images/{manifest['id']}/blocks"
        with self._resumed("POST", path, _LARGEST_BLOCKS, bits) as answer:
            yield from read_records(exactly(answer.read))

    def _json(self, path: str) -> dict[str, Any]:
        with self._resumed("GET", path, _LARGEST_JSON) as answer:
            text = read_all(answer.read, _LARGEST_JSON)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Invalid("The peer does not answer like an appliance.") from error
        if not isinstance(document, dict):
            raise Invalid("The peer does not answer like an appliance.")
        return document

    def _resumed(self, method: str, path: str, most: int, body: bytes = b"") -> Resumed:
        return Resumed(lambda more: self._answer(method, path, body, more), most, self._pacer, self._pacer.pause)

    @contextmanager
    def _answer(
        self, method: str, path: str, body: bytes, more: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        target = PREFIX + path
        header = sign_request(self._key, self._peer.key, method, target, body, self._clock())
        with ask(self._peer.url, self._peer.pin, method, target, {"Authorization": header, **more}, body) as response:
            if response.status not in (200, 206):
                raise _refusal(response)
            self._pacer.also(whole_number(response.headers.get(RATE) or "") or 0)
            yield response


def ask_key(url: str, trust: str) -> str:
    """The key that the site at an address says is its own. Raises `Unavailable` or `Invalid`."""
    try:
        with ask(url, trust, "GET", PREFIX, {}) as response:
            document = json.loads(response.read(CHUNK)) if response.status == 200 else {}
        return str(document["key"])
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid(f"{url} does not answer like an appliance with a fleet: say the address of its images") from error


def _refusal(response: http.client.HTTPResponse) -> ApplianceError:
    """What an answer other than 200 says."""
    try:
        said = readable(json.loads(response.read(CHUNK))["message"])
    except (ValueError, KeyError, TypeError):
        said = f"the peer answers {response.status}"
    if response.status == 429:
        return TooManyRequests(said, whole_number(response.headers.get("Retry-After") or "") or 1)
    kinds: dict[int, type[ApplianceError]] = {401: Forbidden, 403: Forbidden, 404: NotFound, 400: Invalid}
    return kinds.get(response.status, Unavailable)(f"The peer says: {said}")
