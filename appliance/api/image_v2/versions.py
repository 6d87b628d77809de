"""Versions of the image API: the list of them, and which requests are meant for version 2."""

from typing import Any

from appliance.api.exchange import Reply, Request
from appliance.settings import Settings

_MEDIA_TYPE = "application/vnd.openstack.images-"

# Paths that are no version of the image API but our own.
_OURS = "appliance"

# What came with which minor version, as far as it depends on the settings.
_OF_CACHE = (18, 16, 14)
_OF_STORES = (13, 12, 11, 10, 8)
_ALWAYS = (17, 15, 9, 7, 6, 5, 4, 3, 2, 1, 0)


class Versions:
    """Tells version 2 from everything else. There are no microversions: all of it is always on."""

    def __init__(self, settings: Settings) -> None:
        minors = set(_ALWAYS)
        if settings.image_cache_dir:
            minors |= set(_OF_CACHE)
        if settings.enabled_backends:
            minors |= set(_OF_STORES)
        self._minors = sorted(minors, reverse=True)
        self._names = {"v2", *(f"v2.{minor}" for minor in minors)}
        self._public_url = settings.public_image_url.rstrip("/")
        self._older = ("v1.1", "v1.0") if settings.legacy else ()

    def negotiate(self, request: Request[Any]) -> Reply | None:
        """Rewrite a request for version 2 to its plain path; answer any other with the choices."""
        first, _, rest = request.path.lstrip("/").partition("/")
        if first == "versions":
            return self._list(request, 200)
        if first == _OURS:
            return None
        accept = request.header("accept") or ""
        if accept.startswith(_MEDIA_TYPE):
            name, rest = accept.removeprefix(_MEDIA_TYPE), request.path.lstrip("/")
            path = f"/v2/{rest}"
        else:
            name = first
            path = f"/v2/{rest}" if "/" in request.path.lstrip("/") else "/v2"
        if name not in self._names:
            return self._list(request, 300)
        request.path = path
        return None

    def _list(self, request: Request[Any], status: int) -> Reply:
        base = self._public_url or request.base_url
        current = self._minors[0]
        found = [(f"v2.{minor}", "CURRENT" if minor == current else "SUPPORTED", "v2") for minor in self._minors]
        found += [(name, "SUPPORTED", "v1") for name in self._older]
        versions = [
            {"id": name, "status": state, "links": [{"rel": "self", "href": f"{base}/{path}/"}]}
            for name, state, path in found
        ]
        return Reply(status, {"versions": versions})
