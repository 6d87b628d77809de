"""/v3/projects and /v3/domains, tags and domain configurations."""

from collections.abc import Sequence
from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3 import targets
from appliance.api.identity_v3.kit import Handlers, Resource, Rules
from appliance.api.identity_v3.presentation import Listing, asked, done, shown_domain, shown_project
from appliance.api.identity_v3.schemas import (
    ID_OR_NULL,
    OPTIONS,
    SHORT_TEXT_OR_NULL,
    SWITCH,
    TEXT_OR_NULL,
    Schema,
    bodies,
    json_object,
    members,
    name_of,
    pair,
)
from appliance.api.identity_v3.targets import home_domain
from appliance.db.identity.projects import Project, having_tags
from appliance.db.records import Condition, Record
from appliance.errors import Invalid
from appliance.identity.bootstrap import DEFAULT_DOMAIN
from appliance.identity.resources.domain_configs import check_supported, default
from appliance.identity.tokens.token import Token

_TAG = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^,/]*$"}
_TAGS = {"type": "array", "items": _TAG, "maxItems": 80, "uniqueItems": True}
_ONE_TAG = Schema(_TAG)
_ALL_TAGS = Schema(_TAGS)
_TAGS_SENT = Schema({"type": "array", "items": _TAG}, optional=True)
"""What is refused before the policy has its say: less than what is refused after it."""
_TAG_FILTERS = {
    "tags": (True, False),
    "tags-any": (False, False),
    "not-tags": (True, True),
    "not-tags-any": (False, True),
}


_PROJECT: dict[str, Any] = {
    "name": name_of(64),
    "description": TEXT_OR_NULL,
    "enabled": SWITCH,
    "domain_id": ID_OR_NULL,
    "is_domain": SWITCH,
    "tags": _TAGS,
    "options": OPTIONS,
}


class Projects(Resource[Project]):
    name = "project"
    frees = True
    new, _ = pair({**_PROJECT, "parent_id": ID_OR_NULL}, ["name"])
    changes = Schema({"type": "object", "properties": _PROJECT}, optional=True)
    filters = ("domain_id", "name", "parent_id")
    switches = ("enabled", "is_domain")
    domain_filter = "domain_id"
    none_is_all = True
    targets = {
        "list": targets.own_domain("domain_id"),
        "create": targets.new_project,
        **dict.fromkeys(("get", "update", "delete"), targets.project),
    }

    @property
    def rules(self) -> Rules[Project]:
        return self._identity.projects

    def listing(self, request: Request[Token]) -> Listing:
        listing = super().listing(request)
        return listing if listing.value("is_domain") is not None else listing.narrowed("is_domain", 0)

    def search(self, request: Request[Token], listing: Listing) -> Sequence[Project]:
        return self._identity.projects.search(listing.filters, listing.page, _tag_conditions(request))

    def present(self, request: Request[Token], row: Project) -> Record:
        return shown_project(row)

    def show(self, request: Request[Token], **parts: str) -> Response:
        """GET /v3/projects/{project_id}"""
        project = shown_project(self._identity.projects.get(parts["project_id"]))
        self._add_relatives(request, project)
        return self.member(request, project)

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

    def _visible(self, request: Request[Token], found: Sequence[Project]) -> Sequence[Record]:
        own = {
            project.id
            for project in self._identity.assignments.projects_of(request.caller.user.id, request.caller.idp_id)
        }
        shown = self._identity.projects.with_tags([project for project in found if project.id in own])
        return [{"project": self._presenter.linked(request, "projects", shown_project(project))} for project in shown]

    def make(self, request: Request[Token]) -> Project:
        """One that is to be a domain becomes one."""
        project: Record = request.sent
        if project.get("is_domain"):
            if project.get("parent_id") or project.get("domain_id"):
                raise Invalid("Only root projects are allowed to act as domains.")
            return self._identity.projects.get(self._identity.domains.create(project).id)
        project["domain_id"] = project.get("domain_id") or home_domain(request.caller)
        return self._identity.projects.create(project)

    def delete(self, request: Request[Token], **parts: str) -> Response:
        """DELETE /v3/projects/{project_id}"""
        project_id = parts["project_id"]
        if self._identity.projects.get(project_id).is_domain:
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


class ProjectTags(Handlers):
    def routes(self) -> list[Route]:
        every = "/v3/projects/<project_id>/tags"
        one = f"{every}/<value>"
        project = targets.project
        replaced = bodies("tags", _TAGS_SENT)
        return [
            Route("GET", every, self.list, "identity:list_project_tags", project),
            Route("PUT", every, self.replace, "identity:update_project_tags", project, reads=replaced),
            Route("DELETE", every, self.clear, "identity:delete_project_tags", project),
            Route("GET", one, self.check, "identity:get_project_tag", project, relation="project_tags"),
            Route("PUT", one, self.add, "identity:create_project_tag", project),
            Route("DELETE", one, self.remove, "identity:delete_project_tag", project),
        ]

    def list(self, request: Request[Token], project_id: str) -> Response:
        """GET /v3/projects/{project_id}/tags"""
        return self._shown(request, self._identity.projects.get(project_id).tags)

    def replace(self, request: Request[Token], project_id: str) -> Response:
        """PUT /v3/projects/{project_id}/tags"""
        tags = [str(tag) for tag in members(request, "tags", _ALL_TAGS)]
        return self._shown(request, self._identity.projects.set_tags(project_id, tags))

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
        _ONE_TAG.check(value)
        self._identity.projects.add_tag(project_id, value)
        return Response(201, "", [("Location", self._presenter.self_url(request))])

    def remove(self, request: Request[Token], project_id: str, value: str) -> Response:
        """DELETE /v3/projects/{project_id}/tags/{value}"""
        self._identity.projects.remove_tag(project_id, value)
        return done()

    def _shown(self, request: Request[Token], tags: object) -> Response:
        return Response(200, {"tags": tags, "links": {"self": self._presenter.self_url(request)}})


