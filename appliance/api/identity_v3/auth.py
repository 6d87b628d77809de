"""/v3/auth/…: which scopes the holder of a token may ask for, and its catalog."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers
from appliance.api.identity_v3.views import shown_domain, shown_project
from appliance.errors import Forbidden
from appliance.identity.service import Identity
from appliance.identity.token import Token


class Auth:
    def __init__(self, identity: Identity, answers: Answers) -> None:
        self._identity = identity
        self._answers = answers

    def projects(self, request: Request[Token]) -> Reply:
        """GET /v3/auth/projects"""
        found = self._identity.projects.with_tags(self._identity.assignments.projects_of(request.caller.user.id))
        return self._answers.collection(request, "projects", [shown_project(project) for project in found])

    def domains(self, request: Request[Token]) -> Reply:
        """GET /v3/auth/domains"""
        found = self._identity.assignments.domains_of(request.caller.user.id)
        return self._answers.collection(request, "domains", [shown_domain(domain) for domain in found])

    def system(self, request: Request[Token]) -> Reply:
        """GET /v3/auth/system"""
        roles = self._identity.assignments.system_roles(request.caller.user.id)
        links = {"self": self._answers.url(request, "auth/system")}
        return Reply(200, {"system": [{"all": True}] if roles else [], "links": links})

    def catalog(self, request: Request[Token]) -> Reply:
        """GET /v3/auth/catalog"""
        token = request.caller
        if token.project is None:
            raise Forbidden("A project-scoped token is required to produce a service catalog.")
        rendered = self._identity.catalog.rendered(self._answers.addresses(request), token.project.id, token.user.id)
        links = {"self": self._answers.url(request, "auth/catalog")}
        return Reply(200, {"catalog": rendered, "links": links})
