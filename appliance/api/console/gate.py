"""The way from the browser to the APIs: the page's files, its session, and the calls that it makes with it.

What a page may do is decided by the APIs alone. This only puts the session's token into a request, and sees to it that
the request is our own page's.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from appliance.api.console.assets import Assets
from appliance.api.console.session import Forward, OneTimeLink, Sessions, cookie_of, set_cookie
from appliance.api.http.addresses import Ports
from appliance.api.http.messages import Response
from appliance.identity.tokens.token import Token
from appliance.settings import Settings

LoggedIn = Callable[[WSGIEnvironment, Mapping[str, Any], Response], None]
"""Told of each try to open a session: the request, what it asked for, and how it was answered."""

_PATH = "/console"
_API = f"{_PATH}/api/"
_SAFE = ("GET", "HEAD")
_MOST = 64 * 1024
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
# What an API answers is never a page: an image that is HTML must not run as ours.
_DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
_COMMON = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
# What the page must neither send nor see: its token is the cookie's.
_DROPPED = ("HTTP_COOKIE", "HTTP_X_SUBJECT_TOKEN", "HTTP_X_SERVICE_TOKEN", "HTTP_X_AUTH_TOKEN")
_HIDDEN = ("x-subject-token", "set-cookie", "access-control-allow-origin")


@dataclass(frozen=True, slots=True)
class Target:
    """A service that the page may call: the application, and the path under which it has it."""

    app: WSGIApplication
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the console takes of the appliance around it."""

    link: OneTimeLink
    """The secret of the first start."""
    first_session: Callable[[WSGIEnvironment], Token]
    """The first administrator's token, for whoever shows the link."""
    logged_in: LoggedIn
    authority: Callable[[], str]
    """The file of the certificates that clients are to trust; empty if they know them without us."""


