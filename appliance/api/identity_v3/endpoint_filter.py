"""OS-EP-FILTER and OS-ENDPOINT-POLICY: which endpoints a project sees, which policy an endpoint has."""

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3.presentation import Presenter, QueryParser, done, shown_endpoint, shown_project
from appliance.api.identity_v3.schemas import member
from appliance.api.identity_v3.schemas_catalog import ENDPOINT_GROUP_CREATE, ENDPOINT_GROUP_UPDATE
from appliance.db.identity.limits import Place
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token

_PATH = "OS-EP-FILTER/endpoint_groups"


class EndpointGroups:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._groups = identity.endpoint_groups
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/OS-EP-FILTER/endpoint_groups"""
        listing = self._queries.read(request, ("name",))
        found = self._groups.search(listing.filters, listing.page)
        return self._presenter.collection(request, "endpoint_groups", found, listing, _PATH)

    def show(self, request: Request[Token], endpoint_group_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}"""
        return self._presenter.member(request, "endpoint_group", _PATH, self._groups.get(endpoint_group_id))

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/OS-EP-FILTER/endpoint_groups"""
        group = member(request, "endpoint_group", ENDPOINT_GROUP_CREATE)
        return self._presenter.member(request, "endpoint_group", _PATH, self._groups.create(group), 201)

    def update(self, request: Request[Token], endpoint_group_id: str) -> Response:
        """PATCH /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}"""
        changes = member(request, "endpoint_group", ENDPOINT_GROUP_UPDATE)
        return self._presenter.member(request, "endpoint_group", _PATH, self._groups.update(endpoint_group_id, changes))

    def delete(self, request: Request[Token], endpoint_group_id: str) -> Response:
        """DELETE /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}"""
        self._groups.delete(endpoint_group_id)
        return done()

    def endpoints(self, request: Request[Token], endpoint_group_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints"""
        addresses = self._presenter.addresses(request)
        found = [shown_endpoint(endpoint, addresses) for endpoint in self._groups.endpoints(endpoint_group_id)]
        return self._presenter.collection(request, "endpoints", found)

    def projects(self, request: Request[Token], endpoint_group_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects"""
        found = [shown_project(project) for project in self._groups.projects(endpoint_group_id)]
        return self._presenter.collection(request, "projects", found)

    def of_project(self, request: Request[Token], project_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/projects/{project_id}/endpoint_groups"""
        return self._presenter.collection(request, "endpoint_groups", self._groups.of_project(project_id), path=_PATH)

    def show_given(self, request: Request[Token], endpoint_group_id: str, project_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}"""
        self._groups.check_given(endpoint_group_id, project_id)
        # The one link of the API without a host: Keystone writes it so.
        links = {"self": f"/{_PATH}/{endpoint_group_id}/projects/{project_id}"}
        given = {"endpoint_group_id": endpoint_group_id, "project_id": project_id, "links": links}
        return Response(200, {"project_endpoint_group": given})

    def give(self, request: Request[Token], endpoint_group_id: str, project_id: str) -> Response:
        """PUT /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}"""
        self._groups.give(endpoint_group_id, project_id)
        return done()

    def take(self, request: Request[Token], endpoint_group_id: str, project_id: str) -> Response:
        """DELETE /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}"""
        self._groups.take(endpoint_group_id, project_id)
        return done()


class ProjectEndpoints:
    def __init__(self, identity: Identity, presenter: Presenter) -> None:
        self._identity = identity
        self._given = identity.project_endpoints
        self._presenter = presenter

    def list(self, request: Request[Token], project_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/projects/{project_id}/endpoints"""
        addresses = self._presenter.addresses(request)
        found = [shown_endpoint(endpoint, addresses) for endpoint in self._given.of_project(project_id)]
        return self._presenter.collection(request, "endpoints", found)

    def projects(self, request: Request[Token], endpoint_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects"""
        found = [shown_project(project) for project in self._given.projects(endpoint_id)]
        return self._presenter.collection(request, "projects", found)

    def check(self, request: Request[Token], project_id: str, endpoint_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}"""
        self._given.check_given(project_id, endpoint_id)
        return done()

    def give(self, request: Request[Token], project_id: str, endpoint_id: str) -> Response:
        """PUT /v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}"""
        self._given.give(project_id, endpoint_id)
        return done()

    def take(self, request: Request[Token], project_id: str, endpoint_id: str) -> Response:
        """DELETE /v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}"""
        self._given.take(project_id, endpoint_id)
        return done()


_POLICY = "/v3/policies/<policy_id>/OS-ENDPOINT-POLICY"
_PLACES = {
    "endpoint": f"{_POLICY}/endpoints/<endpoint_id>",
    "service": f"{_POLICY}/services/<service_id>",
    "region_and_service": f"{_POLICY}/services/<service_id>/regions/<region_id>",
}


class EndpointPolicies:
    """What can be asked about endpoints and policies as a whole."""

    def __init__(self, identity: Identity, presenter: Presenter) -> None:
        self._identity = identity
        self._presenter = presenter

    def endpoints(self, request: Request[Token], policy_id: str) -> Response:
        """GET /v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints"""
        addresses = self._presenter.addresses(request)
        found = [shown_endpoint(e, addresses) for e in self._identity.endpoint_policies.endpoints(policy_id)]
        return self._presenter.collection(request, "endpoints", found)

    def policy(self, request: Request[Token], endpoint_id: str) -> Response:
        """GET /v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy"""
        policy = self._identity.endpoint_policies.policy_of(endpoint_id)
        return self._presenter.member(request, "policy", "policies", policy)


class Associations:
    """The associations of policies with places."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def check(self, request: Request[Token], policy_id: str, **place: str) -> Response:
        self._identity.endpoint_policies.check(policy_id, Place(**place))
        return done()

    def create(self, request: Request[Token], policy_id: str, **place: str) -> Response:
        self._identity.endpoint_policies.associate(policy_id, Place(**place))
        return done()

    def delete(self, request: Request[Token], policy_id: str, **place: str) -> Response:
        self._identity.endpoint_policies.dissociate(policy_id, Place(**place))
        return done()


def endpoint_policy_routes(identity: Identity, presenter: Presenter) -> list[Route]:
    whole = EndpointPolicies(identity, presenter)
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
