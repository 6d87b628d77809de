"""One HTTP service: a table of routes and a dialect, as a WSGI application.

Handlers are plain functions from `Request` to `Response`; the dialect decides who may pass and what an error looks
like; nothing here knows Glance or Keystone.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from wsgiref.types import StartResponse, WSGIEnvironment

from appliance.api.http.addresses import merged
from appliance.api.http.messages import Request, Response
from appliance.api.http.router import NotRouted, Router
from appliance.errors import ApplianceError, Corrupt, StorageFault, StorageFull
from appliance.identity.tokens.token import Token
from appliance.logs import request_fields, request_id
from appliance.values import NOBODY, Caller, Client, current_client, is_uuid, onward_headers

log = logging.getLogger(__name__)

ANY_TOKEN = "any token"
"""The policy of a route that everybody may call who has a valid token."""

C = TypeVar("C")
Handler = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One line of a dialect's table: handler called with the request and the named segments of `path`."""

    method: str
    path: str
    handler: Handler
    policy: str | tuple[str, ...] = ()
    """Who may call it: an upstream name (`identity:get_user`, `get_image`). Several where the target tells which."""
    target: Callable[..., Any] | None = None
    """What the policy is asked about: made of the request and the path's parts, as the dialect calls it."""
    reads: Callable[[Request[Any]], object] | None = None
    """What is read of the request, mostly its body, for the handler to find in `request.sent`; raises `Invalid`."""
    late: bool = False
    """It is read after the policy has had its say, not before."""
    relation: str | tuple[str, ...] = ()
    """What JSON Home calls the path, the names of extensions before a colon: `user`, `OS-TRUST:trust`."""
    public: bool = False
    """Answered without a token."""
    bodiless: bool = False
    """A request body is refused (Glance's rule for most reads and deletes)."""
    frees: bool = False
    """Goes on when the disk is full: it gives room back or takes access away, or nobody could without it (log-ins).

    What only reads or deletes always does.
    """

    def __post_init__(self) -> None:
        if bool(self.policy) == self.public:
            raise ValueError(f"{self.method} {self.path} must either name its policy or be public")

    @property
    def spends_reserve(self) -> bool:
        """Whether what it writes may use the room on the disk that is kept for freeing some."""
        return self.frees or self.method in ("GET", "HEAD", "DELETE")

    @property
    def policies(self) -> tuple[str, ...]:
        return (self.policy,) if isinstance(self.policy, str) else self.policy

    @property
    def relations(self) -> tuple[str, ...]:
        return (self.relation,) if isinstance(self.relation, str) else self.relation


class Dialect(Protocol[C]):
    """What makes one API sound like itself."""

    def before_routing(self, request: Request[C]) -> Response | None:
        """Look at a request before its path is known; a response ends it. May raise."""
        ...

    def admit(self, request: Request[C], route: Route) -> None:
        """Set `request.caller`, or raise `Unauthenticated`; check what the route demands of the request's form."""
        ...

    def authorize(self, request: Request[C], route: Route, parts: Mapping[str, str]) -> None:
        """Raise what the API says to a caller whom the route's policy does not let in. Not asked for public routes."""
        ...

    def fault(self, request: Request[C], error: Exception) -> Response:
        """The answer to an error; one that is not an `ApplianceError` has been logged already."""
        ...

    def unrouted(self, request: Request[C]) -> Response:
        """The answer to a path that no route has. One with doubled slashes has a route without them."""
        ...

    def wrong_method(self, request: Request[C], allowed: str) -> Response:
        """The answer to a method that the path does not take; `allowed` goes into `Allow`."""
        ...

    def finish(self, request: Request[C], response: Response) -> None:
        """Add what every answer of this dialect carries."""
        ...


