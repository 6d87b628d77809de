"""Which requests go on when the disk is full but for the reserve: those that read, delete, revoke or log in."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from appliance.blobs.reserve import Reserve

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
