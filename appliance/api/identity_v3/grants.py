"""Grants: /v3/{projects,domains}/…/{users,groups}/…/roles/…, the same on the system, and inherited ones.

One class for them all, since they differ only in who, where and whether it is inherited.
"""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.service import Route
from appliance.db.grants import SYSTEM, Grant
from appliance.errors import NotFound
from appliance.identity.service import Identity
from appliance.identity.token import Token

_INHERITED = "/inherited_to_projects"


class GrantsOf:
    """The grants of one kind of actor on one kind of target, inherited or not."""

    def __init__(
        self, identity: Identity, answers: Answers, actor_type: str, target_type: str, inherited: bool = False
    ) -> None:
        self._identity = identity
        self._answers = answers
        self._actor_type = actor_type
        self._target_type = target_type
        self._inherited = inherited

    def routes(self) -> list[Route]:
        """The four routes of this kind."""
        base = f"/v3/{self._target_type}s/<target_id>" if self._target_type != "system" else "/v3/system"
        roles = f"{base}/{self._actor_type}s/<actor_id>/roles"
        one = f"{roles}/<role_id>"
        if self._inherited:
            roles, one = (path.replace("/v3", "/v3/OS-INHERIT", 1) + _INHERITED for path in (roles, one))
        return [
            Route("GET", roles, self.list),
            Route("GET", one, self.check),
            Route("PUT", one, self.add),
            Route("DELETE", one, self.remove),
        ]

    def list(self, request: Request[Token], actor_id: str, target_id: str = SYSTEM) -> Reply:
        grant = self._grant(actor_id, target_id, "")
        self._enforce(request, grant, "list")
        return self._answers.collection(request, "roles", self._identity.grants.roles(grant))

    def check(self, request: Request[Token], actor_id: str, role_id: str, target_id: str = SYSTEM) -> Reply:
        grant = self._grant(actor_id, target_id, role_id)
        self._enforce(request, grant, "check")
        self._identity.grants.check(grant)
        return done()

    def add(self, request: Request[Token], actor_id: str, role_id: str, target_id: str = SYSTEM) -> Reply:
        grant = self._grant(actor_id, target_id, role_id)
        self._enforce(request, grant, "create")
        self._identity.grants.add(grant)
        return done()

    def remove(self, request: Request[Token], actor_id: str, role_id: str, target_id: str = SYSTEM) -> Reply:
        grant = self._grant(actor_id, target_id, role_id)
        self._enforce(request, grant, "revoke")
        self._identity.grants.remove(grant)
        return done()

    def _grant(self, actor_id: str, target_id: str, role_id: str) -> Grant:
        return Grant(self._actor_type, actor_id, self._target_type, target_id, role_id, self._inherited)

    def _enforce(self, request: Request[Token], grant: Grant, doing: str) -> None:
        if self._target_type == "system":
            plural = "s" if doing == "list" else ""
            self._identity.enforce(request.caller, f"{doing}_system_grant{plural}_for_{self._actor_type}")
            return
        action = "list_grants" if doing == "list" else f"{doing}_grant"
        self._identity.enforce(request.caller, action, self._target(grant, missing_actor=doing == "revoke"))

    def _target(self, grant: Grant, missing_actor: bool) -> dict[str, str | None]:
        """What the rules look at. Raises `NotFound` for what does not exist, as Keystone does here before any rule."""
        identity = self._identity
        target: dict[str, str | None] = {}
        if grant.role_id:
            role = identity.roles.get(grant.role_id)
            target |= {"role.id": role["id"], "role.name": role["name"], "role.domain_id": role["domain_id"]}
        try:
            actor = identity.users if grant.actor_type == "user" else identity.groups
            target[f"{grant.actor_type}.domain_id"] = actor.get(grant.actor_id)["domain_id"]
        except NotFound:
            if not missing_actor:
                raise
        if grant.target_type == "domain":
            target["domain.id"] = identity.domains.get(grant.target_id)["id"]
        else:
            target["project.domain_id"] = identity.projects.get(grant.target_id)["domain_id"]
        return target


def grant_routes(identity: Identity, answers: Answers) -> list[Route]:
    """Every kind of grant."""
    kinds = [GrantsOf(identity, answers, actor, "system") for actor in ("user", "group")]
    kinds += [
        GrantsOf(identity, answers, actor, target, inherited)
        for target in ("project", "domain")
        for actor in ("user", "group")
        for inherited in (False, True)
    ]
    return [route for kind in kinds for route in kind.routes()]
