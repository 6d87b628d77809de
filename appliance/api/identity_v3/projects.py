"""/v3/projects and /v3/domains, tags and domain configurations."""

from collections.abc import Sequence
from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3 import targets
from appliance.api.identity_v3.presentation import (
    Listing,
    Presenter,
    QueryParser,
    asked,
    done,
    shown_domain,
    shown_project,
)
from appliance.api.identity_v3.schemas import (
    DOMAIN_CREATE,
    DOMAIN_UPDATE,
    PROJECT_CREATE,
    PROJECT_UPDATE,
    TAG,
    TAGS,
    json_object,
    member,
    members,
)
from appliance.api.identity_v3.targets import home_domain
from appliance.db.identity.projects import having_tags
from appliance.db.records import Condition, Record
from appliance.errors import Invalid
from appliance.identity.bootstrap import DEFAULT_DOMAIN
from appliance.identity.resources.domain_configs import check_supported, default
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token

_EXACT = ("domain_id", "name", "parent_id")
_TAG_FILTERS = {
    "tags": (True, False),
    "tags-any": (False, False),
    "not-tags": (True, True),
    "not-tags-any": (False, True),
}


class Projects:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/projects"""
        token = request.caller
        listing = self._listing(request, token)
        found = self._identity.projects.search(listing.filters, listing.page, _tag_conditions(request))
        return self._presenter.collection(request, "projects", [shown_project(project) for project in found], listing)

    def _listing(self, request: Request[Token], token: Token) -> Listing:
        listing = self._queries.read(request, _EXACT, ("enabled", "is_domain"), none_is_all=True)
        if listing.value("is_domain") is None:
            listing = listing.narrowed("is_domain", 0)
        return listing if token.domain_id is None else listing.narrowed("domain_id", token.domain_id)

    def show(self, request: Request[Token], project_id: str) -> Response:
        """GET /v3/projects/{project_id}"""
        project = shown_project(self._identity.projects.get(project_id))
        self._add_relatives(request, project)
        return self._presenter.member(request, "project", "projects", project)

    def _add_relatives(self, request: Request[Token], project: Record) -> None:
        """What is above and below, as the query asks: as a list of what the caller has a role on, or as ids."""
        wanted = {name for name, _ in request.query if asked(request, name)}
        for kind in ("parents", "subtree"):
            if {f"{kind}_as_list", f"{kind}_as_ids"} <= wanted:
                raise Invalid(f"Use either {kind}_as_list or {kind}_as_ids.")
        projects = self._identity.projects
        if "parents_as_list" in wanted:
            project["parents"] = self._visible(request, projects.parents(project["id"]))
        elif "parents_as_ids" in wanted:
            project["parents"] = projects.parents_as_ids(project["id"])
        if "subtree_as_list" in wanted:
            project["subtree"] = self._visible(request, projects.subtree(project["id"]))
        elif "subtree_as_ids" in wanted:
            project["subtree"] = projects.subtree_as_ids(project["id"])

    def _visible(self, request: Request[Token], found: Sequence[Record]) -> Sequence[Record]:
        own = {project["id"] for project in self._identity.assignments.projects_of(request.caller.user.id)}
        shown = self._identity.projects.with_tags([project for project in found if project["id"] in own])
        return [{"project": self._presenter.linked(request, "projects", shown_project(project))} for project in shown]

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/projects — one that is to be a domain becomes one."""
        project = member(request, "project", PROJECT_CREATE)
        if project.get("is_domain"):
            return self._create_domain(request, project)
        project["domain_id"] = project.get("domain_id") or home_domain(request.caller)
        created = self._identity.projects.create(project)
        return self._presenter.member(request, "project", "projects", shown_project(created), 201)

    def _create_domain(self, request: Request[Token], project: Record) -> Response:
        if project.get("parent_id") or project.get("domain_id"):
            raise Invalid("Only root projects are allowed to act as domains.")
        created = self._identity.domains.create(project)
        shown = shown_project(self._identity.projects.get(created["id"]))
        return self._presenter.member(request, "project", "projects", shown, 201)

    def update(self, request: Request[Token], project_id: str) -> Response:
        """PATCH /v3/projects/{project_id}"""
        changes = member(request, "project", PROJECT_UPDATE)
        updated = self._identity.projects.update(project_id, changes)
        return self._presenter.member(request, "project", "projects", shown_project(updated))

    def delete(self, request: Request[Token], project_id: str) -> Response:
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


