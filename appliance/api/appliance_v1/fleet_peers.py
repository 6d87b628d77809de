"""/appliance/v1/fleet/peer: what other sites read of our feeds. Each request is signed by the site that makes it."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from appliance.api.appliance_v1.fleet import BASE, Streamed
from appliance.api.http.error_responses import codes_of
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route, Service
from appliance.blobs.delivery import record_lengths, record_sizes, records
from appliance.errors import ApplianceError, Invalid, TooManyRequests, Unauthenticated
from appliance.fleet.peer_client import RATE
from appliance.fleet.peer_requests import SCHEME
from appliance.fleet.service import Fleet
from appliance.values import MIB, Caller, whole_number

PREFIX = f"{BASE}/peer"
POLICY = "follow_feed"
_LARGEST_BITMAP = 8 * MIB
_FROM = re.compile(r"bytes=(\d{1,15})-")
_BLOCKS = "application/vnd.glance-appliance.blocks"


class PeerRoutes:
    """Handlers of what peers ask."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._serving = fleet.serving

    def routes(self) -> list[Route]:
        feed, image = f"{PREFIX}/feeds/<name>", f"{PREFIX}/feeds/<name>/images/<image_id>"
        return [
            Route("GET", PREFIX, self.site, public=True),
            Route("GET", f"{PREFIX}/feeds", self.feeds, POLICY),
            Route("GET", f"{feed}/entries", self.entries, POLICY),
            Route("GET", f"{image}/map", self.map, POLICY),
            Route("POST", f"{image}/blocks", self.blocks, POLICY),
        ]

    def site(self, request: Request[Caller]) -> Response:
        """Who this is: the key is no secret, and its fingerprint is what people compare."""
        return Response(200, {"key": self._fleet.key.public, "fingerprint": self._fleet.key.fingerprint})

    def feeds(self, request: Request[Caller]) -> Response:
        """The feeds that the peer may follow."""
        found = self._serving.feeds(request.caller.user_name or "")
        return Response(
            200, {"feeds": [{"name": one.name, "source": one.source, "origin": one.origin} for one in found]}
        )

    def entries(self, request: Request[Caller], name: str) -> Response:
        after = whole_number(request.arg("after") or "0")
        if after is None:
            raise Invalid("after is the number of an entry.")
        page = self._serving.entries(request.caller.user_name or "", name, after)
        document = {"entries": [entry.signed() for entry in page.entries], "sequence": page.sequence}
        return _whole(request, json.dumps(document).encode(), "application/json")

    def map(self, request: Request[Caller], name: str, image_id: str) -> Response:
        packed = self._serving.map(request.caller.user_name or "", name, image_id)
        return _whole(request, packed, "application/octet-stream")

    def blocks(self, request: Request[Caller], name: str, image_id: str) -> Response:
        """The blocks that the bitmap of the body names, or as many of the first of them as one answer has."""
        found = self._serving.blocks(request.caller.user_name or "", name, image_id, request.sent)
        whole = sum(record_lengths(found.shipment.stored))
        start = _start(request, found.shipment.tag, whole)
        skipped = at = 0
        for blocks, length in record_sizes(found.shipment.stored):
            if at + length > start:
                break
            skipped, at = skipped + blocks, at + length
        self._serving.count(name, found.rate, whole - start)
        rest = _behind(records(found.sent(skipped)), start - at)
        headers = [("Content-Type", _BLOCKS), *([(RATE, str(found.rate))] if found.rate else [])]
        return _part(Streamed(rest, whole - start), start, whole, found.shipment.tag, headers)


def _start(request: Request[Caller], tag: str, whole: int) -> int:
    """From which byte on the answer is wanted, if that is the one of which the other has the beginning."""
    match = _FROM.fullmatch(request.header("range") or "")
    start = int(match[1]) if match and request.header("if-range") == tag else 0
    return start if start < whole else 0


def _whole(request: Request[Caller], body: bytes, kind: str) -> Response:
    """An answer that is made already, or the rest of it."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    start = _start(request, tag, len(body))
    return _part(body[start:], start, len(body), tag, [("Content-Type", kind)])


def _part(body: Any, start: int, whole: int, tag: str, headers: list[tuple[str, str]]) -> Response:
    ranged = [("Content-Range", f"bytes {start}-{whole - 1}/{whole}")] if start else []
    return Response(206 if start else 200, body, [*headers, ("ETag", tag), *ranged])


def _behind(parts: Iterator[bytes], skip: int) -> Iterator[bytes]:
    """The parts but for some first bytes."""
    for part in parts:
        yield part[skip:]
        skip = max(0, skip - len(part))


class PeerDialect:
    """JSON errors, and signatures in place of tokens."""

    def __init__(self, fleet: Fleet) -> None:
        self._check = fleet.request_check

    def before_routing(self, request: Request[Caller]) -> Response | None:
        return None

    def admit(self, request: Request[Caller], route: Route) -> None:
        if route.public:
            return
        query = request.environ.get("QUERY_STRING", "")
        target = request.path + (f"?{query}" if query else "")
        header = request.header("authorization")
        self._check.check_form(header)
        request.sent = request.body(_LARGEST_BITMAP)
        peer = self._check.peer(header, request.method, target, request.sent)
        request.caller = Caller(user_id=f"peer {peer}", user_name=peer)

    def authorize(self, request: Request[Caller], route: Route, parts: Mapping[str, str]) -> None:
        """Nothing: each feed has its readers, and is not there for others."""

    def fault(self, request: Request[Caller], error: Exception) -> Response:
        said = str(error) if isinstance(error, ApplianceError) else "This site could not answer."
        response = Response(codes_of(error).image, {"message": said})
        if isinstance(error, Unauthenticated):
            response.headers.append(("WWW-Authenticate", SCHEME))
        if isinstance(error, TooManyRequests):
            response.headers.append(("Retry-After", str(error.retry_after)))
        return response

    def unrouted(self, request: Request[Caller]) -> Response:
        return Response(404, {"message": "There is nothing here."})

    def wrong_method(self, request: Request[Caller], allowed: str) -> Response:
        return Response(405, {"message": "The method is not allowed here."}, [("Allow", allowed)])

    def finish(self, request: Request[Caller], response: Response) -> None:
        response.headers.append(("x-openstack-request-id", request.id))


def peer_service(fleet: Fleet) -> Service[Caller]:
    """The service that peers use."""
    return Service(PeerDialect(fleet), PeerRoutes(fleet).routes(), head_is_get=False)


class WithPeers:
    """The image service, and beside it, on paths of its own, what peers use."""

    def __init__(self, image: WSGIApplication, peers: WSGIApplication) -> None:
        self._image = image
        self._peers = peers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: Any = environ.get("PATH_INFO", "")
        chosen = self._peers if path == PREFIX or path.startswith(f"{PREFIX}/") else self._image
        return chosen(environ, start_response)
