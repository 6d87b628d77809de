"""`/v2/metadefs/namespaces/{namespace}/tags`."""

from appliance.api.exchange import Reply, Request
from appliance.api.image_v2 import metadefs_query as query
from appliance.api.image_v2 import metadefs_views as views
from appliance.api.image_v2.bodies import json_object
from appliance.api.service import Route
from appliance.db.metadef_items import TagRecord
from appliance.image.metadefs.namespaces import Namespaces
from appliance.image.metadefs.tags import Tags
from appliance.values import Caller

_VISIBILITIES = ("public", "private", "shared")
_YES = ("1", "t", "true", "on", "y", "yes")


def routes(tags: Tags, namespaces: Namespaces) -> list[Route]:
    handlers = _Handlers(tags, namespaces)
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


class _Handlers:
    def __init__(self, tags: Tags, namespaces: Namespaces) -> None:
        self._tags = tags
        self._namespaces = namespaces

    def index(self, request: Request[Caller], namespace: str) -> Reply:
        query.visibility(request, _VISIBILITIES)
        limit = request.arg("limit")
        found = self._tags.page(
            request.caller,
            namespace,
            query.order(request),
            query.limit(limit) if limit else None,
            request.arg("marker"),
        )
        return Reply(200, {"tags": [views.bare_tag(record) for record in found]})

    def create_many(self, request: Request[Caller], namespace: str) -> Reply:
        append = (request.header("x-openstack-append") or "").strip().lower() in _YES
        made = self._tags.create_many(request.caller, namespace, json_object(request), append=append)
        return Reply(201, {"tags": [views.bare_tag(record) for record in made]})

    def clear(self, request: Request[Caller], namespace: str) -> Reply:
        self._namespaces.empty(request.caller, namespace, TagRecord)
        return Reply(204)

    def show(self, request: Request[Caller], namespace: str, name: str) -> Reply:
        return Reply(200, views.tag(self._tags.show(request.caller, namespace, name)))

    def create(self, request: Request[Caller], namespace: str, name: str) -> Reply:
        return Reply(201, views.tag(self._tags.create(request.caller, namespace, name)))

    def update(self, request: Request[Caller], namespace: str, name: str) -> Reply:
        return Reply(200, views.tag(self._tags.update(request.caller, namespace, name, json_object(request))))

    def delete(self, request: Request[Caller], namespace: str, name: str) -> Reply:
        self._tags.delete(request.caller, namespace, name)
        return Reply(204)
