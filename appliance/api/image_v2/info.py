"""`/v2/info/…`: what this service can do (ways to import, stores), and what a project uses of its limits."""

from typing import Any

from appliance.api.exchange import Reply, Request
from appliance.api.service import ANY_TOKEN, Route
from appliance.errors import Forbidden, NotFound
from appliance.image.service import Images
from appliance.image.stores import Store
from appliance.settings import Settings
from appliance.values import Caller


class InfoRoutes:
    """Handlers of discovery."""

    def __init__(self, images: Images, settings: Settings) -> None:
        self._stores = images.stores
        self._quotas = images.quotas
        self._settings = settings

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v2/info/import", self.import_methods, ANY_TOKEN, bodiless=True),
            Route("GET", "/v2/info/usage", self.usage, ANY_TOKEN),
            Route("GET", "/v2/info/stores", self.stores, ANY_TOKEN, bodiless=True),
            Route("GET", "/v2/info/stores/detail", self.stores_in_detail, "stores_info_detail", bodiless=True),
        ]

    def import_methods(self, request: Request[Caller]) -> Reply:
        value = list(self._settings.enabled_import_methods)
        methods = {"description": "Import methods available.", "type": "array", "value": value}
        return Reply(200, {"import-methods": methods})

    def usage(self, request: Request[Caller]) -> Reply:
        return Reply(200, {"usage": self._quotas.report(request.caller.project_id)})

    def stores(self, request: Request[Caller]) -> Reply:
        self._check_several()
        return Reply(200, {"stores": [self._brief(store) for store in self._stores]})

    def stores_in_detail(self, request: Request[Caller]) -> Reply:
        self._check_several()
        if not (request.caller.is_admin or request.caller.has_role("service")):
            raise Forbidden("You are not authorized to complete stores_info_detail action.")
        return Reply(200, {"stores": [self._brief(store) | self._detail(store) for store in self._stores]})

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
        properties: dict[str, Any] = {}
        if store.blobs is not None:
            properties = {"data_dir": str(store.blobs.directory), "chunk_size": 65536, "thin_provisioning": True}
        return {"type": store.type, "weight": store.weight, "properties": properties}
