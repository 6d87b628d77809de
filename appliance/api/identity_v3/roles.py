"""What roles imply, grants, and the list of role assignments."""

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3 import targets
from appliance.api.identity_v3.kit import Api, Handlers
from appliance.api.identity_v3.presentation import asked, done
from appliance.db.identity.grants import SYSTEM, Grant
from appliance.db.records import Record, attributes
from appliance.errors import Invalid, NotFound
from appliance.identity.policy.checks import Target
from appliance.identity.resources.assignments import Assignment, Wanted
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token


class ImpliedRoles(Handlers):
    def routes(self) -> list[Route]:
        every = "/v3/roles/<prior_role_id>/implies"
        one = f"{every}/<implied_role_id>"
        seen = ("identity:get_implied_role", "identity:check_implied_role")
        rules = "identity:list_role_inference_rules"
        known = targets.known_roles
        return [
            Route("GET", every, self.list, "identity:list_implied_roles", known, relation="implied_roles"),
            Route("GET", one, self.show, seen, targets.implied_role, relation="implied_role"),
            Route("PUT", one, self.create, "identity:create_implied_role", known),
            Route("DELETE", one, self.delete, "identity:delete_implied_role", known),
            Route("GET", "/v3/role_inferences", self.inferences, rules, relation="role_inferences"),
        ]

    def inferences(self, request: Request[Token]) -> Response:
        """GET /v3/role_inferences"""
        implied: dict[str, list[Record]] = {}
        for prior_id, implied_id in self._identity.implied_roles.every():
            implied.setdefault(prior_id, []).append(self._role(request, implied_id))
        found = [{"prior_role": self._role(request, prior), "implies": roles} for prior, roles in implied.items()]
        links = {"next": None, "self": self._presenter.self_url(request), "previous": None}
        return Response(200, {"role_inferences": found, "links": links})

    def list(self, request: Request[Token], prior_role_id: str) -> Response:
        """GET /v3/roles/{prior_role_id}/implies"""
        prior = self._role(request, prior_role_id)
        implies = [self._role(request, one) for one in self._identity.implied_roles.of(prior_role_id)]
        return self._inference(request, prior, implies)

    def show(self, request: Request[Token], prior_role_id: str, implied_role_id: str) -> Response:
        """GET and HEAD /v3/roles/{prior_role_id}/implies/{implied_role_id}; the latter says 204."""
        self._identity.implied_roles.require(prior_role_id, implied_role_id)
        if request.method == "HEAD":
            return done()
        return self._inference(request, self._role(request, prior_role_id), self._role(request, implied_role_id))

    def create(self, request: Request[Token], prior_role_id: str, implied_role_id: str) -> Response:
        """PUT /v3/roles/{prior_role_id}/implies/{implied_role_id}"""
        self._identity.implied_roles.create(prior_role_id, implied_role_id)
        prior, implied = self._role(request, prior_role_id), self._role(request, implied_role_id)
        return self._inference(request, prior, implied, 201)

    def delete(self, request: Request[Token], prior_role_id: str, implied_role_id: str) -> Response:
        """DELETE /v3/roles/{prior_role_id}/implies/{implied_role_id}"""
        self._identity.implied_roles.delete(prior_role_id, implied_role_id)
        return done()

    def _role(self, request: Request[Token], role_id: str) -> Record:
        role = self._identity.roles.get(role_id)
        return {
            "id": role_id,
            "name": role.name,
            "links": {"self": self._presenter.url(request, f"roles/{role_id}")},
        }

    def _inference(self, request: Request[Token], prior: Record, implies: object, status: int = 200) -> Response:
        inference = {"prior_role": prior, "implies": implies}
        return Response(status, {"role_inference": inference, "links": {"self": self._presenter.self_url(request)}})


_INHERITED = "/inherited_to_projects"


