"""`/v2/metadefs/namespaces/{namespace}/properties`."""

from appliance.api.exchange import Reply, Request
from appliance.api.image_v2 import metadefs_views as views
from appliance.api.image_v2.bodies import json_object
from appliance.api.service import Route
from appliance.db.metadef_items import PropertyRecord
from appliance.image.metadefs.namespaces import Namespaces
from appliance.image.metadefs.properties import Properties
from appliance.values import Caller


def routes(properties: Properties, namespaces: Namespaces) -> list[Route]:
    handlers = _Handlers(properties, namespaces)
    every = "/v2/metadefs/namespaces/<namespace>/properties"
    one = f"{every}/<name>"
    return [
        Route("GET", every, handlers.index, "get_metadef_properties", bodiless=True),
        Route("POST", every, handlers.create, "add_metadef_property"),
        Route("DELETE", every, handlers.clear, "delete_metadef_namespace"),
        Route("GET", one, handlers.show, "get_metadef_property"),
        Route("PUT", one, handlers.update, "modify_metadef_property"),
        Route("DELETE", one, handlers.delete, "remove_metadef_property"),
    ]


class _Handlers:
    def __init__(self, properties: Properties, namespaces: Namespaces) -> None:
        self._properties = properties
        self._namespaces = namespaces

    def index(self, request: Request[Caller], namespace: str) -> Reply:
        found = self._properties.all(request.caller, namespace)
        return Reply(200, {"properties": {record.name: record.definition for record in found}})

    def create(self, request: Request[Caller], namespace: str) -> Reply:
        record = self._properties.create(request.caller, namespace, json_object(request))
        return Reply(201, views.metadef_property(record))

    def clear(self, request: Request[Caller], namespace: str) -> Reply:
        self._namespaces.empty(request.caller, namespace, PropertyRecord)
        return Reply(204)

    def show(self, request: Request[Caller], namespace: str, name: str) -> Reply:
        record = self._properties.show(request.caller, namespace, name, request.arg("resource_type"))
        return Reply(200, views.metadef_property(record))

    def update(self, request: Request[Caller], namespace: str, name: str) -> Reply:
        record = self._properties.update(request.caller, namespace, name, json_object(request))
        return Reply(200, views.metadef_property(record))

    def delete(self, request: Request[Caller], namespace: str, name: str) -> Reply:
        self._properties.delete(request.caller, namespace, name)
        return Reply(204)
