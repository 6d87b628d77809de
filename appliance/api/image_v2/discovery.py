"""What a client may ask before it begins: versions, /v2/info, /v2/schemas."""

import json
from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import ANY_TOKEN, Handler, Route
from appliance.errors import NotFound
from appliance.image.schemas import documents
from appliance.image.service import Images
from appliance.image.stores import Store
from appliance.settings import Settings
from appliance.values import Caller

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

    def negotiate(self, request: Request[Any]) -> Response | None:
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

    def _list(self, request: Request[Any], status: int) -> Response:
        base = self._public_url or request.base_url
        current = self._minors[0]
        found = [(f"v2.{minor}", "CURRENT" if minor == current else "SUPPORTED", "v2") for minor in self._minors]
        found += [(name, "SUPPORTED", "v1") for name in self._older]
        versions = [
            {"id": name, "status": state, "links": [{"rel": "self", "href": f"{base}/{path}/"}]}
            for name, state, path in found
        ]
        return Response(status, {"versions": versions})


class InfoRoutes:
    """Handlers of discovery."""

    def __init__(self, images: Images, settings: Settings) -> None:
        self._stores = images.stores
        self._policies = images.policies
        self._quotas = images.quotas
        self._settings = settings

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v2/info/import", self.import_methods, ANY_TOKEN, bodiless=True),
            Route("GET", "/v2/info/usage", self.usage, ANY_TOKEN),
            Route("GET", "/v2/info/stores", self.stores, ANY_TOKEN, bodiless=True),
            Route("GET", "/v2/info/stores/detail", self.stores_in_detail, "stores_info_detail", bodiless=True),
        ]

    def import_methods(self, request: Request[Caller]) -> Response:
        value = list(self._settings.enabled_import_methods)
        methods = {"description": "Import methods available.", "type": "array", "value": value}
        return Response(200, {"import-methods": methods})

    def usage(self, request: Request[Caller]) -> Response:
        return Response(200, {"usage": self._quotas.report(request.caller.project_id)})

    def stores(self, request: Request[Caller]) -> Response:
        self._check_several()
        return Response(200, {"stores": [self._brief(store) for store in self._stores]})

    def stores_in_detail(self, request: Request[Caller]) -> Response:
        self._check_several()
        self._policies.enforce_service(request.caller, "stores_info_detail")
        return Response(200, {"stores": [self._brief(store) | self._detail(store) for store in self._stores]})

    def _check_several(self) -> None:
        if not self._stores.several:
            raise NotFound("Multi backend is not supported at this site.")

    def _brief(self, store: Store) -> dict[str, Any]:
        # The original says these truths in strings.
        brief = {"id": store.id}
        if store.description:
            brief["description"] = store.description
        if store is self._stores.default:
            brief["default"] = "true"
        if store.read_only:
            brief["read-only"] = "true"
        return brief

    def _detail(self, store: Store) -> dict[str, Any]:
        properties = store.blobs.backend.details if store.blobs is not None else {}
        return {"type": store.type, "weight": store.weight, "properties": properties}


def routes(settings: Settings) -> list[Route]:
    """One route for each document."""
    return [
        Route("GET", f"/v2/schemas/{path}", _serve(json.dumps(schema).encode()), ANY_TOKEN, bodiless=True)
        for path, schema in documents(settings).items()
    ]


def _serve(document: bytes) -> Handler:
    def show(request: Request[Caller], **_: Any) -> Response:
        return Response(200, document, [("Content-Type", "application/json")])

    return show
