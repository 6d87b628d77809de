"""What is to be seen of the requests that the services answer: transfers while they run, events, figures."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from appliance import logs
from appliance.activity.running import DOWNLOAD, UPLOAD, CountedContent, CountedSource, Transfers
from appliance.activity.trail import AuditTrail
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.db.activity import EventRecord
from appliance.identity.tokens.token import Token
from appliance.values import Caller, Clock, Content, Micros, Source

SAFE = ("GET", "HEAD", "OPTIONS")
LOG_IN = "log_in"
CHANGE_SCOPE = "change_scope"
"""A token in exchange for another: nobody has shown a secret anew."""
_LOG_INS = frozenset(
    {"/v3/auth/tokens", "/v3/OS-OAUTH2/token", "/v3/ec2tokens", "/v3/s3tokens", "/v2.0/tokens", "/v2.0/ec2tokens"}
)
_FEDERATED_LOG_IN = "/v3/OS-FEDERATION/identity_providers/<idp_id>/protocols/<protocol_id>/auth"
_CHANGE_PASSWORD = "/v3/users/<user_id>/password"
_DATA = ("/file", "/stage", "/v1/images", "/v1/images/<image_id>")
_LONGEST = 255
_NOBODY = Caller(user_id="")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that a service has answered. Of a download only the head has left."""

    service: str
    request: Request[Any]
    response: Response
    seconds: float

    @property
    def route(self) -> Route | None:
        route: Route | None = self.request.route
        return route

    @property
    def caller(self) -> Caller:
        return caller_of(self.request)


Observer = Callable[[Exchange], None]


class Observed:
    """A service whose requests are seen by `observers`, and whose transfers are counted."""

    def __init__(
        self, name: str, service: WSGIApplication, transfers: Transfers, observers: Sequence[Observer]
    ) -> None:
        self._name = name
        self._service = service
        self._transfers = transfers
        self._observers = observers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        begun = time.monotonic()
        source = _LazySource(environ, self._transfers)
        if environ["REQUEST_METHOD"] in ("PUT", "POST"):
            environ["wsgi.input"] = source
        self._count_download(environ)
        try:
            return self._service(environ, start_response)
        finally:
            source.close()
            request = environ.get("appliance.request")
            if request is not None and request.response is not None:
                exchange = Exchange(self._name, request, request.response, time.monotonic() - begun)
                for observer in self._observers:
                    observer(exchange)

    def _count_download(self, environ: WSGIEnvironment) -> None:
        wrap = environ.get("wsgi.file_wrapper")
        if wrap is None:
            return

        def counted(content: Content) -> Iterable[bytes]:
            request = environ["appliance.request"]
            if not hasattr(content, "pieces"):
                return wrap(content)  # type: ignore[no-any-return]
            address = environ.get("REMOTE_ADDR", "")
            image_id = request.parts.get("image_id", "")
            transfer = self._transfers.begin(DOWNLOAD, image_id, caller_of(request), address, content.length)
            return wrap(CountedContent(content, transfer, self._transfers))  # type: ignore[no-any-return]

        environ["wsgi.file_wrapper"] = counted


class _LazySource:
    """A request's body; from its first byte on it counts as an upload, if its route takes image data."""

    def __init__(self, environ: WSGIEnvironment, transfers: Transfers) -> None:
        self._environ = environ
        self._transfers = transfers
        self._inner: Any = environ.get("wsgi.input")
        self._begun = False
        self._transfer: Any = None
        if hasattr(self._inner, "readinto"):
            self.readinto = self._readinto

    def read(self, size: int = -1, /) -> bytes:
        self._begin()
        data: bytes = self._inner.read(size)
        return data

    def follows(self, store: str, content_id: int | None) -> None:
        """Told by whoever stores the body."""
        if isinstance(self._inner, CountedSource):
            self._inner.follows(store, content_id)

    def _readinto(self, room: memoryview) -> int:
        self._begin()
        count: int = self._inner.readinto(room)
        return count

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        request = self._environ.get("appliance.request")
        if request is None or request.route is None or not request.route.path.endswith(_DATA):
            return
        size = request.content_length
        address = self._environ.get("REMOTE_ADDR", "")
        image_id = request.parts.get("image_id", "")
        self._transfer = self._transfers.begin(UPLOAD, image_id, caller_of(request), address, size)
        inner: Source = self._inner
        self._inner = CountedSource(inner, self._transfer)

    def close(self) -> None:
        if self._transfer is not None:
            self._transfers.end(self._transfer)


def caller_of(request: Request[Any]) -> Caller:
    """Who sent a request, whichever API it came to; nobody if it has shown no valid token."""
    found = getattr(request, "caller", None)
    if isinstance(found, Caller):
        return found
    token = found if isinstance(found, Token) else getattr(found, "token", None)
    return token.caller() if isinstance(token, Token) else _NOBODY


# -- the audit trail ---------------------------------------------------------------------------------------------------


def auditing(trail: AuditTrail, clock: Clock) -> Observer:
    """Records every request that may change something, and every log-in."""

    def observe(exchange: Exchange) -> None:
        if exchange.request.method not in SAFE or action_of(exchange.request) == LOG_IN:
            event, domain = event_of(exchange, clock)
            trail.record(event, domain)

    return observe


