"""The console's sessions. A session is a token of the identity service, in a cookie that no script can read.

The server keeps nothing of it: what revokes the token ends the session, and a restart ends none.
"""

import hashlib
import hmac
import io
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from appliance.api.http.messages import Response
from appliance.db.key_values import KeyValues
from appliance.identity.tokens.token import Token
from appliance.values import MIB, Clock, onward_headers

_LINK = "console:link"
_TEN_MINUTES = 600 * 1_000_000
_PATIENCE = 10.0
_FORWARDED = ("CONTENT_TYPE", "HTTP_ACCEPT", "HTTP_X_AUTH_TOKEN", "HTTP_X_SUBJECT_TOKEN")
_RETURNED = ("content-type", "x-subject-token", "x-openstack-request-id", "retry-after")


@dataclass(frozen=True, slots=True)
class Called:
    """What a service answered to a call within the process."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


def call(
    service: WSGIApplication, environ: WSGIEnvironment, method: str, path: str, token: str = "", body: Any = None
) -> Called:
    """Call a service in the name of the client whose request `environ` is."""
    data = b"" if body is None else json.dumps(body).encode()
    kept = {key: value for key, value in environ.items() if not key.startswith("HTTP_") or key == "HTTP_HOST"}
    inner = {
        **kept,
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json" if data else "",
        "CONTENT_LENGTH": str(len(data)) if data else "",
        "HTTP_ACCEPT": "application/json",
        "wsgi.input": io.BytesIO(data),
        "appliance.streamed_body": False,
    }
    if token:
        inner |= {"HTTP_X_AUTH_TOKEN": token, "HTTP_X_SUBJECT_TOKEN": token}
    answered: dict[str, Any] = {}

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        answered["status"] = int(status[:3])
        answered["headers"] = {name.lower(): value for name, value in headers}
        return lambda _: None

    found = b"".join(service(inner, start))
    return Called(answered["status"], answered["headers"], found)


class OneTimeLink:
    """The secret of the link that the first start prints: good once, at whichever node, and for ten minutes."""

    def __init__(self, key_values: KeyValues, clock: Clock) -> None:
        """`clock` is the database's, which all nodes have."""
        self._key_values = key_values
        self._clock = clock

    def make(self) -> str:
        """A secret; it takes the place of one that was made before."""
        secret = secrets.token_urlsafe(24)
        self._key_values.set(_LINK, f"{self._clock()} {_digest(secret)}")
        return secret

    def use(self, secret: str) -> bool:
        """Whether this is the secret; from then on it isn't any more."""
        known = self._key_values.get(_LINK) or "0 "
        made, _, digest = known.partition(" ")
        if not hmac.compare_digest(digest, _digest(secret)):
            return False
        # One that was made later than now is of a clock that was set back meanwhile: nobody knows how old it is.
        is_fresh = 0 <= self._clock() - int(made) < _TEN_MINUTES
        return self._key_values.take(_LINK, known) and is_fresh


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class Sessions:
    """Opens, shows and ends sessions, by asking the identity service what every client may ask it."""

    def __init__(
        self, identity: WSGIApplication, prefix: str, link: OneTimeLink, first_admin: Callable[[WSGIEnvironment], Token]
    ) -> None:
        """`prefix` is the path under which the identity service is; `first_admin` logs the first administrator in."""
        self._identity = identity
        self._prefix = prefix
        self._link = link
        self._first_admin = first_admin

    def show(self, environ: WSGIEnvironment, token: str) -> Response:
        """Whose session it is; 204 if it is nobody's."""
        if token:
            found = self._call(environ, "GET", "/v3/auth/tokens", token)
            if found.status == 200:
                return Response(200, found.json)
        return Response(204)

    def open(self, environ: WSGIEnvironment, asked: Mapping[str, Any], token: str) -> tuple[Response, str]:
        """Log somebody in, and the session's token; or change the project of one who is. Empty for a refusal.

        Who stays logged in says the ids of user and project, for names are of domains.
        """
        if "start" in asked:
            return self._by_link(environ, str(asked["start"]))
        if "project_id" in asked and "password" not in asked:
            identity: dict[str, Any] = {"methods": ["token"], "token": {"id": token}}
            scope: Any = {"project": {"id": str(asked["project_id"])}}
            return self._authenticate(environ, identity, scope)
        domain = {"name": str(asked.get("domain") or "Default")}
        user = {"name": str(asked.get("user", "")), "password": str(asked.get("password", "")), "domain": domain}
        if asked.get("user_id"):
            user = {"id": str(asked["user_id"]), "password": user["password"]}
        identity = {"methods": ["password"], "password": {"user": user}}
        if asked.get("project_id"):
            return self._authenticate(environ, identity, {"project": {"id": str(asked["project_id"])}})
        if asked.get("project"):
            return self._authenticate(environ, identity, {"project": {"name": str(asked["project"]), "domain": domain}})
        return self._scoped(environ, *self._authenticate(environ, identity, None))

    def end(self, environ: WSGIEnvironment, token: str) -> Response:
        """Revoke the token."""
        if token:
            self._call(environ, "DELETE", "/v3/auth/tokens", token)
        return Response(204)

    def _by_link(self, environ: WSGIEnvironment, secret: str) -> tuple[Response, str]:
        if not self._link.use(secret):
            text = "The link has been used, or is older than ten minutes. Log in with the password."
            return Response(401, {"error": {"code": 401, "message": text, "title": "Unauthorized"}}), ""
        token = self._first_admin(environ).text
        return self.show(environ, token), token

    def _authenticate(self, environ: WSGIEnvironment, identity: Any, scope: Any) -> tuple[Response, str]:
        auth = {"identity": identity, **({"scope": scope} if scope else {})}
        found = self._call(environ, "POST", "/v3/auth/tokens", body={"auth": auth})
        if found.status != 201:
            headers = [(name, value) for name, value in found.headers.items() if name == "retry-after"]
            return Response(found.status, found.json, headers), ""
        return Response(200, found.json), found.headers["x-subject-token"]

    def _scoped(self, environ: WSGIEnvironment, response: Response, token: str) -> tuple[Response, str]:
        """A token that says nothing of a project, in exchange for one of the first project that its user has."""
        if not token or "project" in response.body["token"]:
            return response, token
        found = self._call(environ, "GET", "/v3/auth/projects", token)
        projects = sorted(found.json.get("projects", []), key=lambda project: str(project["name"]))
        if not projects:
            return response, token
        named = next((one for one in projects if one["name"] == response.body["token"]["user"]["name"]), projects[0])
        return self.open(environ, {"project_id": named["id"]}, token)

    def _call(self, environ: WSGIEnvironment, method: str, path: str, token: str = "", body: Any = None) -> Called:
        return call(self._identity, environ, method, self._prefix + path, token, body)


