"""OS-ENDPOINT-POLICY: which policy is for an endpoint, a service, or a service in a region."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.views import shown_endpoint
from appliance.api.service import Route
from appliance.db.policies import Place
from appliance.identity.service import Identity
from appliance.identity.token import Token

_POLICY = "/v3/policies/<policy_id>/OS-ENDPOINT-POLICY"
_PLACES = {
    "endpoint": f"{_POLICY}/endpoints/<endpoint_id>",
    "service": f"{_POLICY}/services/<service_id>",
    "region_and_service": f"{_POLICY}/services/<service_id>/regions/<region_id>",
}


class EndpointPolicies:
    """What can be asked about endpoints and policies as a whole."""

    def __init__(self, identity: Identity, answers: Answers) -> None:
        self._identity = identity
        self._answers = answers

    def endpoints(self, request: Request[Token], policy_id: str) -> Reply:
        """GET /v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints"""
        addresses = self._answers.addresses(request)
        found = [shown_endpoint(e, addresses) for e in self._identity.endpoint_policies.endpoints(policy_id)]
        return self._answers.collection(request, "endpoints", found)

    def policy(self, request: Request[Token], endpoint_id: str) -> Reply:
        """GET /v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy"""
        policy = self._identity.endpoint_policies.policy_of(endpoint_id)
        return self._answers.member(request, "policy", "policies", policy)


class Associations:
    """The associations of policies with places."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def check(self, request: Request[Token], policy_id: str, **place: str) -> Reply:
        self._identity.endpoint_policies.check(policy_id, Place(**place))
        return done()

    def create(self, request: Request[Token], policy_id: str, **place: str) -> Reply:
        self._identity.endpoint_policies.associate(policy_id, Place(**place))
        return done()

    def delete(self, request: Request[Token], policy_id: str, **place: str) -> Reply:
        self._identity.endpoint_policies.dissociate(policy_id, Place(**place))
        return done()


def endpoint_policy_routes(identity: Identity, answers: Answers) -> list[Route]:
    whole = EndpointPolicies(identity, answers)
    found = [
        Route("GET", f"{_POLICY}/endpoints", whole.endpoints, "identity:list_endpoints_for_policy"),
        Route(
            "GET",
            "/v3/endpoints/<endpoint_id>/OS-ENDPOINT-POLICY/policy",
            whole.policy,
            "identity:get_policy_for_endpoint",
        ),
    ]
    associations = Associations(identity)
    for kind, path in _PLACES.items():
        found += [
            Route("GET", path, associations.check, f"identity:check_policy_association_for_{kind}"),
            Route("PUT", path, associations.create, f"identity:create_policy_association_for_{kind}"),
            Route("DELETE", path, associations.delete, f"identity:delete_policy_association_for_{kind}"),
        ]
    return found
