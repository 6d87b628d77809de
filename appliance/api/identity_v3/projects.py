"""/v3/projects: where things belong."""

from collections.abc import Sequence

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.listing import Listing, Lists, switch
from appliance.api.identity_v3.schemas import PROJECT_CREATE, PROJECT_UPDATE
from appliance.api.identity_v3.targets import home_domain
from appliance.api.identity_v3.views import shown_project
from appliance.db.projects import having_tags
from appliance.db.records import Condition, Record
from appliance.errors import Invalid
from appliance.identity.service import Identity
from appliance.identity.token import Token

_EXACT = ("domain_id", "name", "parent_id")
_TAG_FILTERS = {
    "tags": (True, False),
    "tags-any": (False, False),
    "not-tags": (True, True),
    "not-tags-any": (False, True),
}


class Projects:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/projects"""
        token = request.caller
        listing = self._listing(request, token)
        found = self._identity.projects.search(listing.filters, listing.page, _tag_conditions(request))
        return self._answers.collection(request, "projects", [shown_project(project) for project in found], listing)

    def _listing(self, request: Request[Token], token: Token) -> Listing:
        listing = self._lists.read(request, _EXACT, ("enabled", "is_domain"))
        if listing.value("is_domain") is None:
            listing = listing.narrowed("is_domain", 0)
        return listing if token.domain_id is None else listing.narrowed("domain_id", token.domain_id)

    def show(self, request: Request[Token], project_id: str) -> Reply:
        """GET /v3/projects/{project_id}"""
        project = shown_project(self._identity.projects.get(project_id))
        self._add_relatives(request, project)
        return self._answers.member(request, "project", "projects", project)

    def _add_relatives(self, request: Request[Token], project: Record) -> None:
        """What is above and below, as the query asks: as a list of what the caller has a role on, or as ids."""
        asked = {name for name, value in request.query if switch(value)}
        for kind in ("parents", "subtree"):
            if {f"{kind}_as_list", f"{kind}_as_ids"} <= asked:
                raise Invalid(f"Use either {kind}_as_list or {kind}_as_ids.")
        projects = self._identity.projects
        if "parents_as_list" in asked:
            project["parents"] = self._visible(request, projects.parents(project["id"]))
        elif "parents_as_ids" in asked:
            project["parents"] = projects.parents_as_ids(project["id"])
        if "subtree_as_list" in asked:
            project["subtree"] = self._visible(request, projects.subtree(project["id"]))
        elif "subtree_as_ids" in asked:
            project["subtree"] = projects.subtree_as_ids(project["id"])

    def _visible(self, request: Request[Token], found: Sequence[Record]) -> Sequence[Record]:
        own = {project["id"] for project in self._identity.assignments.projects_of(request.caller.user.id)}
        shown = self._identity.projects.with_tags([project for project in found if project["id"] in own])
        return [{"project": self._answers.linked(request, "projects", shown_project(project))} for project in shown]

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/projects — one that is to be a domain becomes one."""
        project = member(request, "project", PROJECT_CREATE)
        if project.get("is_domain"):
            return self._create_domain(request, project)
        project["domain_id"] = project.get("domain_id") or home_domain(request.caller)
        created = self._identity.projects.create(project)
        return self._answers.member(request, "project", "projects", shown_project(created), 201)

    def _create_domain(self, request: Request[Token], project: Record) -> Reply:
        if project.get("parent_id") or project.get("domain_id"):
            raise Invalid("Only root projects are allowed to act as domains.")
        created = self._identity.domains.create(project)
        shown = shown_project(self._identity.projects.get(created["id"]))
        return self._answers.member(request, "project", "projects", shown, 201)

    def update(self, request: Request[Token], project_id: str) -> Reply:
        """PATCH /v3/projects/{project_id}"""
        changes = member(request, "project", PROJECT_UPDATE)
        updated = self._identity.projects.update(project_id, changes)
        return self._answers.member(request, "project", "projects", shown_project(updated))

    def delete(self, request: Request[Token], project_id: str) -> Reply:
        """DELETE /v3/projects/{project_id}"""
        if self._identity.projects.get(project_id)["is_domain"]:
            self._identity.domains.delete(project_id)
        else:
            self._identity.projects.delete(project_id)
        return done()


def _tag_conditions(request: Request[Token]) -> list[Condition]:
    conditions = []
    for name, (every, negated) in _TAG_FILTERS.items():
        value = request.arg(name)
        if value:
            conditions.append(having_tags(value.split(","), every=every, negated=negated))
    return conditions
