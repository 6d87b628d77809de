"""Which requests the server lets in: what goes on while the disk is full, and who may send a large body."""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from appliance.api.http.addresses import merged
from appliance.api.http.proxy import TrustedProxies
from appliance.blobs.reserve import Reserve
from appliance.errors import ApplianceError
from appliance.values import Caller, Uploader

_ANY = ("GET", "HEAD", "OPTIONS", "DELETE")
# Log-ins, changes of a password, and what takes an image away from its users: each writes a bounded row or two.
_POSTS = ("/tokens", "/ec2tokens", "/s3tokens", "/password", "/actions/deactivate", "/actions/reactivate")


class OnFullDisk:
    """A WSGI application whose deleting requests may use the reserve."""

    def __init__(self, app: WSGIApplication, reserve: Reserve) -> None:
        self._app = app
        self._reserve = reserve

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not _goes_on(environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", "").rstrip("/")):
            return self._app(environ, start_response)
        with self._reserve.spending():
            return self._app(environ, start_response)


def _goes_on(method: str, path: str) -> bool:
    if method in _ANY:
        return True
    if method == "POST":
        return path.endswith(_POSTS)
    # Disabling a user, a project or a domain is a change of it.
    return method == "PATCH" and "/v3/" in path


class Uploaders:
    """Knows a request's sender by its token alone; the API checks that again when it answers."""

    def __init__(
        self, authenticate: Callable[[str, str, str], Caller], proxies: TrustedProxies, mount: str = ""
    ) -> None:
        """`mount` is the path under which those who may send are served; below others nobody sends much."""
        self._authenticate = authenticate
        self._proxies = proxies
        self._mount = mount

    def identify(self, environ: dict[str, Any]) -> Uploader | None:
        """The sender, or None for a stranger."""
        token = environ.get("HTTP_X_AUTH_TOKEN", "")
        path = merged(environ["PATH_INFO"])
        if not token or not path.startswith(f"{self._mount}/"):
            return None
        try:
            self._proxies.fold(environ)
            caller = self._authenticate(token, environ["REQUEST_METHOD"], path.removeprefix(self._mount))
        except ApplianceError:
            return None
        names = [f"user {caller.user_id}"]
        if caller.project_id is not None:
            names.append(f"project {caller.project_id}")
        return Uploader(tuple(names), environ["REMOTE_ADDR"])
