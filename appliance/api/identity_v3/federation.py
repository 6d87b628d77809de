"""/v3/OS-FEDERATION with federation off: there are no identity providers, mappings, protocols or service providers."""

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3.presentation import Presenter
from appliance.errors import NotFound, NotSupported
from appliance.identity.tokens.token import Token

_BASE = "/v3/OS-FEDERATION"
_KINDS = {
    "identity_provider": "identity_providers",
    "mapping": "mappings",
    "service_provider": "service_providers",
    "protocol": "identity_providers/<idp_id>/protocols",
}
_WORDS = {
    "identity_provider": "Identity Provider",
    "mapping": "mapping",
    "service_provider": "Service Provider",
    "protocol": "federated protocol",
}


class Federation:
    """One kind of resource of which there is none."""

    def __init__(self, presenter: Presenter, kind: str) -> None:
        self._presenter = presenter
        self._kind = kind

    def list(self, request: Request[Token], **above: str) -> Response:
        return self._presenter.collection(request, f"{self._kind}s", [])

    def show(self, request: Request[Token], record_id: str, **above: str) -> Response:
        raise NotFound(f"Could not find {_WORDS[self._kind]}: {record_id}.")

    def change(self, request: Request[Token], record_id: str, **above: str) -> Response:
        raise NotFound(f"Could not find {_WORDS[self._kind]}: {record_id}.")

    def create(self, request: Request[Token], record_id: str, **above: str) -> Response:
        raise NotSupported("Federation is not among what this service does.")


def federation_routes(presenter: Presenter) -> list[Route]:
    found = []
    for kind, path in _KINDS.items():
        resource = Federation(presenter, kind)
        one = f"{_BASE}/{path}/<record_id>"
        found += [
            Route("GET", f"{_BASE}/{path}", resource.list, f"identity:list_{kind}s"),
            Route("GET", one, resource.show, f"identity:get_{kind}"),
            Route("PUT", one, resource.create, f"identity:create_{kind}"),
            Route("PATCH", one, resource.change, f"identity:update_{kind}"),
            Route("DELETE", one, resource.change, f"identity:delete_{kind}"),
        ]
    return found