def event_of(exchange: Exchange, clock: Clock) -> tuple[EventRecord, str]:
    """The event, and the domain of whom a log-in that failed has named. Nothing that a body holds but names and ids."""
    request, body = exchange.request, exchange.response.body
    action = action_of(request)
    caller = exchange.caller
    user_id, user_name, domain = caller.user_id, caller.user_name or "", ""
    project_id, project_name = caller.project_id or "", caller.project_name or ""
    if action in (LOG_IN, CHANGE_SCOPE):
        shown = _in_token(body)
        known = (user_id, user_name, "") if user_id else None
        user_id, user_name, domain = shown["user"] or known or _claimed(request.parsed)
        project_id, project_name = shown["project"] or (project_id, project_name)
    kind, subject, name = _subject(request, exchange.response, action)
    secret = [value for part, value in request.parts.items() if "token" in part]
    path = logs.redact(request.path)
    for each in secret:
        path = path.replace(each, "***")
    parts = {part: value[:_LONGEST] for part, value in request.parts.items() if "token" not in part}
    event = EventRecord(
        at=clock(),
        user_id=user_id,
        user_name=user_name,
        project_id=project_id,
        project_name=project_name,
        address=request.environ.get("REMOTE_ADDR", ""),
        service=exchange.service,
        action=action,
        method=request.method,
        path=path[: 2 * _LONGEST],
        subject_kind=kind,
        subject=subject[:_LONGEST],
        subject_name=name[:_LONGEST],
        parts=json.dumps(parts),
        status=exchange.response.status,
        request_id=request.id,
        trace_id=request.trace_id,
    )
    return event, domain


def by_link(token: Token, environ: WSGIEnvironment, at: Micros) -> EventRecord:
    """The event of a log-in by the console's one-time link, which comes to no service."""
    return EventRecord(
        at=at,
        user_id=token.user.id,
        user_name=token.user.name,
        project_id=token.project_id or "",
        project_name=token.project.name if token.project else "",
        address=environ.get("REMOTE_ADDR", ""),
        service="console",
        action=LOG_IN,
        method="POST",
        path="/console/session",
        status=200,
    )


def elsewhere(
    environ: WSGIEnvironment, asked: Mapping[str, Any], response: Response, at: Micros
) -> tuple[EventRecord, str]:
    """The event of a log-in through the console at somebody else's Keystone, and the domain that was named."""
    shown = _in_token(response.body)
    user_id, user_name, domain = shown["user"] or ("", _text(asked.get("user")), _text(asked.get("domain")))
    project_id, project_name = shown["project"] or ("", "")
    event = EventRecord(
        at=at,
        user_id=user_id,
        user_name=user_name,
        project_id=project_id,
        project_name=project_name,
        address=environ.get("REMOTE_ADDR", ""),
        service="console",
        action=LOG_IN if "password" in asked else CHANGE_SCOPE,
        method="POST",
        path="/console/session",
        status=response.status,
    )
    return event, domain


def action_of(request: Request[Any]) -> str:
    """What a request does, in the field's words: `log_in`, or the policy that its route names."""
    route: Route | None = request.route
    if route is None:
        return ""
    if request.method == "POST" and route.path in _LOG_INS:
        methods = _at(request.parsed, "auth", "identity", "methods")
        by_token = methods == ["token"] or isinstance(_at(request.parsed, "auth", "token"), dict)
        return CHANGE_SCOPE if by_token else LOG_IN
    if route.path == _FEDERATED_LOG_IN:
        return LOG_IN
    if route.path == _CHANGE_PASSWORD:
        return "change_password"
    return route.policies[0] if route.policies else ""


def _in_token(body: Any) -> dict[str, tuple[str, ...] | None]:
    """User and project of the token that a log-in was answered with."""
    found = body if isinstance(body, dict) else {}
    token = found.get("token") or found.get("access") or {}
    user = token.get("user")
    inner = token.get("token")
    project = token.get("project") or (inner.get("tenant") if isinstance(inner, dict) else None)
    return {
        "user": (user["id"], user.get("name") or "", "") if user else None,
        "project": (project["id"], project.get("name") or "") if project else None,
    }


def _claimed(body: Any) -> tuple[str, str, str]:
    """The id, or else the name and domain, of whom a body says that it wants to log in."""
    user = _at(body, "auth", "passwordCredentials")
    if isinstance(user, dict):
        return "", _text(user.get("userId") or user.get("username")), "default"
    for method in ("password", "totp", "application_credential"):
        user = _at(body, "auth", "identity", method, "user")
        if isinstance(user, dict):
            domain = _at(user, "domain", "id") or _at(user, "domain", "name")
            return "", _text(user.get("id") or user.get("name")), _text(domain)
    return "", "", ""


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _subject(request: Request[Any], response: Response, action: str) -> tuple[str, str, str]:
    """What was acted on: its kind, its id, and its name if the response tells it."""
    for part, value in request.parts.items():
        if part.endswith("_id") and "token" not in part:
            kind = part.removesuffix("_id")
            return {"tenant": "project"}.get(kind, kind), value, ""
    made: Any = response.body
    if action in (LOG_IN, CHANGE_SCOPE) or not isinstance(made, dict) or response.status >= 400:
        return "", next(iter(value for part, value in request.parts.items() if "token" not in part), ""), ""
    kind = "image" if request.path.rstrip("/").endswith("/images") else ""
    if len(made) == 1 and isinstance(inner := next(iter(made.values())), Mapping):
        kind, made = next(iter(made)), inner
    elif request.path.endswith("/tasks"):
        kind = "task"
    return kind.rpartition(":")[2], _text(made.get("id")), _text(made.get("name"))
