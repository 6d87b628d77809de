"""/v2/metadefs/namespaces/{namespace}: objects, properties and tags; and all routes of the metadata definitions."""

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.image_v2 import metadef_views as views
from appliance.api.image_v2.dialect import json_object
from appliance.api.image_v2.metadefs import (
    namespace_routes,
    read_limit,
    read_order,
    read_visibility,
    resource_type_routes,
)
from appliance.db.image.metadef_items import ObjectRecord, PropertyRecord, TagRecord
from appliance.image.metadefs.items import Objects, Properties, Tags
from appliance.image.metadefs.namespaces import Metadefs, Namespaces
from appliance.settings import Settings
from appliance.values import Caller

_VISIBILITIES = ("public", "private", "shared")


def routes(metadefs: Metadefs, settings: Settings) -> list[Route]:
    """Every route of the metadata definitions."""
    return [
        *namespace_routes(metadefs.namespaces, settings),
        *object_routes(metadefs.objects, metadefs.namespaces),
        *property_routes(metadefs.properties, metadefs.namespaces),
        *tag_routes(metadefs.tags, metadefs.namespaces),
        *resource_type_routes(metadefs.resource_types),
    ]


def object_routes(objects: Objects, namespaces: Namespaces) -> list[Route]:
    handlers = _Objects(objects, namespaces)
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


class _Objects:
    def __init__(self, objects: Objects, namespaces: Namespaces) -> None:
        self._objects = objects
        self._namespaces = namespaces

    def index(self, request: Request[Caller], namespace: str) -> Response:
        # The original checks these parameters and then gives the whole list all the same.
        read_order(request)
        read_visibility(request, _VISIBILITIES)
        limit = request.arg("limit")
        if limit is not None:
            read_limit(limit, least=1)
        found = self._objects.all(request.caller, namespace)
        # This link of all has no leading slash there.
        body = {
            "objects": [views.metadef_object(namespace, record) for record in found],
            "schema": f"{views.SCHEMAS}/objects".lstrip("/"),
        }
        return Response(200, body)

    def create(self, request: Request[Caller], namespace: str) -> Response:
        record = self._objects.create(request.caller, namespace, json_object(request))
        return Response(201, views.metadef_object(namespace, record))

    def clear(self, request: Request[Caller], namespace: str) -> Response:
        self._namespaces.empty(request.caller, namespace, ObjectRecord)
        return Response(204)

    def show(self, request: Request[Caller], namespace: str, name: str) -> Response:
        return Response(200, views.metadef_object(namespace, self._objects.show(request.caller, namespace, name)))

    def update(self, request: Request[Caller], namespace: str, name: str) -> Response:
        record = self._objects.update(request.caller, namespace, name, json_object(request))
        return Response(200, views.metadef_object(namespace, record))

    def delete(self, request: Request[Caller], namespace: str, name: str) -> Response:
        self._objects.delete(request.caller, namespace, name)
        return Response(204)


def property_routes(properties: Properties, namespaces: Namespaces) -> list[Route]:
    handlers = _Properties(properties, namespaces)
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


class _Properties:
    def __init__(self, properties: Properties, namespaces: Namespaces) -> None:
        self._properties = properties
        self._namespaces = namespaces

    def index(self, request: Request[Caller], namespace: str) -> Response:
        found = self._properties.all(request.caller, namespace)
        return Response(200, {"properties": {record.name: record.definition for record in found}})

    def create(self, request: Request[Caller], namespace: str) -> Response:
        record = self._properties.create(request.caller, namespace, json_object(request))
        return Response(201, views.metadef_property(record))

    def clear(self, request: Request[Caller], namespace: str) -> Response:
        self._namespaces.empty(request.caller, namespace, PropertyRecord)
        return Response(204)

    def show(self, request: Request[Caller], namespace: str, name: str) -> Response:
        record = self._properties.show(request.caller, namespace, name, request.arg("resource_type"))
        return Response(200, views.metadef_property(record))

    def update(self, request: Request[Caller], namespace: str, name: str) -> Response:
        record = self._properties.update(request.caller, namespace, name, json_object(request))
        return Response(200, views.metadef_property(record))

    def delete(self, request: Request[Caller], namespace: str, name: str) -> Response:
        self._properties.delete(request.caller, namespace, name)
        return Response(204)


_YES = ("1", "t", "true", "on", "y", "yes")


def tag_routes(tags: Tags, namespaces: Namespaces) -> list[Route]:
    handlers = _Tags(tags, namespaces)
    every = "/v2/metadefs/namespaces/<namespace>/tags"
    one = f"{every}/<name>"
    return [
        Route("GET", every, handlers.index, "get_metadef_tags"),
        Route("POST", every, handlers.create_many, "add_metadef_tags"),
        Route("DELETE", every, handlers.clear, "delete_metadef_tags"),
        Route("GET", one, handlers.show, "get_metadef_tag", bodiless=True),
        Route("POST", one, handlers.create, "add_metadef_tag", bodiless=True),
        Route("PUT", one, handlers.update, "modify_metadef_tag"),
        Route("DELETE", one, handlers.delete, "delete_metadef_tag", bodiless=True),
    ]


class _Tags:
    def __init__(self, tags: Tags, namespaces: Namespaces) -> None:
        self._tags = tags
        self._namespaces = namespaces

    def index(self, request: Request[Caller], namespace: str) -> Response:
        read_visibility(request, _VISIBILITIES)
        limit = request.arg("limit")
        found = self._tags.page(
            request.caller,
            namespace,
            read_order(request),
            read_limit(limit) if limit else None,
            request.arg("marker"),
        )
        return Response(200, {"tags": [views.bare_tag(record) for record in found]})

    def create_many(self, request: Request[Caller], namespace: str) -> Response:
        append = (request.header("x-openstack-append") or "").strip().lower() in _YES
        made = self._tags.create_many(request.caller, namespace, json_object(request), append=append)
        return Response(201, {"tags": [views.bare_tag(record) for record in made]})

    def clear(self, request: Request[Caller], namespace: str) -> Response:
        self._namespaces.empty(request.caller, namespace, TagRecord)
        return Response(204)

    def show(self, request: Request[Caller], namespace: str, name: str) -> Response:
        return Response(200, views.tag(self._tags.show(request.caller, namespace, name)))

    def create(self, request: Request[Caller], namespace: str, name: str) -> Response:
        return Response(201, views.tag(self._tags.create(request.caller, namespace, name)))

    def update(self, request: Request[Caller], namespace: str, name: str) -> Response:
        return Response(200, views.tag(self._tags.update(request.caller, namespace, name, json_object(request))))

    def delete(self, request: Request[Caller], namespace: str, name: str) -> Response:
        self._tags.delete(request.caller, namespace, name)
        return Response(204)