class Service(Generic[C]):
    """A WSGI application made of routes and a dialect."""

    def __init__(self, dialect: Dialect[C], routes: Iterable[Route], *, head_is_get: bool) -> None:
        self.routes: Sequence[Route] = tuple(routes)
        self._dialect = dialect
        self._head_is_get = head_is_get
        self._router: Router[Route] = Router()
        for route in self.routes:
            self._router.add(route.method, route.path, route)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request: Request[C] = Request(environ)
        environ["appliance.request"] = request
        # Never reset: the server logs the request in the same context after we have returned.
        request_id.set(f"{request.id} {request.trace_id}" if request.trace_id else request.id)
        onward_headers.set(request.onward)
        current_client.set(_client(environ))
        request_fields.set({})
        response = request.response = self._respond(request)
        self._dialect.finish(request, response)
        request_fields.set(_fields(request))
        return response.send(environ, start_response)

    def _respond(self, request: Request[C]) -> Response:
        try:
            early = self._dialect.before_routing(request)
            if early is not None:
                return early
            return self._route(request)
        except ApplianceError as error:
            if isinstance(error, StorageFull | StorageFault | Corrupt):
                # The client is told what failed; which file it was is for who runs the service.
                log.error("%s %s: %s%s", request.method, request.path, error, _place(error))
            return self._dialect.fault(request, error)
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path)
            return self._dialect.fault(request, error)

    def _route(self, request: Request[C]) -> Response:
        try:
            route, parts = self._match(request, request.path)
        except NotRouted as unrouted:
            if unrouted.allowed:
                return self._dialect.wrong_method(request, ", ".join(unrouted.allowed))
            if "//" in request.path:
                return self._doubled(request)
            return self._dialect.unrouted(request)
        return self._call(request, route, parts)

    def _match(self, request: Request[C], path: str) -> tuple[Route, dict[str, str]]:
        """The route of a path and its parts. Raises `NotRouted`."""
        method = request.method.upper()
        if method != "HEAD":
            return self._router.match((method,), path or "/")
        return self._router.match(("HEAD", "GET") if self._head_is_get else (), path or "/")

    def _doubled(self, request: Request[C]) -> Response:
        """The answer to a path that has no route as it is, with the slashes doubled that are."""
        try:
            self._match(request, merged(request.path))
        except NotRouted:
            request.path = merged(request.path)
            return self._route(request)
        return self._dialect.unrouted(request)

    def _call(self, request: Request[C], route: Route, parts: dict[str, str]) -> Response:
        request.route, request.parts = route, parts
        with request.spending() if route.spends_reserve else nullcontext():
            self._dialect.admit(request, route)
            request_fields.set(_fields(request))
            if route.reads is not None and not route.late:
                request.sent = route.reads(request)
            if not route.public:
                self._dialect.authorize(request, route, parts)
            if route.reads is not None and route.late:
                request.sent = route.reads(request)
            return route.handler(request, **parts)


def _fields(request: Request[Any]) -> dict[str, str]:
    """What the log says of a request beside its line: the ids of whom it comes from and of the image."""
    found = getattr(request, "caller", None)
    if isinstance(found, Caller):
        user, project = found.user_id, found.project_id
    else:
        token = found if isinstance(found, Token) else getattr(found, "token", None)
        user, project = (token.user.id, token.project_id) if isinstance(token, Token) else ("", "")
    image = request.parts.get("image_id", "")
    if not image and request.response is not None and request.path.rstrip("/").endswith("/images"):
        body = request.response.body
        image = body.get("id", "") if isinstance(body, dict) else ""
    # Of a path that is no image's, anything may stand there.
    return {"user": user, "project": project or "", "image": image if is_uuid(image) else ""}


def _place(error: ApplianceError) -> str:
    """The file that the system refused, if it did."""
    cause = error.__cause__
    return f" ({cause.filename})" if isinstance(cause, OSError) and cause.filename else ""


def _client(environ: WSGIEnvironment) -> Client:
    """Who asks: a trusted proxy's word has been folded into the address before (see `api/http/proxy.py`)."""
    return Client(
        environ.get("REMOTE_ADDR", ""),
        environ.get("appliance.client_has_left", NOBODY.has_left),
        environ.get("appliance.waiting", NOBODY.waiting),
    )