class GrantsOf(Handlers):
    """The grants of one kind of actor on one kind of target, inherited or not."""

    def __init__(self, api: Api, actor: str, target: str, inherited: bool = False) -> None:
        super().__init__(api)
        self._actor = actor
        self._on = target
        self._inherited = inherited

    def routes(self) -> list[Route]:
        base = f"/v3/{self._on}s/<{self._on}_id>" if self._on != "system" else "/v3/system"
        roles = f"{base}/{self._actor}s/<{self._actor}_id>/roles"
        one = f"{roles}/<role_id>"
        relation = f"{self._on}_{self._actor}_role"
        relations: tuple[str, ...] = (f"{relation}s", relation)
        if self._inherited:
            roles, one = (path.replace("/v3", "/v3/OS-INHERIT", 1) + _INHERITED for path in (roles, one))
            relations = tuple(f"OS-INHERIT:{name}_inherited_to_projects" for name in relations)
        if self._inherited and self._on == "project":
            # Keystone's document has the grants themselves but not their lists.
            relations = ("", relations[1])
        return [
            Route("GET", roles, self.list, self._policy("list"), self._target, relation=relations[0] or ()),
            Route("GET", one, self.check, self._policy("check"), self._target, relation=relations[1]),
            Route("PUT", one, self.add, self._policy("create"), self._target),
            Route("DELETE", one, self.remove, self._policy("revoke"), self._target_of_revoked),
        ]

    def _policy(self, doing: str) -> str:
        plural = "s" if doing == "list" else ""
        if self._on == "system":
            return f"identity:{doing}_system_grant{plural}_for_{self._actor}"
        return f"identity:{doing}_grant{plural}"

    def list(self, request: Request[Token], **parts: str) -> Response:
        found = self._identity.grants.roles(self._grant(parts))
        return self._presenter.collection(request, "roles", [attributes(role) for role in found])

    def check(self, request: Request[Token], **parts: str) -> Response:
        self._identity.grants.check(self._grant(parts))
        return done()

    def add(self, request: Request[Token], **parts: str) -> Response:
        self._identity.grants.add(self._grant(parts))
        return done()

    def remove(self, request: Request[Token], **parts: str) -> Response:
        self._identity.grants.remove(self._grant(parts))
        return done()

    def _grant(self, parts: Mapping[str, str]) -> Grant:
        """The grant that a path names, of any role if it names none."""
        actor_id, target_id = parts[f"{self._actor}_id"], parts.get(f"{self._on}_id", SYSTEM)
        return Grant(self._actor, actor_id, self._on, target_id, parts.get("role_id", ""), self._inherited)

    def _target_of_revoked(self, identity: Identity, request: Request[Token], **parts: str) -> Target:
        """A grant can outlive its actor."""
        return self._looked_up(self._grant(parts), missing_actor=True)

    def _target(self, identity: Identity, request: Request[Token], **parts: str) -> Target:
        return self._looked_up(self._grant(parts))

    def _looked_up(self, grant: Grant, *, missing_actor: bool = False) -> Target:
        """What the policies look at.

        Raises `NotFound` for what does not exist, as Keystone does here before them; not so for inherited grants.
        """
        identity = self._identity
        refused, lenient = nullcontext(), suppress(NotFound)
        target: dict[str, Any] = {}
        with lenient if self._inherited else refused:
            if grant.role_id:
                target["target.role"] = identity.roles.get(grant.role_id)
        with lenient if self._inherited or missing_actor else refused:
            actor = identity.users if self._actor == "user" else identity.groups
            target[f"target.{self._actor}"] = actor.get(grant.actor_id)
        with lenient if self._inherited else refused:
            if self._on == "domain":
                target["target.domain"] = identity.domains.get(grant.target_id)
            elif self._on == "project":
                target["target.project"] = identity.projects.get(grant.target_id)
        return target


def grants(api: Api) -> list[Handlers]:
    """Every kind of grant."""
    kinds: list[Handlers] = [GrantsOf(api, actor, "system") for actor in ("user", "group")]
    kinds += [
        GrantsOf(api, actor, target, inherited)
        for target in ("project", "domain")
        for actor in ("user", "group")
        for inherited in (False, True)
    ]
    return kinds


_INHERITED_TO = "OS-INHERIT:inherited_to"


