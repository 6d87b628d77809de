"""What makes an API sound like Glance's v1: plain text errors, and a token for everything."""

from collections.abc import Callable, Mapping
from typing import Any

from appliance.api.exchange import Reply, Request
from appliance.api.faults import codes_of, image_error
from appliance.api.service import Route
from appliance.api.slashes import merged
from appliance.errors import ApplianceError, Unauthenticated, UnsupportedFormat
from appliance.values import Caller

Authenticate = Callable[[str, str, str], Caller]
"""A token's text, the method and the path that it is used for in, its caller out. Raises `Unauthenticated`."""

VERSIONS = ("v1", "v1.0", "v1.1")
MEDIA_TYPE = "application/vnd.openstack.images-"

_UNEXPECTED = "The server has either erred or is incapable of performing the requested operation."
_NOWHERE = "The resource could not be found."


class ImageV1Dialect:
    """Image API v1. Its versions are all the same."""

    def __init__(self, authenticate: Authenticate, identity_url: Callable[[Request[Any]], str]) -> None:
        self._authenticate = authenticate
        self._identity_url = identity_url

    def before_routing(self, request: Request[Caller]) -> Reply | None:
        request.path = merged(request.path)
        first, _, rest = request.path.lstrip("/").partition("/")
        if first not in VERSIONS:
            # The version came in the Accept header.
            rest = request.path.lstrip("/")
        request.path = f"/v1/{rest}".rstrip("/")
        request.check_request_id()
        token = request.header("x-auth-token")
        if not token:
            raise Unauthenticated("There is no token in the request.")
        request.caller = self._authenticate(token, request.method, request.path)
        return None

    def admit(self, request: Request[Caller], route: Route) -> None:
        """Everybody with a token may come in; what they may do there is for the image package to decide."""

    def authorize(self, request: Request[Caller], route: Route, parts: Mapping[str, str]) -> None:
        """Nothing, as in Image API v2."""

    def fault(self, request: Request[Caller], error: Exception) -> Reply:
        status = 400 if isinstance(error, UnsupportedFormat) else codes_of(error).image
        reply = image_error(status, str(error) if isinstance(error, ApplianceError) else _UNEXPECTED, None)
        if status == 401:
            reply.headers.append(("WWW-Authenticate", f"Keystone uri='{self._identity_url(request)}'"))
        return reply

    def unrouted(self, request: Request[Caller]) -> Reply:
        return image_error(404, _NOWHERE, None)

    def wrong_method(self, request: Request[Caller], allowed: str) -> Reply:
        reply = image_error(405, f"The method {request.method} is not allowed for this resource.", None)
        reply.headers.append(("Allow", allowed))
        return reply

    def finish(self, request: Request[Caller], reply: Reply) -> None:
        reply.headers.append(("X-Openstack-Request-Id", request.id))
