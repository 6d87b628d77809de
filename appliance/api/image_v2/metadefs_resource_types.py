"""`/v2/metadefs/resource_types`, and the associations of a namespace with them."""

from appliance.api.exchange import Reply, Request
from appliance.api.image_v2 import metadefs_views as views
from appliance.api.image_v2.bodies import json_object
from appliance.api.service import Route
from appliance.image.metadefs.resource_types import ResourceTypes
from appliance.values import Caller


def routes(resource_types: ResourceTypes) -> list[Route]:
    handlers = _Handlers(resource_types)
    every = "/v2/metadefs/namespaces/<namespace>/resource_types"
    return [
        Route("GET", "/v2/metadefs/resource_types", handlers.known, "list_metadef_resource_types", bodiless=True),
        Route("GET", every, handlers.index, "list_metadef_resource_types", bodiless=True),
        Route("POST", every, handlers.create, "add_metadef_resource_type_association"),
        Route("DELETE", f"{every}/<name>", handlers.delete, "remove_metadef_resource_type_association", bodiless=True),
    ]


class _Handlers:
    def __init__(self, resource_types: ResourceTypes) -> None:
        self._resource_types = resource_types

    def known(self, request: Request[Caller]) -> Reply:
        found = self._resource_types.known(request.caller)
        return Reply(200, {"resource_types": [views.resource_type(record) for record in found]})

    def index(self, request: Request[Caller], namespace: str) -> Reply:
        found = self._resource_types.all(request.caller, namespace)
        return Reply(200, {"resource_type_associations": [views.association(record) for record in found]})

    def create(self, request: Request[Caller], namespace: str) -> Reply:
        record = self._resource_types.associate(request.caller, namespace, json_object(request))
        return Reply(201, views.association(record))

    def delete(self, request: Request[Caller], namespace: str, name: str) -> Reply:
        self._resource_types.dissociate(request.caller, namespace, name)
        return Reply(204)
