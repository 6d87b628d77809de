"""/v3/OS-EP-FILTER/endpoint_groups: groups of endpoints, and the projects that are given one."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas_catalog import ENDPOINT_GROUP_CREATE, ENDPOINT_GROUP_UPDATE
from appliance.api.identity_v3.views import shown_endpoint, shown_project
from appliance.identity.service import Identity
from appliance.identity.token import Token

_PATH = "OS-EP-FILTER/endpoint_groups"


class EndpointGroups:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._groups = identity.endpoint_groups
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/OS-EP-FILTER/endpoint_groups"""
        listing = self._lists.read(request, ("name",))
        found = self._groups.search(listing.filters, listing.page)
        return self._answers.collection(request, "endpoint_groups", found, listing, _PATH)

    def show(self, request: Request[Token], endpoint_group_id: str) -> Reply:
        """GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}"""
        return self._answers.member(request, "endpoint_group", _PATH, self._groups.get(endpoint_group_id))

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/OS-EP-FILTER/endpoint_groups"""
        group = member(request, "endpoint_group", ENDPOINT_GROUP_CREATE)
        return self._answers.member(request, "endpoint_group", _PATH, self._groups.create(group), 201)

    def update(self, request: Request[Token], endpoint_group_id: str) -> Reply:
        """PATCH /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}"""
        changes = member(request, "endpoint_group", ENDPOINT_GROUP_UPDATE)
        return self._answers.member(request, "endpoint_group", _PATH, self._groups.update(endpoint_group_id, changes))

    def delete(self, request: Request[Token], endpoint_group_id: str) -> Reply:
        """DELETE /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}"""
        self._groups.delete(endpoint_group_id)
        return done()

    def endpoints(self, request: Request[Token], endpoint_group_id: str) -> Reply:
        """GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints"""
        addresses = self._answers.addresses(request)
        found = [shown_endpoint(endpoint, addresses) for endpoint in self._groups.endpoints(endpoint_group_id)]
        return self._answers.collection(request, "endpoints", found)

    def projects(self, request: Request[Token], endpoint_group_id: str) -> Reply:
        """GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects"""
        found = [shown_project(project) for project in self._groups.projects(endpoint_group_id)]
        return self._answers.collection(request, "projects", found)

    def of_project(self, request: Request[Token], project_id: str) -> Reply:
        """GET /v3/OS-EP-FILTER/projects/{project_id}/endpoint_groups"""
        return self._answers.collection(request, "endpoint_groups", self._groups.of_project(project_id), path=_PATH)

    def show_given(self, request: Request[Token], endpoint_group_id: str, project_id: str) -> Reply:
        """GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}"""
        self._groups.check_given(endpoint_group_id, project_id)
        # The one link of the API without a host: Keystone writes it so.
        links = {"self": f"/{_PATH}/{endpoint_group_id}/projects/{project_id}"}
        given = {"endpoint_group_id": endpoint_group_id, "project_id": project_id, "links": links}
        return Reply(200, {"project_endpoint_group": given})

    def give(self, request: Request[Token], endpoint_group_id: str, project_id: str) -> Reply:
        """PUT /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}"""
        self._groups.give(endpoint_group_id, project_id)
        return done()

    def take(self, request: Request[Token], endpoint_group_id: str, project_id: str) -> Reply:
        """DELETE /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}"""
        self._groups.take(endpoint_group_id, project_id)
        return done()