class RoleAssignments(Handlers):
    def routes(self) -> list[Route]:
        policies = ("identity:list_role_assignments", "identity:list_role_assignments_for_tree")
        path, target, relation = "/v3/role_assignments", targets.listed_assignments, "role_assignments"
        return [Route("GET", path, self.list, policies, target, reads=_wanted, relation=relation)]

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/role_assignments"""
        found = self._identity.assignment_list.search(request.sent)
        domain_id = request.caller.domain_id
        if domain_id is not None:
            found = [one for one in found if self._domain_of(one) == domain_id]
        names = asked(request, "include_names")
        shown = [self._shown(request, one, names) for one in found]
        links = {"next": None, "self": self._presenter.self_url(request), "previous": None}
        return Response(200, {"role_assignments": [row for row in shown if row is not None], "links": links})

    def _domain_of(self, one: Assignment) -> str | None:
        if one.grant.target_type == "domain":
            return one.grant.target_id
        if one.grant.target_type != "project":
            return None
        return self._identity.projects.get(one.grant.target_id).domain_id

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
        shown: Record = {"id": role_id, "name": role.name}
        if role.domain_id is not None:
            shown["domain"] = self._domain(role.domain_id)
        return shown

    def _actor(self, kind: str, actor_id: str, names: bool) -> Record:
        if not names:
            return {"id": actor_id}
        actor = (self._identity.users if kind == "user" else self._identity.groups).get(actor_id)
        return {"id": actor_id, "name": actor.name, "domain": self._domain(actor.domain_id)}

    def _scope(self, kind: str, target_id: str, names: bool) -> Record:
        if kind == "system":
            return {"system": {"all": True}}
        if not names:
            return {kind: {"id": target_id}}
        if kind == "domain":
            return {"domain": self._domain(target_id)}
        project = self._identity.projects.get(target_id)
        domain = self._domain(project.domain)
        return {"project": {"id": target_id, "name": project.name, "domain": domain}}

    def _domain(self, domain_id: str) -> Record:
        return {"id": domain_id, "name": self._identity.domains.get(domain_id).name}

    def _links(self, request: Request[Token], one: Assignment) -> dict[str, str]:
        """Links to the grant that is behind the row. The prior role's link names the roles in Keystone's order."""
        grant = one.grant
        links: dict[str, str] = {}
        target_type, target_id = one.via_target or (grant.target_type, grant.target_id)
        path = "system" if target_type == "system" else f"{target_type}s/{target_id}"
        if one.via_group is not None:
            links["membership"] = self._presenter.url(request, f"groups/{one.via_group}/users/{grant.actor_id}")
            path += f"/groups/{one.via_group}"
        else:
            path += f"/{grant.actor_type}s/{grant.actor_id}"
        path += f"/roles/{one.via_role or grant.role_id}"
        if grant.inherited or one.via_target is not None:
            path = f"OS-INHERIT/{path}/inherited_to_projects"
        links["assignment"] = self._presenter.url(request, path)
        if one.via_role is not None:
            prior = f"prior_role/{grant.role_id}/implies/{one.via_role}"
            links["prior_role"] = self._presenter.url(request, prior)
        return links


def _wanted(request: Request[Token]) -> Wanted:
    """What the query asks for. Raises `Invalid` for one that Keystone refuses before its policy."""
    for name in ("group.id", "role.id", "scope.domain.id", "scope.project.id"):
        if "" in request.args(name):
            raise Invalid(f"Invalid input for field '{name}': it must not be empty.")
    if request.args("include_subtree") and not request.args("scope.project.id"):
        raise Invalid("scope.project.id must be specified if include_subtree is also specified.")
    asked_for = dict(reversed(request.query))  # Of a repeated one, the first counts.
    inherited_to = asked_for.get(f"scope.{_INHERITED_TO}")
    return Wanted(
        user_id=asked_for.get("user.id"),
        group_id=asked_for.get("group.id"),
        role_id=asked_for.get("role.id"),
        project_id=asked_for.get("scope.project.id"),
        domain_id=asked_for.get("scope.domain.id"),
        system=asked_for.get("scope.system") == "all",
        inherited=None if inherited_to is None else inherited_to == "projects",
        effective=asked(request, "effective"),
        include_subtree=asked(request, "include_subtree"),
    )
