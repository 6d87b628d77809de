"""What requests may use of the server: the reserve on a full disk, and a thread for a large body."""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from appliance.api.http.addresses import merged
from appliance.api.http.messages import RESERVE
from appliance.api.http.proxy import TrustedProxies
from appliance.blobs.reserve import Reserve
from appliance.errors import ApplianceError
from appliance.values import Caller, Uploader


class WithReserve:
    """A WSGI application whose routes may use the reserve, those that say so."""

    def __init__(self, app: WSGIApplication, reserve: Reserve) -> None:
        self._app = app
        self._reserve = reserve

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[RESERVE] = self._reserve
        return self._app(environ, start_response)


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
