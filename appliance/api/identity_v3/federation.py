"""/v3/OS-FEDERATION with federation off: there are no identity providers, mappings, protocols or service providers."""

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3.kit import Api, Handlers
from appliance.errors import NotFound, NotSupported
from appliance.identity.tokens.token import Token


class Federated(Handlers):
    """One kind of resource of which there is none."""

    def __init__(self, api: Api, kind: str, path: str, key: str, called: str, relation: str) -> None:
        super().__init__(api)
        self._kind = kind
        self._path = f"/v3/OS-FEDERATION/{path}"
        self._key = key
        self._called = called
        self._relation = f"OS-FEDERATION:{relation}"

    def routes(self) -> list[Route]:
        kind = self._kind
        one = f"{self._path}/<{self._key}>"
        return [
            Route("GET", self._path, self.list, f"identity:list_{kind}s", relation=f"{self._relation}s"),
            Route("GET", one, self.change, f"identity:get_{kind}", relation=self._relation),
            Route("PUT", one, self.create, f"identity:create_{kind}"),
            Route("PATCH", one, self.change, f"identity:update_{kind}"),
            Route("DELETE", one, self.change, f"identity:delete_{kind}"),
        ]

    def list(self, request: Request[Token], **above: str) -> Response:
        return self._presenter.collection(request, f"{self._kind}s", [])

    def create(self, request: Request[Token], **parts: str) -> Response:
        raise NotSupported("Federation is not among what this service does.")

    def change(self, request: Request[Token], **parts: str) -> Response:
        """Show, change or remove what is not there."""
        raise NotFound(f"Could not find {self._called}: {parts[self._key]}.")


_KINDS = (
    ("identity_provider", "identity_providers", "idp_id", "Identity Provider", "identity_provider"),
    ("mapping", "mappings", "mapping_id", "mapping", "mapping"),
    ("service_provider", "service_providers", "service_provider_id", "Service Provider", "service_provider"),
    (
        "protocol",
        "identity_providers/<idp_id>/protocols",
        "protocol_id",
        "federated protocol",
        "identity_provider_protocol",
    ),
)


def federation(api: Api) -> list[Handlers]:
    return [Federated(api, *kind) for kind in _KINDS]