_DOMAIN: dict[str, Any] = {
    "name": name_of(64),
    "description": SHORT_TEXT_OR_NULL,
    "enabled": SWITCH,
    "tags": _TAGS,
    "options": OPTIONS,
}
_FIXED = ("id", "domain_id", "parent_id", "is_domain")
"""What a change of a domain may name and does not change."""


class Domains(Resource[Project]):
    name = "domain"
    frees = True
    new, _ = pair({**_DOMAIN, "explicit_domain_id": {"type": "string", "pattern": "^[a-fA-F0-9]{32}$"}}, ["name"])
    _, changes = pair(_DOMAIN, [])
    filters = ("name",)
    switches = ("enabled",)
    domain_filter = "id"
    none_is_all = True
    targets = {
        "list": targets.own_domain("domain.id"),
        "get": targets.domain,
        **dict.fromkeys(("update", "delete"), targets.known_domain),
    }

    @property
    def rules(self) -> Rules[Project]:
        return self._identity.domains

    def make(self, request: Request[Token]) -> Project:
        explicit_id = request.sent.pop("explicit_domain_id", None)
        return self._identity.domains.create(request.sent, explicit_id)

    def change(self, request: Request[Token], record_id: str) -> Project:
        changes = {name: value for name, value in request.sent.items() if name not in _FIXED}
        return self._identity.domains.update(record_id, changes)

    def present(self, request: Request[Token], row: Project) -> Record:
        return shown_domain(row)


_COMPLIANCE = "security_compliance"


class DomainConfigs(Handlers):
    """Of the three addresses (all, a group, an option) the lower ones bring `group` and `option`."""

    def routes(self) -> list[Route]:
        every = "/v3/domains/<domain_id>/config"
        found = [Route("PUT", every, self.replace, "identity:create_domain_config")]
        seen = ("identity:get_domain_config", "identity:get_security_compliance_domain_config")
        default = "identity:get_domain_config_default"
        for below, suffix in (("", ""), ("/<group>", "_group"), ("/<group>/<option>", "_option")):
            one, name = f"{every}{below}", f"domain_config{suffix}"
            its_default = f"/v3/domains/config{below}/default"
            found += [
                Route("GET", its_default, self.default, default, relation=f"domain_config_default{suffix}"),
                Route("GET", one, self.show, seen, targets.config_group, relation=name),
                Route("PATCH", one, self.update, "identity:update_domain_config"),
                Route("DELETE", one, self.delete, "identity:delete_domain_config"),
            ]
        return found

    def show(
        self, request: Request[Token], domain_id: str, group: str | None = None, option: str | None = None
    ) -> Response:
        """GET /v3/domains/{domain_id}/config[/{group}[/{option}]]"""
        if group == _COMPLIANCE:
            return _shown(self._identity.domain_configs.security_compliance(domain_id == DEFAULT_DOMAIN, option))
        check_supported(group, option)
        self._identity.domains.get(domain_id)
        return _shown(self._identity.domain_configs.get(domain_id, group, option))

    def replace(self, request: Request[Token], domain_id: str) -> Response:
        """PUT /v3/domains/{domain_id}/config"""
        self._identity.domains.get(domain_id)
        existed = self._identity.domain_configs.exists(domain_id)
        return _shown(self._identity.domain_configs.replace(domain_id, _config(request)), 200 if existed else 201)

    def update(
        self, request: Request[Token], domain_id: str, group: str | None = None, option: str | None = None
    ) -> Response:
        """PATCH /v3/domains/{domain_id}/config[/{group}[/{option}]]"""
        self._identity.domains.get(domain_id)
        return _shown(self._identity.domain_configs.update(domain_id, _config(request), group, option))

    def delete(
        self, request: Request[Token], domain_id: str, group: str | None = None, option: str | None = None
    ) -> Response:
        """DELETE /v3/domains/{domain_id}/config[/{group}[/{option}]]"""
        self._identity.domains.get(domain_id)
        self._identity.domain_configs.delete(domain_id, group, option)
        return done()

    def default(self, request: Request[Token], group: str | None = None, option: str | None = None) -> Response:
        """GET /v3/domains/config[/{group}[/{option}]]/default"""
        return _shown(default(group, option))


def _config(request: Request[Token]) -> Any:
    return json_object(request).get("config", {})


def _shown(config: Record, status: int = 200) -> Response:
    return Response(status, {"config": config})
