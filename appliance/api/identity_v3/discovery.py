"""What a client may ask before it begins: versions and JSON Home."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from appliance.api.http.error_responses import preferred
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3.presentation import Presenter
from appliance.identity.tokens.token import Token

MEDIA_TYPE = "application/json-home"
_DOCUMENTATION = "https://docs.openstack.org/api/openstack-identity/3"
_EXPERIMENTAL = ("limits", "limit", "limit_model", "registered_limits", "registered_limit")
_VARIABLE = re.compile(r"<(\w+)>")
_PARAMETER_NAMES = {
    "group": "config_group",
    "option": "config_option",
    "value": "tag_value",
    "prior_role_id": "role_id",
    "implied_role_id": "role_id",
}
"""Variables that are documented under another name."""

_EXTENSION_PARAMETERS = frozenset(
    {
        "access_token_id",
        "consumer_id",
        "endpoint_group_id",
        "idp_id",
        "mapping_id",
        "protocol_id",
        "service_provider_id",
        "trust_id",
    }
)
"""Variables that belong to an extension; the others are those of the core."""


class JsonHome:
    """The document, with addresses relative to `/` or to `/v3`."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._resources = [_resource(route.path, name) for route in routes for name in route.relations]

    def document(self, prefix: str = "") -> dict[str, Any]:
        resources = {}
        for relation, path, entry in self._resources:
            key = "href-template" if "href-vars" in entry else "href"
            resources[relation] = {key: f"{prefix}{path}", **entry}
        return {"resources": resources}

    def response(self, prefix: str = "") -> Response:
        return Response(200, self.document(prefix), [("Content-Type", MEDIA_TYPE)])


def wanted(request: Request[Any]) -> bool:
    """Whether the client would rather have JSON Home than plain JSON."""
    return preferred(request.header("accept"), ("application/json", MEDIA_TYPE)) == MEDIA_TYPE


def _resource(path: str, relation: str) -> tuple[str, str, dict[str, Any]]:
    """The address by which a resource is known, its path below `/v3`, and what is said of it."""
    extension, _, name = relation.rpartition(":")
    entry: dict[str, Any] = {}
    variables = _VARIABLE.findall(path)
    if variables:
        entry["href-vars"] = {variable: _parameter(variable, extension) for variable in variables}
    if name in _EXPERIMENTAL and not extension:
        entry["hints"] = {"status": "experimental"}
    where = f"ext/{extension}/1.0/rel" if extension else "rel"
    return f"{_DOCUMENTATION}/{where}/{name}", _VARIABLE.sub(r"{\1}", path.removeprefix("/v3")), entry


def _parameter(variable: str, extension: str) -> str:
    if extension and variable in _EXTENSION_PARAMETERS:
        return f"{_DOCUMENTATION}/ext/{extension}/1.0/param/{variable}"
    return f"{_DOCUMENTATION}/param/{_PARAMETER_NAMES.get(variable, variable)}"


VERSION = "v3.14"


class Versions:
    def __init__(
        self, presenter: Presenter, home: JsonHome, older: Callable[[str], dict[str, Any]] | None = None
    ) -> None:
        """`older` makes the document of a version that is served beside v3, of the service's address."""
        self._presenter = presenter
        self._home = home
        self._older = older

    def every(self, request: Request[Token]) -> Response:
        """GET / — Multiple Choices, although there is one."""
        if wanted(request):
            return self._home.response("/v3")
        url = self._presenter.url(request)
        values = [self._document(url)]
        if self._older is not None:
            values.append(self._older(url.removesuffix("/v3")))
        return Response(300, {"versions": {"values": values}}, [("Location", f"{url}/")])

    def v3(self, request: Request[Token]) -> Response:
        """GET /v3"""
        if wanted(request):
            return self._home.response()
        return Response(200, {"version": self._document(self._presenter.url(request))})

    def _document(self, url: str) -> dict[str, Any]:
        return {
            "id": VERSION,
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{url}/"}],
            "media-types": [
                {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"},
            ],
        }
