"""`/v2/metadefs/namespaces/{namespace}/objects`."""

from appliance.api.exchange import Reply, Request
from appliance.api.image_v2 import metadefs_query as query
from appliance.api.image_v2 import metadefs_views as views
from appliance.api.image_v2.bodies import json_object
from appliance.api.service import Route
from appliance.db.metadef_items import ObjectRecord
from appliance.image.metadefs.namespaces import Namespaces
from appliance.image.metadefs.objects import Objects
from appliance.values import Caller

_VISIBILITIES = ("public", "private", "shared")


def routes(objects: Objects, namespaces: Namespaces) -> list[Route]:
    handlers = _Handlers(objects, namespaces)
    every = "/v2/metadefs/namespaces/<namespace>/objects"
    one = f"{every}/<name>"
    return [
        Route("GET", every, handlers.index, "get_metadef_objects"),
        Route("POST", every, handlers.create, "add_metadef_object"),
        Route("DELETE", every, handlers.clear, "delete_metadef_namespace"),
        Route("GET", one, handlers.show, "get_metadef_object", bodiless=True),
        Route("PUT", one, handlers.update, "modify_metadef_object"),
        Route("DELETE", one, handlers.delete, "delete_metadef_object", bodiless=True),
    ]


class _Handlers:
    def __init__(self, objects: Objects, namespaces: Namespaces) -> None:
        self._objects = objects
        self._namespaces = namespaces

    def index(self, request: Request[Caller], namespace: str) -> Reply:
        # The original checks these parameters and then gives the whole list all the same.
        query.order(request)
        query.visibility(request, _VISIBILITIES)
        limit = request.arg("limit")
        if limit is not None:
            query.limit(limit, least=1)
        found = self._objects.all(request.caller, namespace)
        # This link of all has no leading slash there.
        body = {
            "objects": [views.metadef_object(namespace, record) for record in found],
            "schema": f"{views.SCHEMAS}/objects".lstrip("/"),
        }
        return Reply(200, body)

    def create(self, request: Request[Caller], namespace: str) -> Reply:
        record = self._objects.create(request.caller, namespace, json_object(request))
        return Reply(201, views.metadef_object(namespace, record))

    def clear(self, request: Request[Caller], namespace: str) -> Reply:
        self._namespaces.empty(request.caller, namespace, ObjectRecord)
        return Reply(204)

    def show(self, request: Request[Caller], namespace: str, name: str) -> Reply:
        return Reply(200, views.metadef_object(namespace, self._objects.show(request.caller, namespace, name)))

    def update(self, request: Request[Caller], namespace: str, name: str) -> Reply:
        record = self._objects.update(request.caller, namespace, name, json_object(request))
        return Reply(200, views.metadef_object(namespace, record))

    def delete(self, request: Request[Caller], namespace: str, name: str) -> Reply:
        self._objects.delete(request.caller, namespace, name)
        return Reply(204)
