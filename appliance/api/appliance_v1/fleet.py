"""/appliance/v1/fleet: other sites, feeds of images, and bundles of them. For administrators."""

from collections.abc import Iterator
from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Handler, Route
from appliance.errors import Corrupt, Invalid
from appliance.fleet.bundle_import import Terms
from appliance.fleet.operations import FleetOperations, Operation, imported_text
from appliance.fleet.service import Fleet
from appliance.fleet.tar import exactly
from appliance.values import Caller

BASE = "/appliance/v1/fleet"
POLICY = "manage_fleet"
_TERMS = ("origin", "name", "project", "policy")


class FleetRoutes:
    """Handlers of what an administrator does with the fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._operations = FleetOperations(fleet)

    def routes(self) -> list[Route]:
        made = [
            Route(one.method, BASE + one.path, self._handler(one), POLICY, bodiless=one.method in ("GET", "DELETE"))
            for one in self._operations.operations()
        ]
        return [
            *made,
            Route("POST", f"{BASE}/feeds/<name>/bundle", self.export, POLICY),
            Route("POST", f"{BASE}/bundles", self.bring, POLICY),
        ]

    def _enforce(self, request: Request[Caller]) -> None:
        self._fleet.context.images.policies.enforce_service(request.caller, POLICY)

    def _handler(self, operation: Operation) -> Handler:
        def handle(request: Request[Caller], **parts: str) -> Response:
            self._enforce(request)
            shown = operation.work(_document(request), **parts)
            return Response(204) if shown is None else Response(201 if operation.method == "POST" else 200, shown)

        return handle

    def export(self, request: Request[Caller], name: str) -> Response:
        """A bundle of a feed; `since` of the body is the receipt of the site that it is for."""
        self._enforce(request)
        since = _document(request).get("since") or ""
        if not isinstance(since, str):
            raise Invalid("A receipt is sent as the text that its file has.")
        bundle = self._fleet.bundle(name, since)
        return Response(200, Streamed(bundle.pieces(), bundle.length), [("Content-Type", "application/x-tar")])

    def bring(self, request: Request[Caller]) -> Response:
        """Import the bundle that comes as the body."""
        self._enforce(request)
        given = {name: value for name in _TERMS if (value := request.arg(name)) is not None}
        try:
            imported = self._fleet.imports.run(exactly(request.source.read), Terms(**given))
        except Corrupt as error:
            # Of what came, most likely: what is stored here is not the client's fault, but its damage is logged.
            raise Invalid(str(error)) from error
        return Response(200, imported_text(imported))


class Streamed:
    """Satisfies `values.Content`: bytes that are made as they are sent."""

    def __init__(self, parts: Iterator[bytes], length: int) -> None:
        self.length = length
        self._source = parts
        self._parts = filter(None, parts)
        self._rest = b""

    def pieces(self) -> Iterator[bytes]:
        yield from self._parts

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        parts, wanted = [], size if size >= 0 else self.length
        while wanted > 0:
            self._rest = self._rest or next(self._parts, b"")
            if not self._rest:
                break
            parts.append(self._rest[:wanted])
            self._rest = self._rest[wanted:]
            wanted -= len(parts[-1])
        return b"".join(parts)

    def close(self) -> None:
        """Let go of what the parts are made of."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


def _document(request: Request[Caller]) -> dict[str, Any]:
    if not request.has_body:
        return {}
    document = request.json(utf8_only=True)
    if not isinstance(document, dict):
        raise Invalid("Request body must be a JSON object.")
    return document