class ProjectTags:
    def __init__(self, identity: Identity, presenter: Presenter) -> None:
        self._identity = identity
        self._presenter = presenter

    def list(self, request: Request[Token], project_id: str) -> Response:
        """GET /v3/projects/{project_id}/tags"""
        return self._shown(request, self._identity.projects.get(project_id)["tags"])

    def replace(self, request: Request[Token], project_id: str) -> Response:
        """PUT /v3/projects/{project_id}/tags"""
        tags = members(request, "tags", TAGS)
        return self._shown(request, self._identity.projects.set_tags(project_id, [str(tag) for tag in tags]))

    def clear(self, request: Request[Token], project_id: str) -> Response:
        """DELETE /v3/projects/{project_id}/tags"""
        self._identity.projects.set_tags(project_id, [])
        return done()

    def check(self, request: Request[Token], project_id: str, value: str) -> Response:
        """GET and HEAD /v3/projects/{project_id}/tags/{value}"""
        self._identity.projects.require_tag(project_id, value)
        return done()

    def add(self, request: Request[Token], project_id: str, value: str) -> Response:
        """PUT /v3/projects/{project_id}/tags/{value}"""
        TAG.check(value)
        self._identity.projects.add_tag(project_id, value)
        return Response(201, "", [("Location", self._presenter.self_url(request))])

    def remove(self, request: Request[Token], project_id: str, value: str) -> Response:
        """DELETE /v3/projects/{project_id}/tags/{value}"""
        self._identity.projects.remove_tag(project_id, value)
        return done()

    def _shown(self, request: Request[Token], tags: object) -> Response:
        return Response(200, {"tags": tags, "links": {"self": self._presenter.self_url(request)}})


_FIXED = ("id", "domain_id", "parent_id", "is_domain")
"""What a change of a domain may name and does not change."""


class Domains:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/domains"""
        token = request.caller
        listing = self._queries.read(request, ("name",), ("enabled",), none_is_all=True)
        if token.domain_id is not None:
            listing = listing.narrowed("id", token.domain_id)
        found = self._identity.domains.search(listing.filters, listing.page)
        return self._presenter.collection(request, "domains", [shown_domain(domain) for domain in found], listing)

    def show(self, request: Request[Token], domain_id: str) -> Response:
        """GET /v3/domains/{domain_id}"""
        domain = self._identity.domains.get(domain_id)
        return self._presenter.member(request, "domain", "domains", shown_domain(domain))

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/domains"""
        domain = member(request, "domain", DOMAIN_CREATE)
        created = self._identity.domains.create(domain, domain.pop("explicit_domain_id", None))
        return self._presenter.member(request, "domain", "domains", shown_domain(created), 201)

    def update(self, request: Request[Token], domain_id: str) -> Response:
        """PATCH /v3/domains/{domain_id}"""
        changes = {key: value for key, value in member(request, "domain", DOMAIN_UPDATE).items() if key not in _FIXED}
        updated = self._identity.domains.update(domain_id, changes)
        return self._presenter.member(request, "domain", "domains", shown_domain(updated))

    def delete(self, request: Request[Token], domain_id: str) -> Response:
        """DELETE /v3/domains/{domain_id}"""
        self._identity.domains.delete(domain_id)
        return done()


_COMPLIANCE = "security_compliance"


class DomainConfigs:
    """Of the three addresses (all, a group, an option) the lower ones bring `group` and `option`."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._configs = identity.domain_configs

    def show(
        self, request: Request[Token], domain_id: str, group: str | None = None, option: str | None = None
    ) -> Response:
        """GET /v3/domains/{domain_id}/config[/{group}[/{option}]]"""
        if group == _COMPLIANCE:
            return _shown(self._configs.security_compliance(domain_id == DEFAULT_DOMAIN, option))
        check_supported(group, option)
        self._identity.domains.get(domain_id)
        return _shown(self._configs.get(domain_id, group, option))

    def replace(self, request: Request[Token], domain_id: str) -> Response:
        """PUT /v3/domains/{domain_id}/config"""
        self._identity.domains.get(domain_id)
        existed = self._configs.exists(domain_id)
        return _shown(self._configs.replace(domain_id, _config(request)), 200 if existed else 201)

    def update(
        self, request: Request[Token], domain_id: str, group: str | None = None, option: str | None = None
    ) -> Response:
        """PATCH /v3/domains/{domain_id}/config[/{group}[/{option}]]"""
        self._identity.domains.get(domain_id)
        return _shown(self._configs.update(domain_id, _config(request), group, option))

    def delete(
        self, request: Request[Token], domain_id: str, group: str | None = None, option: str | None = None
    ) -> Response:
        """DELETE /v3/domains/{domain_id}/config[/{group}[/{option}]]"""
        self._identity.domains.get(domain_id)
        self._configs.delete(domain_id, group, option)
        return done()

    def default(self, request: Request[Token], group: str | None = None, option: str | None = None) -> Response:
        """GET /v3/domains/config[/{group}[/{option}]]/default"""
        return _shown(default(group, option))


def _config(request: Request[Token]) -> Any:
    return json_object(request).get("config", {})


def _shown(config: Record, status: int = 200) -> Response:
    return Response(status, {"config": config})


def domain_config_routes(identity: Identity) -> list[Route]:
    configs = DomainConfigs(identity)
    found = [Route("PUT", "/v3/domains/<domain_id>/config", configs.replace, "identity:create_domain_config")]
    for below in ("", "/<group>", "/<group>/<option>"):
        found.append(
            Route("GET", f"/v3/domains/config{below}/default", configs.default, "identity:get_domain_config_default")
        )
        path = f"/v3/domains/<domain_id>/config{below}"
        found += [
            Route(
                "GET",
                path,
                configs.show,
                ("identity:get_domain_config", "identity:get_security_compliance_domain_config"),
                targets.config_group,
            ),
            Route("PATCH", path, configs.update, "identity:update_domain_config"),
            Route("DELETE", path, configs.delete, "identity:delete_domain_config"),
        ]
    return found
