"""Cross-origin requests: which pages of which origins may call the service from a browser. Off without origins."""

from collections.abc import Iterable
from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.settings import Settings

_MAX_AGE = "3600"

# A browser may always send these.
_SIMPLE_HEADERS = frozenset(
    {
        "accept",
        "accept-language",
        "cache-control",
        "content-language",
        "content-type",
        "expires",
        "last-modified",
        "pragma",
    }
)


class Cors:
    """The answers to preflight requests, and the headers that let a page read the other answers."""

    def __init__(
        self,
        origins: Iterable[str],
        *,
        methods: Iterable[str],
        allow_headers: Iterable[str] = (),
        allow_prefixes: tuple[str, ...] = (),
        expose_headers: Iterable[str] = (),
    ) -> None:
        self._origins = frozenset(origin.rstrip("/") for origin in origins)
        self._any = "*" in self._origins
        self._methods = frozenset(methods)
        self._allow_headers = _SIMPLE_HEADERS | {name.lower() for name in allow_headers}
        self._allow_prefixes = allow_prefixes
        self._expose_headers = ",".join(expose_headers)

    def preflight(self, request: Request[Any]) -> Response | None:
        """The answer to a browser that asks beforehand; None if the request is no such question."""
        method = request.header("access-control-request-method")
        origin = self._origin(request)
        if not self._origins or request.method != "OPTIONS" or method is None or origin is None:
            return None
        response = Response(200)
        wanted = [name.strip() for name in (request.header("access-control-request-headers") or "").split(",")]
        wanted = [name for name in wanted if name]
        if method.upper() in self._methods and all(self._may_send(name) for name in wanted):
            self._allow(response, origin)
            response.headers.append(("Access-Control-Max-Age", _MAX_AGE))
            response.headers.append(("Access-Control-Allow-Methods", method.upper()))
            if wanted:
                response.headers.append(("Access-Control-Allow-Headers", ",".join(wanted)))
        return response

    def finish(self, request: Request[Any], response: Response) -> None:
        """Let a page of an allowed origin read the answer. A preflight's says what it has to say already."""
        origin = self._origin(request)
        asked = request.method == "OPTIONS" and request.header("access-control-request-method") is not None
        if origin is not None and not asked and not response.has_header("Access-Control-Allow-Origin"):
            self._allow(response, origin)
            if self._expose_headers:
                response.headers.append(("Access-Control-Expose-Headers", self._expose_headers))

    def _origin(self, request: Request[Any]) -> str | None:
        origin = request.header("origin")
        if origin and origin.rstrip("/") in self._origins:
            return origin
        # Not the origin itself: a browser lets no page use cookies or other credentials of its own with "*".
        return "*" if origin and self._any else None

    def _may_send(self, name: str) -> bool:
        return name.lower() in self._allow_headers or name.lower().startswith(self._allow_prefixes)

    def _allow(self, response: Response, origin: str) -> None:
        response.headers.append(("Vary", "Origin"))
        response.headers.append(("Access-Control-Allow-Origin", origin))
        # As the original services say by default. There are no cookies here: a page sends its token in a header.
        response.headers.append(("Access-Control-Allow-Credentials", "true"))


_ALLOWED = (
    "X-Auth-Token",
    "X-OpenStack-Request-ID",
    "X-Subject-Token",
    "X-Project-Id",
    "X-Project-Name",
    "X-Project-Domain-Id",
    "X-Project-Domain-Name",
    "X-Domain-Id",
    "X-Domain-Name",
    "OpenStack-Auth-Receipt",
)
_EXPOSED = ("X-Auth-Token", "X-OpenStack-Request-ID", "X-Subject-Token", "OpenStack-Auth-Receipt")


def identity_cors(settings: Settings) -> Cors:
    """Keystone's defaults, for the origins of the settings."""
    return Cors(
        settings.cors_allowed_origins,
        methods=("GET", "PUT", "POST", "DELETE", "PATCH"),
        allow_headers=_ALLOWED,
        expose_headers=_EXPOSED,
    )