# -- cookies -----------------------------------------------------------------------------------------------------------


def cookie_of(environ: WSGIEnvironment, name: str) -> str:
    """The value of a cookie; empty if it is not there."""
    try:
        found = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def set_cookie(environ: WSGIEnvironment, name: str, value: str) -> tuple[str, str]:
    """The header that gives the browser a session, or with an empty value takes it away."""
    path = f"{environ.get('SCRIPT_NAME', '').rstrip('/')}/console"
    secure = "; Secure" if environ.get("wsgi.url_scheme") == "https" else ""
    gone = "" if value else "; Max-Age=0"
    return "Set-Cookie", f"{name}={value}; Path={path}; HttpOnly; SameSite=Strict{secure}{gone}"


# -- somebody else's Keystone ------------------------------------------------------------------------------------------


class _NoRedirect(HTTPRedirectHandler):
    """A password is for the address that the settings name."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Forward:
    """A WSGI application that is somebody else's Keystone: small JSON requests go there and come back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = build_opener(_NoRedirect)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        query = environ.get("QUERY_STRING", "")
        length = int(environ.get("CONTENT_LENGTH") or 0)
        data = environ["wsgi.input"].read(min(length, MIB)) if length else None
        headers = {key.removeprefix("HTTP_").replace("_", "-"): environ[key] for key in _FORWARDED if environ.get(key)}
        url = self._url + environ["PATH_INFO"] + (f"?{query}" if query else "")
        asked = Request(url, data, {**onward_headers.get(), **headers}, method=environ["REQUEST_METHOD"])
        try:
            try:
                answer = self._opener.open(asked, timeout=_PATIENCE)
            except HTTPError as error:
                answer = error
            with answer:
                kept = [(name, value) for name, value in answer.headers.items() if name.lower() in _RETURNED]
                response = Response(answer.status, answer.read(64 * MIB), kept)
        except (URLError, OSError, ValueError):
            text = f"The identity service at {self._url} can't be reached."
            response = Response(503, {"error": {"code": 503, "message": text, "title": "Service Unavailable"}})
        return response.send(environ, start_response)
