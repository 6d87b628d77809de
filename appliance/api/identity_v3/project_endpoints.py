"""/v3/OS-EP-FILTER/projects/…/endpoints: the endpoints that a project's catalog is narrowed to."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.views import shown_endpoint, shown_project
from appliance.identity.service import Identity
from appliance.identity.token import Token


class ProjectEndpoints:
    def __init__(self, identity: Identity, answers: Answers) -> None:
        self._identity = identity
        self._given = identity.project_endpoints
        self._answers = answers

    def list(self, request: Request[Token], project_id: str) -> Reply:
        """GET /v3/OS-EP-FILTER/projects/{project_id}/endpoints"""
        addresses = self._answers.addresses(request)
        found = [shown_endpoint(endpoint, addresses) for endpoint in self._given.of_project(project_id)]
        return self._answers.collection(request, "endpoints", found)

    def projects(self, request: Request[Token], endpoint_id: str) -> Reply:
        """GET /v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects"""
        found = [shown_project(project) for project in self._given.projects(endpoint_id)]
        return self._answers.collection(request, "projects", found)

    def check(self, request: Request[Token], project_id: str, endpoint_id: str) -> Reply:
        """GET /v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}"""
        self._given.check_given(project_id, endpoint_id)
        return done()

    def give(self, request: Request[Token], project_id: str, endpoint_id: str) -> Reply:
        """PUT /v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}"""
        self._given.give(project_id, endpoint_id)
        return done()

    def take(self, request: Request[Token], project_id: str, endpoint_id: str) -> Reply:
        """DELETE /v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}"""
        self._given.take(project_id, endpoint_id)
        return done()
