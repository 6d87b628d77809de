"""/metrics, on a port of its own, and the observer that feeds it."""

import hmac
import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast
from wsgiref.types import StartResponse, WSGIEnvironment

from appliance.api.http.messages import Response
from appliance.api.http.observe import LOG_IN, Exchange, Observer, action_of

if TYPE_CHECKING:
    from appliance.activity.metrics import Metrics

PATH = "/metrics"
_MODULE = "appliance.activity.metrics"


def load() -> "type[Metrics]":
    """The figures' class, with the library below it: only who switches metrics on loads them."""
    return cast("type[Metrics]", importlib.import_module(_MODULE).Metrics)


def counting(metrics: "Metrics") -> Observer:
    """Counts each request that a service has answered."""

    def observe(exchange: Exchange) -> None:
        route = exchange.route
        status = exchange.response.status
        template = "" if route is None else route.path
        # Whatever a client calls a method is no label.
        method = exchange.request.method if route is not None else "any"
        metrics.answered(exchange.service, template, method, status, exchange.seconds)
        if action_of(exchange.request) == LOG_IN:
            metrics.logged_in(status)

    return observe


class MetricsApp:
    """A WSGI application that shows the figures, to whoever has the token if there is one."""

    def __init__(self, metrics: "Metrics", token: str) -> None:
        self._metrics = metrics
        self._expected = f"Bearer {token}".encode() if token else b""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._response(environ).send(environ, start_response)

    def _response(self, environ: WSGIEnvironment) -> Response:
        if environ.get("PATH_INFO") != PATH or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return Response(404, f"The metrics are at {PATH}.\n")
        given = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1")
        if self._expected and not hmac.compare_digest(given, self._expected):
            challenge = ("WWW-Authenticate", 'Bearer realm="metrics"')
            return Response(401, "The metrics are for those who show their token.\n", [challenge])
        return Response(200, self._metrics.text(), [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")])