class Console:
    """A WSGI application that is the console below `/console`, and for everything else what it is in front of."""

    def __init__(
        self,
        app: WSGIApplication,
        targets: Mapping[str, Target],
        sessions: Sessions,
        ports: Ports,
        around: Surroundings,
        *,
        two_ports: bool,
        elsewhere: bool,
    ) -> None:
        """`elsewhere`: the sessions are of somebody else's Keystone, which writes nothing down here."""
        self._app = app
        self._targets = dict(targets)
        self._sessions = sessions
        self._ports = ports
        self._two_ports = two_ports
        self._around = around
        self._elsewhere = elsewhere
        self._assets = Assets()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/" and environ["REQUEST_METHOD"] == "GET" and "text/html" in environ.get("HTTP_ACCEPT", ""):
            return self._moved(environ).send(environ, start_response)
        if path == _PATH:
            return self._moved(environ).send(environ, start_response)
        if not path.startswith(f"{_PATH}/"):
            return self._app(environ, start_response)
        if path.startswith(_API):
            return self._forward(environ, start_response)
        response = self._own(environ, path.removeprefix(f"{_PATH}/"))
        response.headers += [("Content-Security-Policy", _PAGE_POLICY), *_COMMON]
        return response.send(environ, start_response)

    def inner(self, environ: WSGIEnvironment) -> WSGIEnvironment | None:
        """What a call of the page is to the service that it is for; None if it is no such call."""
        name, _, rest = environ.get("PATH_INFO", "").removeprefix(_API).partition("/")
        target = self._targets.get(name)
        if not environ.get("PATH_INFO", "").startswith(_API) or target is None:
            return None
        inner = {key: value for key, value in environ.items() if key not in _DROPPED}
        inner["PATH_INFO"] = f"{target.prefix}/{rest}"
        if name == "identity":
            inner["HTTP_HOST"] = self._identity_host(environ)
        token = cookie_of(environ, self._cookie(environ))
        if token:
            inner["HTTP_X_AUTH_TOKEN"] = token
        return inner

    def _cookie(self, environ: WSGIEnvironment) -> str:
        """Its name. Cookies know no ports, and there may be several appliances on one host; behind a balancer, all
        nodes have the one port that the browser sees."""
        try:
            port = urlsplit(f"//{environ.get('HTTP_HOST', '')}").port
        except ValueError:
            port = None
        return f"glance-console-{port or (443 if environ.get('wsgi.url_scheme') == 'https' else 80)}"

    def _moved(self, environ: WSGIEnvironment) -> Response:
        return Response(303, headers=[("Location", f"{environ.get('SCRIPT_NAME', '').rstrip('/')}{_PATH}/")])

    # -- files and the session -----------------------------------------------------------------------------------------

    def _own(self, environ: WSGIEnvironment, path: str) -> Response:
        if path == "session":
            return self._session(environ)
        if environ["REQUEST_METHOD"] not in _SAFE:
            return _refusal(405, "Only GET is for this address.")
        if path == "ca.pem":
            return self._authority()
        packed = "gzip" in environ.get("HTTP_ACCEPT_ENCODING", "")
        if not path:
            return self._assets.index(packed)
        first, _, rest = path.partition("/")
        digest, _, name = rest.partition("/")
        found = self._assets.file(digest, name, packed) if first == "assets" else None
        return found or _refusal(404, "There is nothing at this address.")

    def _authority(self) -> Response:
        """The certificates that clients are to trust: no secret, each connection shows them."""
        file = self._around.authority()
        if not file:
            return _refusal(404, "Clients know the authority of this certificate, or there is none.")
        return _fresh(Response(200, Path(file).read_bytes(), [("Content-Type", "application/x-pem-file")]))

    def _session(self, environ: WSGIEnvironment) -> Response:
        token = cookie_of(environ, self._cookie(environ))
        # A call of the identity service, as a client of its own port would make it.
        asked = {**environ, "HTTP_HOST": self._identity_host(environ)}
        method = environ["REQUEST_METHOD"]
        if method == "GET":
            return _fresh(self._sessions.show(asked, token))
        if not is_own(environ):
            return _refusal(403, "This request does not come from the console.")
        if method == "DELETE":
            response = self._sessions.end(asked, token)
            response.headers.append(set_cookie(environ, self._cookie(environ), ""))
            return _fresh(response)
        if method != "POST":
            return _refusal(405, "A session is opened with POST and ended with DELETE.")
        body = _body(environ)
        if body is None:
            return _refusal(400, "A JSON object is expected.")
        response, opened = self._sessions.open(asked, body, token)
        if self._elsewhere and "start" not in body:
            self._around.logged_in(environ, body, response)
        if opened:
            response.headers.append(set_cookie(environ, self._cookie(environ), opened))
        return _fresh(response)

    def _identity_host(self, environ: WSGIEnvironment) -> str:
        """The Host that a client of the identity service's own port sends."""
        host: str = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        if not self._two_ports:
            return host
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return host
        return f"{f'[{name}]' if ':' in name else name}:{self._ports()[1]}"

    # -- calls of the APIs ---------------------------------------------------------------------------------------------

    def _forward(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        inner = self.inner(environ)
        if inner is None:
            return _guarded(_refusal(404, "There is no such service.")).send(environ, start_response)
        if environ["REQUEST_METHOD"] not in _SAFE and not is_own(environ):
            return _guarded(_refusal(403, "This request does not come from the console.")).send(environ, start_response)
        name, path = environ["PATH_INFO"].removeprefix(_API).partition("/")[0], inner["PATH_INFO"]
        attachment = [("Content-Disposition", "attachment")] if path.endswith("/file") else []
        begun: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            begun[:] = [status, [item for item in headers if item[0].lower() not in _HIDDEN]]
            return lambda _: None

        found = self._targets[name].app(inner, start)
        status, headers = begun
        start_response(status, [*headers, *attachment, ("Content-Security-Policy", _DATA_POLICY), *_COMMON])
        return found


def console_before(apps: Sequence[WSGIApplication], settings: Settings, ports: Ports, around: Surroundings) -> Console:
    """The console before the applications of the ports, whose first is the image service or both services."""
    own = settings.identity_mode != "external"
    two_ports = own and not settings.single_port
    identity = Target(apps[0], "/identity") if settings.single_port else Target(apps[1 if own else 0])
    if settings.identity_mode != "own":
        identity = Target(Forward(settings.keystone_url))
    targets = {"image": Target(apps[0], "/image" if settings.single_port else ""), "identity": identity}
    sessions = Sessions(identity.app, identity.prefix, around.link, around.first_session)
    elsewhere = settings.identity_mode != "own"
    return Console(apps[0], targets, sessions, ports, around, two_ports=two_ports, elsewhere=elsewhere)


def is_own(environ: WSGIEnvironment) -> bool:
    """Whether a request that changes something comes from a page of this very origin, as the browser says."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return bool(site == "same-origin")
    origin = environ.get("HTTP_ORIGIN", "")
    return bool(origin) and origin.partition("://")[2] == environ.get("HTTP_HOST")


def _body(environ: WSGIEnvironment) -> dict[str, Any] | None:
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        found = json.loads(environ["wsgi.input"].read(length)) if 0 < length <= _MOST else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _fresh(response: Response) -> Response:
    response.headers.append(("Cache-Control", "no-store"))
    return response


def _guarded(response: Response) -> Response:
    response.headers += [("Content-Security-Policy", _DATA_POLICY), *_COMMON]
    return response


def _refusal(status: int, message: str) -> Response:
    return _fresh(Response(status, {"error": {"code": status, "message": message}}))
