"""Two generations of an API on one address: requests for an old version go to the service that still speaks it."""

from collections.abc import Collection, Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class BesideOld:
    """A WSGI application that tells versions apart by the path's first part, or by the media type of `Accept`."""

    def __init__(
        self, today: WSGIApplication, old: WSGIApplication, versions: Collection[str], media_type: str = ""
    ) -> None:
        self._today = today
        self._old = old
        self._versions = frozenset(versions)
        self._media_type = media_type

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        first = environ.get("PATH_INFO", "").lstrip("/").partition("/")[0]
        accept = environ.get("HTTP_ACCEPT", "")
        if self._media_type and accept.startswith(self._media_type):
            first = accept.removeprefix(self._media_type)
        return (self._old if first in self._versions else self._today)(environ, start_response)
