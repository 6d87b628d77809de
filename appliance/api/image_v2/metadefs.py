"""/v2/metadefs: namespaces and resource types."""

from urllib.parse import quote, urlencode

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.image_v2 import metadef_views as views
from appliance.api.image_v2.dialect import json_object
from appliance.db.image.metadefs import Order
from appliance.errors import Invalid
from appliance.image.metadefs.namespaces import NamespaceFilter, Namespaces, ResourceTypes
from appliance.settings import Settings
from appliance.values import Caller


def read_order(request: Request[Caller]) -> Order:
    """`sort_key` and `sort_dir`; the newest come first unless they say otherwise."""
    direction = request.arg("sort_dir", "desc")
    if direction not in ("asc", "desc"):
        raise Invalid(f"Invalid sort direction: {direction}")
    return Order(request.arg("sort_key") or "created_at", descending=direction == "desc")


def read_limit(text: str, *, least: int = 0) -> int:
    """A number of items. Raises `Invalid`."""
    try:
        number = int(text)
    except ValueError as error:
        raise Invalid("limit param must be an integer") from error
    if number < least:
        raise Invalid("limit param must be positive")
    return min(number, 2**31 - 1)


def read_visibility(request: Request[Caller], allowed: tuple[str, ...]) -> str | None:
    """`visibility`, which is checked even where it filters nothing. Raises `Invalid`."""
    value = request.arg("visibility")
    if value and value not in allowed:
        raise Invalid(f"Invalid visibility value: {value}")
    return value


_VISIBILITIES = ("public", "private")


def namespace_routes(namespaces: Namespaces, settings: Settings) -> list[Route]:
    handlers = _Namespaces(namespaces, settings)
    one = "/v2/metadefs/namespaces/<namespace>"
    return [
        Route("GET", "/v2/metadefs/namespaces", handlers.index, "get_metadef_namespaces"),
        Route("POST", "/v2/metadefs/namespaces", handlers.create, "add_metadef_namespace"),
        Route("GET", one, handlers.show, "get_metadef_namespace", bodiless=True),
        Route("PUT", one, handlers.update, "modify_metadef_namespace"),
        Route("DELETE", one, handlers.delete, "delete_metadef_namespace", bodiless=True),
    ]


class _Namespaces:
    def __init__(self, namespaces: Namespaces, settings: Settings) -> None:
        self._namespaces = namespaces
        self._settings = settings

    def index(self, request: Request[Caller]) -> Response:
        given = request.arg("limit")
        limit = self._settings.limit_param_default if given is None else read_limit(given)
        limit = min(limit, self._settings.api_limit_max)
        types = request.arg("resource_types")
        wanted = NamespaceFilter(
            order=read_order(request),
            limit=limit,
            marker=request.arg("marker"),
            visibility=read_visibility(request, _VISIBILITIES),
            resource_types=None if types is None else types.split(","),
        )
        page = self._namespaces.page(request.caller, wanted)
        body = {
            "namespaces": [
                views.namespace(record, resource_type_associations=[views.association(tie) for tie in ties] or None)
                for record, ties in page
            ]
        }
        return Response(
            200, {**body, **_links(request, page[-1][0].namespace if page and len(page) == limit else None)}
        )

    def create(self, request: Request[Caller]) -> Response:
        record, contents = self._namespaces.create(request.caller, json_object(request))
        location = f"{request.base_url}{views.NAMESPACES}/{quote(record.namespace, safe=':')}"
        return Response(201, views.created_namespace(record, contents), [("Location", location)])

    def show(self, request: Request[Caller], namespace: str) -> Response:
        read_visibility(request, _VISIBILITIES)
        record, contents = self._namespaces.show(request.caller, namespace, request.arg("resource_type"))
        return Response(200, views.whole_namespace(record, contents))

    def update(self, request: Request[Caller], namespace: str) -> Response:
        return Response(200, views.namespace(self._namespaces.update(request.caller, namespace, json_object(request))))

    def delete(self, request: Request[Caller], namespace: str) -> Response:
        self._namespaces.delete(request.caller, namespace)
        return Response(204)


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


def resource_type_routes(resource_types: ResourceTypes) -> list[Route]:
    handlers = _ResourceTypes(resource_types)
    every = "/v2/metadefs/namespaces/<namespace>/resource_types"
    return [
        Route("GET", "/v2/metadefs/resource_types", handlers.known, "list_metadef_resource_types", bodiless=True),
        Route("GET", every, handlers.index, "list_metadef_resource_types", bodiless=True),
        Route("POST", every, handlers.create, "add_metadef_resource_type_association"),
        Route("DELETE", f"{every}/<name>", handlers.delete, "remove_metadef_resource_type_association", bodiless=True),
    ]


class _ResourceTypes:
    def __init__(self, resource_types: ResourceTypes) -> None:
        self._resource_types = resource_types

    def known(self, request: Request[Caller]) -> Response:
        found = self._resource_types.known(request.caller)
        return Response(200, {"resource_types": [views.resource_type(record) for record in found]})

    def index(self, request: Request[Caller], namespace: str) -> Response:
        found = self._resource_types.all(request.caller, namespace)
        return Response(200, {"resource_type_associations": [views.association(record) for record in found]})

    def create(self, request: Request[Caller], namespace: str) -> Response:
        record = self._resource_types.associate(request.caller, namespace, json_object(request))
        return Response(201, views.association(record))

    def delete(self, request: Request[Caller], namespace: str, name: str) -> Response:
        self._resource_types.dissociate(request.caller, namespace, name)
        return Response(204)
