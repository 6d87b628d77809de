"""/v3/users: who can authenticate."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.views import shown_project, shown_user
from appliance.errors import NotFound
from appliance.identity.policy import Target
from appliance.identity.service import Identity
from appliance.identity.token import Token

_EXACT = ("domain_id", "name")


class Users:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/users"""
        token = request.caller
        self._identity.enforce(token, "list_users", {"domain_id": token.domain_id})
        listing = self._lists.read(request, _EXACT, ("enabled",))
        if token.domain_id is not None:
            listing = listing.narrowed("domain_id", token.domain_id)
        found = self._identity.users.search(listing.filters, listing.page)
        return self._answers.collection(request, "users", [shown_user(user) for user in found], listing)

    def show(self, request: Request[Token], user_id: str) -> Reply:
        """GET /v3/users/{user_id}"""
        self._identity.enforce(request.caller, "get_user", self._target(user_id))
        return self._answers.member(request, "user", "users", shown_user(self._identity.users.get(user_id)))

    def projects(self, request: Request[Token], user_id: str) -> Reply:
        """GET /v3/users/{user_id}/projects"""
        self._identity.enforce(request.caller, "list_user_projects", self._target(user_id))
        self._identity.users.get(user_id)
        found = self._identity.projects.with_tags(self._identity.assignments.projects_of(user_id))
        return self._answers.collection(request, "projects", [shown_project(project) for project in found])

    def _target(self, user_id: str) -> Target:
        """What rules may know of the user. A user that does not exist matches nothing but the admin's rule."""
        try:
            user = self._identity.users.get(user_id)
        except NotFound:
            return {"user_id": user_id}
        return {"user_id": user_id, "user.id": user["id"], "user.domain_id": user["domain_id"]}
