"""`/v2/metadefs/namespaces`."""

from urllib.parse import quote, urlencode

from appliance.api.exchange import Reply, Request
from appliance.api.image_v2 import metadefs_query as query
from appliance.api.image_v2 import metadefs_views as views
from appliance.api.image_v2.bodies import json_object
from appliance.api.service import Route
from appliance.image.metadefs.namespaces import NamespaceFilter, Namespaces
from appliance.settings import Settings
from appliance.values import Caller

_VISIBILITIES = ("public", "private")


def routes(namespaces: Namespaces, settings: Settings) -> list[Route]:
    handlers = _Handlers(namespaces, settings)
    one = "/v2/metadefs/namespaces/<namespace>"
    return [
        Route("GET", "/v2/metadefs/namespaces", handlers.index, "get_metadef_namespaces"),
        Route("POST", "/v2/metadefs/namespaces", handlers.create, "add_metadef_namespace"),
        Route("GET", one, handlers.show, "get_metadef_namespace", bodiless=True),
        Route("PUT", one, handlers.update, "modify_metadef_namespace"),
        Route("DELETE", one, handlers.delete, "delete_metadef_namespace", bodiless=True),
    ]


class _Handlers:
    def __init__(self, namespaces: Namespaces, settings: Settings) -> None:
        self._namespaces = namespaces
        self._settings = settings

    def index(self, request: Request[Caller]) -> Reply:
        given = request.arg("limit")
        limit = self._settings.limit_param_default if given is None else query.limit(given)
        limit = min(limit, self._settings.api_limit_max)
        types = request.arg("resource_types")
        wanted = NamespaceFilter(
            order=query.order(request),
            limit=limit,
            marker=request.arg("marker"),
            visibility=query.visibility(request, _VISIBILITIES),
            resource_types=None if types is None else types.split(","),
        )
        page = self._namespaces.page(request.caller, wanted)
        body = {
            "namespaces": [
                views.namespace(record, resource_type_associations=[views.association(tie) for tie in ties] or None)
                for record, ties in page
            ]
        }
        return Reply(200, {**body, **_links(request, page[-1][0].namespace if page and len(page) == limit else None)})

    def create(self, request: Request[Caller]) -> Reply:
        record, contents = self._namespaces.create(request.caller, json_object(request))
        location = f"{request.base_url}{views.NAMESPACES}/{quote(record.namespace, safe=':')}"
        return Reply(201, views.created_namespace(record, contents), [("Location", location)])

    def show(self, request: Request[Caller], namespace: str) -> Reply:
        query.visibility(request, _VISIBILITIES)
        record, contents = self._namespaces.show(request.caller, namespace, request.arg("resource_type"))
        return Reply(200, views.whole_namespace(record, contents))

    def update(self, request: Request[Caller], namespace: str) -> Reply:
        return Reply(200, views.namespace(self._namespaces.update(request.caller, namespace, json_object(request))))

    def delete(self, request: Request[Caller], namespace: str) -> Reply:
        self._namespaces.delete(request.caller, namespace)
        return Reply(204)


def _links(request: Request[Caller], last: str | None) -> dict[str, str]:
    """`next` only after a full page; the last one of a repeated parameter counts, as everywhere in this API."""
    parameters = dict(request.query)
    parameters.pop("marker", None)
    links = {}
    if last is not None:
        links["next"] = f"{views.NAMESPACES}?{urlencode({**parameters, 'marker': last})}"
    links["schema"] = f"{views.SCHEMAS}/namespaces"
    links["first"] = f"{views.NAMESPACES}?{urlencode(parameters)}" if parameters else views.NAMESPACES
    return links
