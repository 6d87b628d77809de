"""A client of somebody else's Keystone: a service user that stays logged in and asks questions."""

import json
import threading
from collections.abc import Mapping
from http.client import HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from appliance.errors import Fatal, Forbidden, NotFound, Unauthenticated, Unavailable
from appliance.settings import Settings
from appliance.values import MIB, onward_headers

_PATIENCE = 10.0
_LONGEST = 64 * MIB


class _SameOrigin(HTTPRedirectHandler):
    """Follows redirects within the same service only: a token is for the service that it was sent to."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        if (before.scheme, before.netloc) != (after.scheme, after.netloc):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = build_opener(_SameOrigin)


class KeystoneClient:
    """GETs on a Keystone, in the name of the service user that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._url = f"{settings.keystone_url}/v3"
        if not self._url.startswith(("http://", "https://")):
            raise Fatal("external_auth_url is not the http or https address of a Keystone")
        self._auth = _auth(settings)
        self._token: str | None = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return self._url

    def get(
        self, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The JSON at a path below /v3. Logs in when it must.

        Raises `NotFound`, `Forbidden`, `Unauthenticated` if the service user itself is refused, and `Unavailable`.
        """
        url = f"{self._url}/{path}" + (f"?{urlencode(query)}" if query else "")
        token = self._token or self._log_in(None)
        try:
            return self._send(url, {"X-Auth-Token": token, **(headers or {})})
        except Unauthenticated:
            # The service token has ended, or was revoked: once more with a new one.
            return self._send(url, {"X-Auth-Token": self._log_in(token), **(headers or {})})

    def _log_in(self, stale: str | None) -> str:
        """A service token other than `stale`. Threads that find the same one stale log in once."""
        with self._lock:
            if self._token is not None and self._token != stale:
                return self._token
            body = json.dumps({"auth": self._auth}).encode()
            request = Request(f"{self._url}/auth/tokens?nocatalog", body, {"Content-Type": "application/json"})
            _, token = _exchange(request)
            if not token:
                raise Unavailable("the identity service issued no token")
            self._token = token
            return token

    def _send(self, url: str, headers: dict[str, str]) -> dict[str, Any]:
        body, _ = _exchange(Request(url, headers={"Accept": "application/json", **onward_headers.get(), **headers}))
        return body


def _exchange(request: Request) -> tuple[dict[str, Any], str | None]:
    """The JSON object of an answer and the token in its header."""
    try:
        with _OPENER.open(request, timeout=_PATIENCE) as answer:
            raw = answer.read(_LONGEST + 1)
            if len(raw) > _LONGEST:
                raise Unavailable("the identity service's answer is too long")
            found = json.loads(raw)
            return found, answer.headers.get("X-Subject-Token")
    except HTTPError as error:
        with error:
            raise _refusal(error.code) from error
    except (URLError, OSError, ValueError) as error:
        raise Unavailable("the identity service can't be reached") from error


def _refusal(code: int) -> Exception:
    if code == 401:
        return Unauthenticated("The identity service does not accept the service user.")
    if code == 403:
        return Forbidden("The identity service does not let the service user ask this.")
    if code == 404:
        return NotFound("The identity service does not know it.")
    return Unavailable(f"the identity service answers {code}")


def _auth(settings: Settings) -> dict[str, Any]:
    user = {
        "name": settings.external_username,
        "password": settings.external_password,
        "domain": {"name": settings.external_user_domain},
    }
    scope: dict[str, Any] = {"system": {"all": True}}
    if settings.external_project:
        domain = {"name": settings.external_project_domain}
        scope = {"project": {"name": settings.external_project, "domain": domain}}
    return {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
