"""/v3/projects: where things belong."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.views import shown_project
from appliance.errors import NotFound
from appliance.identity.policy import Target
from appliance.identity.service import Identity
from appliance.identity.token import Token

_EXACT = ("domain_id", "name", "parent_id")


class Projects:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/projects"""
        token = request.caller
        self._identity.enforce(token, "list_projects", {"domain_id": token.domain_id})
        listing = self._lists.read(request, _EXACT, ("enabled", "is_domain"))
        if listing.value("is_domain") is None:
            listing = listing.narrowed("is_domain", 0)
        if token.domain_id is not None:
            listing = listing.narrowed("domain_id", token.domain_id)
        found = self._identity.projects.search(listing.filters, listing.page)
        return self._answers.collection(request, "projects", [shown_project(project) for project in found], listing)

    def show(self, request: Request[Token], project_id: str) -> Reply:
        """GET /v3/projects/{project_id}"""
        self._identity.enforce(request.caller, "get_project", self._target(project_id))
        project = self._identity.projects.get(project_id)
        return self._answers.member(request, "project", "projects", shown_project(project))

    def _target(self, project_id: str) -> Target:
        try:
            project = self._identity.projects.get(project_id)
        except NotFound:
            return {}
        return {"project.id": project["id"], "project.domain_id": project["domain_id"]}
