"""JSON Home: where each kind of resource is, under the names that the API's documentation gives them.

Built from the table of routes, so that it never names an address that is not answered.
"""

import re
from collections.abc import Iterable
from typing import Any

from appliance.api.exchange import Reply, Request
from appliance.api.faults import preferred
from appliance.api.identity_v3.json_home_relations import CORE, EXTENSION_PARAMETERS, EXTENSIONS, PARAMETER_NAMES
from appliance.api.service import Route

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

    def reply(self, prefix: str = "") -> Reply:
        return Reply(200, self.document(prefix), [("Content-Type", MEDIA_TYPE)])


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
