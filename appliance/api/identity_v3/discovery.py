"""What a client may ask before it begins: versions and JSON Home."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from appliance.api.http.error_responses import preferred
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3.json_home_relations import CORE, EXTENSION_PARAMETERS, EXTENSIONS, PARAMETER_NAMES
from appliance.api.identity_v3.presentation import Presenter
from appliance.identity.tokens.token import Token

MEDIA_TYPE = "application/json-home"
_DOCUMENTATION = "https://docs.openstack.org/api/openstack-identity/3"
_EXPERIMENTAL = ("limits", "limit", "limit_model", "registered_limits", "registered_limit")
_VARIABLE = re.compile(r"{(\w+)}")


class JsonHome:
    """The document, with addresses relative to `/` or to `/v3`."""

    def __init__(self, routes: Iterable[Route]) -> None:
        shapes = {_shape(route.path.removeprefix("/v3")) for route in routes}
        self._resources: list[tuple[str, str, dict[str, Any]]] = []
        for name, path in CORE.items():
            if _shape(path) in shapes:
                self._resources.append((f"{_DOCUMENTATION}/rel/{name}", path, _entry(name, path, None)))
        for extension, found in EXTENSIONS.items():
            for name, path in found.items():
                if _shape(path) in shapes:
                    relation = f"{_DOCUMENTATION}/ext/{extension}/1.0/rel/{name}"
                    self._resources.append((relation, path, _entry(name, path, extension)))

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


def _shape(path: str) -> str:
    """A path whose variables have no names."""
    return re.sub(r"{\w+}|<\w+>", "*", path)


def _entry(name: str, path: str, extension: str | None) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    variables = _VARIABLE.findall(path)
    if variables:
        entry["href-vars"] = {variable: _parameter(variable, extension) for variable in variables}
    if name in _EXPERIMENTAL and extension is None:
        entry["hints"] = {"status": "experimental"}
    return entry


def _parameter(variable: str, extension: str | None) -> str:
    if extension is not None and variable in EXTENSION_PARAMETERS:
        return f"{_DOCUMENTATION}/ext/{extension}/1.0/param/{variable}"
    return f"{_DOCUMENTATION}/param/{PARAMETER_NAMES.get(variable, variable)}"


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
