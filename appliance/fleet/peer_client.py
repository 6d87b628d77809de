"""The other side of a feed that is followed over HTTP: an appliance that is asked with signed requests.

It believes nothing of what comes: an answer may be neither longer than was asked for nor slower than it makes sense,
and whoever asked checks every entry, map and block.
"""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from appliance.blobs.delivery import StoredBlock, read_records
from appliance.db.fleet import PeerRecord
from appliance.errors import ApplianceError, Corrupt, Forbidden, Invalid, NotFound, TooManyRequests, Unavailable
from appliance.fleet.block_map import BlockMap
from appliance.fleet.keys import SiteKey
from appliance.fleet.manifest import Manifest
from appliance.fleet.peer_requests import sign_request
from appliance.fleet.tar import exactly
from appliance.fleet.web import CHUNK, Pace, connect, length_of, no_pace, read_all, read_some, unreachable
from appliance.values import MIB, Clock, whole_number

PREFIX = "/appliance/v1/fleet/peer"
_LARGEST_JSON = 64 * MIB
_LARGEST_MAP = 1 << 30
_LARGEST_BLOCKS = 80 * MIB


class PeerClient:
    """Asks one peer. Raises `Unavailable` if it can't be reached or breaks off."""

    def __init__(self, peer: PeerRecord, key: SiteKey, clock: Clock, pace: Pace = no_pace) -> None:
        self._peer = peer
        self._key = key
        self._clock = clock
        self._pace = pace

    def entries(self, feed: str, after: int) -> tuple[list[Any], int]:
        """The entries that follow one, not yet checked, and how many there are in all."""
        document = self._json(f"/feeds/{feed}/entries?after={after}")
        entries, sequence = document.get("entries"), document.get("sequence")
        if not isinstance(entries, list) or not isinstance(sequence, int):
            raise Invalid("The peer does not answer like an appliance.")
        return entries, sequence

    def feeds(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._json("/feeds").get("feeds", [])
        return found

    def map(self, feed: str, manifest: Manifest) -> bytes:
        """The block map of an image, not yet checked."""
        with self._answer("GET", f"/feeds/{feed}/images/{manifest['id']}/map") as response:
            return read_all(response, _LARGEST_MAP, self._pace)

    def blocks(self, feed: str, manifest: Manifest, block_map: BlockMap, bits: bytes) -> Iterator[StoredBlock]:
        """The first of the blocks that a bitmap names, not yet checked."""
        with self._answer("POST", f"/feeds/{feed}/images/{manifest['id']}/blocks", bits) as response:
            length = length_of(response)
            if length is None or length > _LARGEST_BLOCKS:
                raise Invalid("The peer sends more than it was asked for.")
            try:
                yield from read_records(exactly(lambda size: read_some(response, size, self._pace)))
            except Corrupt as error:
                if response.length:
                    raise Unavailable("The peer broke off.") from error
                raise

    def _json(self, path: str) -> dict[str, Any]:
        with self._answer("GET", path) as response:
            text = read_all(response, _LARGEST_JSON, self._pace)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Invalid("The peer does not answer like an appliance.") from error
        if not isinstance(document, dict):
            raise Invalid("The peer does not answer like an appliance.")
        return document

    @contextmanager
    def _answer(self, method: str, path: str, body: bytes = b"") -> Iterator[http.client.HTTPResponse]:
        target = PREFIX + path
        header = sign_request(self._key, self._peer.key, method, target, body, self._clock())
        connection, prefix = connect(self._peer.url, self._peer.pin)
        try:
            headers = {"Authorization": header, "Connection": "close", "Accept": "*/*"}
            connection.request(method, prefix + target, body or None, headers)
            with connection.getresponse() as response:
                if response.status != 200:
                    raise _refusal(response)
                yield response
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(self._peer.url, error) from error
        finally:
            connection.close()


def ask_key(url: str, pin: str) -> str:
    """The key that the site at an address says is its own. Raises `Unavailable` or `Invalid`."""
    connection, prefix = connect(url, pin)
    try:
        connection.request("GET", prefix + PREFIX, headers={"Connection": "close"})
        with connection.getresponse() as response:
            document = json.loads(response.read(CHUNK)) if response.status == 200 else {}
        return str(document["key"])
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(url, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid(f"{url} does not answer like an appliance with a fleet: say the address of its images") from error
    finally:
        connection.close()


def _refusal(response: http.client.HTTPResponse) -> ApplianceError:
    """What an answer other than 200 says."""
    try:
        said = str(json.loads(response.read(CHUNK))["message"])[:500]
    except (ValueError, KeyError, TypeError):
        said = f"the peer answers {response.status}"
    if response.status == 429:
        return TooManyRequests(said, whole_number(response.headers.get("Retry-After") or "") or 1)
    kinds: dict[int, type[ApplianceError]] = {401: Forbidden, 403: Forbidden, 404: NotFound, 400: Invalid}
    return kinds.get(response.status, Unavailable)(f"The peer says: {said}")
