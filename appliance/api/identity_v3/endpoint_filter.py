"""OS-EP-FILTER and OS-ENDPOINT-POLICY: which endpoints a project sees, which policy an endpoint has."""

from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3.kit import Handlers, Resource, Rules
from appliance.api.identity_v3.presentation import done, shown_project
from appliance.api.identity_v3.resources import INTERFACE
from appliance.api.identity_v3.schemas import SWITCH, TEXT, TEXT_OR_NULL, name_of, pair
from appliance.db.identity.catalog import EndpointGroup
from appliance.db.identity.limits import Place
from appliance.db.records import attributes
from appliance.identity.tokens.token import Token

_EXTENSION = "OS-EP-FILTER"
_BASE = f"/v3/{_EXTENSION}"
_FILTERS = {
    "type": "object",
    "properties": {
        "interface": INTERFACE,
        "service_id": TEXT,
        "region_id": {"type": ["string", "null"]},
        "enabled": SWITCH,
    },
}
_GROUP: dict[str, Any] = {"name": name_of(255), "description": TEXT_OR_NULL}


class EndpointGroups(Resource[EndpointGroup]):
    name = "endpoint_group"
    extension = _EXTENSION
    new, _ = pair({**_GROUP, "filters": {**_FILTERS, "minProperties": 1}}, ["name", "filters"], closed=True)
    _, changes = pair({**_GROUP, "filters": _FILTERS}, [], closed=True)
    filters = ("name",)

    @property
    def rules(self) -> Rules[EndpointGroup]:
        return self._identity.endpoint_groups

    def routes(self) -> list[Route]:
        group, projects = f"{_BASE}/{self.plural}/<endpoint_group_id>", f"{_BASE}/projects/<project_id>"
        one = f"{group}/projects/<project_id>"
        of_group = "associated_with_endpoint_group"
        more = (
            ("GET", f"{group}/endpoints", self.endpoints, f"list_endpoints_{of_group}", "endpoints_in_endpoint_group"),
            ("GET", f"{group}/projects", self.projects, f"list_projects_{of_group}", f"projects_{of_group}"),
            ("GET", one, self.show_given, "get_endpoint_group_in_project", "endpoint_group_to_project_association"),
            ("PUT", one, self.give, "add_endpoint_group_to_project", ""),
            ("DELETE", one, self.take, "remove_endpoint_group_from_project", ""),
            (
                "GET",
                f"{projects}/endpoint_groups",
                self.of_project,
                "list_endpoint_groups_for_project",
                "project_endpoint_groups",
            ),
        )
        return [*super().routes(), *(_route(*one) for one in more)]

    def endpoints(self, request: Request[Token], endpoint_group_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints"""
        return self._presenter.endpoints(request, self._identity.endpoint_groups.endpoints(endpoint_group_id))

    def projects(self, request: Request[Token], endpoint_group_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects"""
        found = [shown_project(project) for project in self._identity.endpoint_groups.projects(endpoint_group_id)]
        return self._presenter.collection(request, "projects", found)

    def of_project(self, request: Request[Token], project_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/projects/{project_id}/endpoint_groups"""
        found = [attributes(group) for group in self._identity.endpoint_groups.of_project(project_id)]
        return self._presenter.collection(request, "endpoint_groups", found, path=self.path)

    def show_given(self, request: Request[Token], endpoint_group_id: str, project_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}"""
        self._identity.endpoint_groups.check_given(endpoint_group_id, project_id)
        # The one link of the API without a host: Keystone writes it so.
        links = {"self": f"/{self.path}/{endpoint_group_id}/projects/{project_id}"}
        given = {"endpoint_group_id": endpoint_group_id, "project_id": project_id, "links": links}
        return Response(200, {"project_endpoint_group": given})

    def give(self, request: Request[Token], endpoint_group_id: str, project_id: str) -> Response:
        """PUT /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}"""
        self._identity.endpoint_groups.give(endpoint_group_id, project_id)
        return done()

    def take(self, request: Request[Token], endpoint_group_id: str, project_id: str) -> Response:
        """DELETE /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}"""
        self._identity.endpoint_groups.take(endpoint_group_id, project_id)
        return done()


def _route(method: str, path: str, handler: Any, policy: str, relation: str) -> Route:
    return Route(method, path, handler, f"identity:{policy}", relation=f"{_EXTENSION}:{relation}" if relation else ())


class ProjectEndpoints(Handlers):
    def routes(self) -> list[Route]:
        every = f"{_BASE}/projects/<project_id>/endpoints"
        one, projects = f"{every}/<endpoint_id>", f"{_BASE}/endpoints/<endpoint_id>/projects"
        return [
            _route("GET", every, self.list, "list_endpoints_for_project", "project_endpoints"),
            _route("GET", one, self.check, "check_endpoint_in_project", "project_endpoint"),
            _route("PUT", one, self.give, "add_endpoint_to_project", ""),
            _route("DELETE", one, self.take, "remove_endpoint_from_project", ""),
            _route("GET", projects, self.projects, "list_projects_for_endpoint", "endpoint_projects"),
        ]

    def list(self, request: Request[Token], project_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/projects/{project_id}/endpoints"""
        return self._presenter.endpoints(request, self._identity.project_endpoints.of_project(project_id))

    def projects(self, request: Request[Token], endpoint_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects"""
        found = [shown_project(project) for project in self._identity.project_endpoints.projects(endpoint_id)]
        return self._presenter.collection(request, "projects", found)

    def check(self, request: Request[Token], project_id: str, endpoint_id: str) -> Response:
        """GET /v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}"""
        self._identity.project_endpoints.check_given(project_id, endpoint_id)
        return done()

    def give(self, request: Request[Token], project_id: str, endpoint_id: str) -> Response:
        """PUT /v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}"""
        self._identity.project_endpoints.give(project_id, endpoint_id)
        return done()

    def take(self, request: Request[Token], project_id: str, endpoint_id: str) -> Response:
        """DELETE /v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}"""
        self._identity.project_endpoints.take(project_id, endpoint_id)
        return done()


_POLICY = "/v3/policies/<policy_id>/OS-ENDPOINT-POLICY"
_KINDS = {
    "endpoint": f"{_POLICY}/endpoints/<endpoint_id>",
    "service": f"{_POLICY}/services/<service_id>",
    "region_and_service": f"{_POLICY}/services/<service_id>/regions/<region_id>",
}


class EndpointPolicies(Handlers):
    """The associations of policies with places, and what can be asked about them as a whole."""

    def routes(self) -> list[Route]:
        of_endpoint = "/v3/endpoints/<endpoint_id>/OS-ENDPOINT-POLICY/policy"
        relation = "OS-ENDPOINT-POLICY:"
        every, its = "identity:list_endpoints_for_policy", "identity:get_policy_for_endpoint"
        found = [
            Route("GET", f"{_POLICY}/endpoints", self.endpoints, every, relation=f"{relation}policy_endpoints"),
            Route("GET", of_endpoint, self.policy, its, relation=f"{relation}endpoint_policy"),
        ]
        for kind, path in _KINDS.items():
            policy = f"policy_association_for_{kind}"
            name = f"{relation}{kind}_policy_association"
            found += [
                Route("GET", path, self.check, f"identity:check_{policy}", relation=name),
                Route("PUT", path, self.create, f"identity:create_{policy}"),
                Route("DELETE", path, self.delete, f"identity:delete_{policy}"),
            ]
        return found

    def endpoints(self, request: Request[Token], policy_id: str) -> Response:
        """GET /v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints"""
        return self._presenter.endpoints(request, self._identity.endpoint_policies.endpoints(policy_id))

    def policy(self, request: Request[Token], endpoint_id: str) -> Response:
        """GET /v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy"""
        policy = self._identity.endpoint_policies.policy_of(endpoint_id)
        return self._presenter.member(request, "policy", "policies", attributes(policy))

    def check(self, request: Request[Token], policy_id: str, **place: str) -> Response:
        self._identity.endpoint_policies.check(policy_id, Place(**place))
        return done()

    def create(self, request: Request[Token], policy_id: str, **place: str) -> Response:
        self._identity.endpoint_policies.associate(policy_id, Place(**place))
        return done()

    def delete(self, request: Request[Token], policy_id: str, **place: str) -> Response:
        self._identity.endpoint_policies.dissociate(policy_id, Place(**place))
        return done()
