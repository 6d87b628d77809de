"""/v3/OS-FEDERATION with federation off: there are no identity providers, mappings, protocols or service providers."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers
from appliance.api.service import Route
from appliance.errors import NotFound, NotSupported
from appliance.identity.service import Identity
from appliance.identity.token import Token

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

    def __init__(self, identity: Identity, answers: Answers, kind: str) -> None:
        self._identity = identity
        self._answers = answers
        self._kind = kind

    def list(self, request: Request[Token], **above: str) -> Reply:
        self._identity.enforce(request.caller, f"list_{self._kind}s")
        return self._answers.collection(request, f"{self._kind}s", [])

    def show(self, request: Request[Token], record_id: str, **above: str) -> Reply:
        self._identity.enforce(request.caller, f"get_{self._kind}")
        raise NotFound(f"Could not find {_WORDS[self._kind]}: {record_id}.")

    def change(self, request: Request[Token], record_id: str, **above: str) -> Reply:
        self._identity.enforce(request.caller, "manage_federation")
        raise NotFound(f"Could not find {_WORDS[self._kind]}: {record_id}.")

    def create(self, request: Request[Token], record_id: str, **above: str) -> Reply:
        self._identity.enforce(request.caller, "manage_federation")
        raise NotSupported("Federation is not among what this service does.")


def federation_routes(identity: Identity, answers: Answers) -> list[Route]:
    found = []
    for kind, path in _KINDS.items():
        resource = Federation(identity, answers, kind)
        one = f"{_BASE}/{path}/<record_id>"
        found += [
            Route("GET", f"{_BASE}/{path}", resource.list),
            Route("GET", one, resource.show),
            Route("PUT", one, resource.create),
            Route("PATCH", one, resource.change),
            Route("DELETE", one, resource.change),
        ]
    return found
