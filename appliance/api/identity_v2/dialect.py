"""What makes an API sound like Keystone's v2.0: its errors, and what every answer carries."""

from collections.abc import Mapping

from appliance.api.addresses import AddressBook
from appliance.api.cors import Cors
from appliance.api.exchange import Reply, Request
from appliance.api.faults import identity_error, identity_fault
from appliance.api.identity_v2.gate import Gate, Visitor
from appliance.api.service import Route
from appliance.api.slashes import merged
from appliance.identity.policy import NOTHING

_NOWHERE = "The resource could not be found."


class IdentityV2Dialect:
    """Identity API v2.0. A path or a method that it has not is the same 404."""

    def __init__(self, gate: Gate, addresses: AddressBook, cors: Cors) -> None:
        self._gate = gate
        self._addresses = addresses
        self._cors = cors

    def before_routing(self, request: Request[Visitor]) -> Reply | None:
        request.path = merged(request.path).rstrip("/")
        return self._cors.preflight(request)

    def admit(self, request: Request[Visitor], route: Route) -> None:
        if not route.public:
            request.caller = self._gate.visitor(request)

    def authorize(self, request: Request[Visitor], route: Route, parts: Mapping[str, str]) -> None:
        target = NOTHING if route.target is None else route.target(None, request, **parts)
        self._gate.authorize(request.caller, route.policies[0], target)

    def fault(self, request: Request[Visitor], error: Exception) -> Reply:
        return self._challenged(request, identity_fault(error, ""))

    def unrouted(self, request: Request[Visitor]) -> Reply:
        return identity_error(404, _NOWHERE, "")

    def wrong_method(self, request: Request[Visitor], allowed: str) -> Reply:
        return identity_error(404, _NOWHERE, "")

    def finish(self, request: Request[Visitor], reply: Reply) -> None:
        reply.headers.append(("Vary", "X-Auth-Token"))
        reply.headers.append(("x-openstack-request-id", request.id))
        self._cors.finish(request, reply)

    def _challenged(self, request: Request[Visitor], reply: Reply) -> Reply:
        """The challenge of a 401 names no version here."""
        reply.headers = [(name, value) for name, value in reply.headers if name != "WWW-Authenticate"]
        if reply.status == 401:
            reply.headers.append(("WWW-Authenticate", f'Keystone uri="{self._addresses.identity(request)}"'))
        return reply
