"""/v3/projects/{project_id}/tags: words stuck to projects."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import members
from appliance.api.identity_v3.schemas import TAG, TAGS
from appliance.identity.service import Identity
from appliance.identity.token import Token


class ProjectTags:
    def __init__(self, identity: Identity, answers: Answers) -> None:
        self._identity = identity
        self._answers = answers

    def list(self, request: Request[Token], project_id: str) -> Reply:
        """GET /v3/projects/{project_id}/tags"""
        return self._shown(request, self._identity.projects.get(project_id)["tags"])

    def replace(self, request: Request[Token], project_id: str) -> Reply:
        """PUT /v3/projects/{project_id}/tags"""
        tags = members(request, "tags", TAGS)
        return self._shown(request, self._identity.projects.set_tags(project_id, [str(tag) for tag in tags]))

    def clear(self, request: Request[Token], project_id: str) -> Reply:
        """DELETE /v3/projects/{project_id}/tags"""
        self._identity.projects.set_tags(project_id, [])
        return done()

    def check(self, request: Request[Token], project_id: str, value: str) -> Reply:
        """GET and HEAD /v3/projects/{project_id}/tags/{value}"""
        self._identity.projects.require_tag(project_id, value)
        return done()

    def add(self, request: Request[Token], project_id: str, value: str) -> Reply:
        """PUT /v3/projects/{project_id}/tags/{value}"""
        TAG.check(value)
        self._identity.projects.add_tag(project_id, value)
        return Reply(201, "", [("Location", self._answers.self_url(request))])

    def remove(self, request: Request[Token], project_id: str, value: str) -> Reply:
        """DELETE /v3/projects/{project_id}/tags/{value}"""
        self._identity.projects.remove_tag(project_id, value)
        return done()

    def _shown(self, request: Request[Token], tags: object) -> Reply:
        return Reply(200, {"tags": tags, "links": {"self": self._answers.self_url(request)}})
