"""/v3/role_assignments: who has which role where, and by what way."""

from typing import Any

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers
from appliance.api.identity_v3.listing import asked
from appliance.db.records import Record
from appliance.errors import Invalid, NotFound
from appliance.identity.assignment_list import Assignment, Wanted
from appliance.identity.service import Identity
from appliance.identity.token import Token

_INHERITED_TO = "OS-INHERIT:inherited_to"


class RoleAssignments:
    def __init__(self, identity: Identity, answers: Answers) -> None:
        self._identity = identity
        self._answers = answers

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/role_assignments"""
        wanted = _wanted(request)
        if wanted.include_subtree and not wanted.project_id:
            raise Invalid("scope.project.id must be specified if include_subtree is also specified.")
        found = self._identity.assignment_list.search(wanted)
        domain_id = request.caller.domain_id
        if domain_id is not None:
            found = [one for one in found if self._domain_of(one) == domain_id]
        names = asked(request, "include_names")
        shown = [self._shown(request, one, names) for one in found]
        links = {"next": None, "self": self._answers.self_url(request), "previous": None}
        return Reply(200, {"role_assignments": [row for row in shown if row is not None], "links": links})

    def _domain_of(self, one: Assignment) -> str | None:
        if one.grant.target_type == "domain":
            return one.grant.target_id
        if one.grant.target_type != "project":
            return None
        domain_id: str | None = self._identity.projects.get(one.grant.target_id)["domain_id"]
        return domain_id

    def _shown(self, request: Request[Token], one: Assignment, names: bool) -> Record | None:
        """One row; None if what it names has just been deleted."""
        grant = one.grant
        try:
            row: dict[str, Any] = {
                "role": self._role(grant.role_id, names),
                grant.actor_type: self._actor(grant.actor_type, grant.actor_id, names),
                "scope": self._scope(grant.target_type, grant.target_id, names),
                "links": self._links(request, one),
            }
        except NotFound:
            return None
        if grant.inherited or one.via_target is not None:
            row["scope"][_INHERITED_TO] = "projects"
        return row

    def _role(self, role_id: str, names: bool) -> Record:
        if not names:
            return {"id": role_id}
        role = self._identity.roles.get(role_id)
        shown: Record = {"id": role_id, "name": role["name"]}
        if role["domain_id"] is not None:
            shown["domain"] = self._domain(role["domain_id"])
        return shown

    def _actor(self, kind: str, actor_id: str, names: bool) -> Record:
        if not names:
            return {"id": actor_id}
        actor = (self._identity.users if kind == "user" else self._identity.groups).get(actor_id)
        return {"id": actor_id, "name": actor["name"], "domain": self._domain(actor["domain_id"])}

    def _scope(self, kind: str, target_id: str, names: bool) -> Record:
        if kind == "system":
            return {"system": {"all": True}}
        if not names:
            return {kind: {"id": target_id}}
        if kind == "domain":
            return {"domain": self._domain(target_id)}
        project = self._identity.projects.get(target_id)
        domain = self._domain(project["domain_id"] or project["id"])
        return {"project": {"id": target_id, "name": project["name"], "domain": domain}}

    def _domain(self, domain_id: str) -> Record:
        return {"id": domain_id, "name": self._identity.domains.get(domain_id)["name"]}

    def _links(self, request: Request[Token], one: Assignment) -> dict[str, str]:
        """Links to the grant that is behind the row. The prior role's link names the roles in Keystone's order."""
        grant = one.grant
        links: dict[str, str] = {}
        target_type, target_id = one.via_target or (grant.target_type, grant.target_id)
        path = "system" if target_type == "system" else f"{target_type}s/{target_id}"
        if one.via_group is not None:
            links["membership"] = self._answers.url(request, f"groups/{one.via_group}/users/{grant.actor_id}")
            path += f"/groups/{one.via_group}"
        else:
            path += f"/{grant.actor_type}s/{grant.actor_id}"
        path += f"/roles/{one.via_role or grant.role_id}"
        if grant.inherited or one.via_target is not None:
            path = f"OS-INHERIT/{path}/inherited_to_projects"
        links["assignment"] = self._answers.url(request, path)
        if one.via_role is not None:
            prior = f"prior_role/{grant.role_id}/implies/{one.via_role}"
            links["prior_role"] = self._answers.url(request, prior)
        return links


def _wanted(request: Request[Token]) -> Wanted:
    inherited_to = request.arg(f"scope.{_INHERITED_TO}")
    return Wanted(
        user_id=request.arg("user.id"),
        group_id=request.arg("group.id"),
        role_id=request.arg("role.id"),
        project_id=request.arg("scope.project.id"),
        domain_id=request.arg("scope.domain.id"),
        system=bool(request.arg("scope.system")),
        inherited=None if inherited_to is None else inherited_to == "projects",
        effective=asked(request, "effective"),
        include_subtree=asked(request, "include_subtree"),
    )
