"""/appliance/v1/fleet/peer: what other sites read of our feeds. Each request is signed by the site that makes it."""

from collections.abc import Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from appliance.api.appliance_v1.fleet import BASE, Streamed
from appliance.api.http.error_responses import codes_of
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route, Service
from appliance.blobs.delivery import record_lengths, records
from appliance.errors import ApplianceError, Invalid, TooManyRequests, Unauthenticated
from appliance.fleet.peer_requests import SCHEME
from appliance.fleet.service import Fleet
from appliance.values import MIB, Caller, whole_number

PREFIX = f"{BASE}/peer"
POLICY = "follow_feed"
_LARGEST_BITMAP = 8 * MIB
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
        return Response(200, {"entries": [entry.signed() for entry in page.entries], "sequence": page.sequence})

    def map(self, request: Request[Caller], name: str, image_id: str) -> Response:
        return Response(200, self._serving.map(request.caller.user_name or "", name, image_id))

    def blocks(self, request: Request[Caller], name: str, image_id: str) -> Response:
        """The blocks that the bitmap of the body names, or as many of the first of them as one answer has."""
        shipment = self._serving.blocks(request.caller.user_name or "", name, image_id, request.sent)
        length = sum(record_lengths(shipment.stored))
        return Response(200, Streamed(records(shipment.blocks()), length), [("Content-Type", _BLOCKS)])


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
