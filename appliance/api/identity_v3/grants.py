"""Grants: /v3/{projects,domains}/…/{users,groups}/…/roles/…, the same on the system, and inherited ones.

One class for them all, since they differ only in who, where and whether it is inherited.
"""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.service import Route
from appliance.db.grants import SYSTEM, Grant
from appliance.errors import NotFound
from appliance.identity.policy import NOTHING, Target
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
            Route("GET", roles, self.list, self._policy("list"), self._target),
            Route("GET", one, self.check, self._policy("check"), self._target),
            Route("PUT", one, self.add, self._policy("create"), self._target),
            Route("DELETE", one, self.remove, self._policy("revoke"), self._target_of_revoked),
        ]

    def _policy(self, doing: str) -> str:
        plural = "s" if doing == "list" else ""
        if self._target_type == "system":
            return f"identity:{doing}_system_grant{plural}_for_{self._actor_type}"
        return f"identity:{doing}_grant{plural}"

    def list(self, request: Request[Token], actor_id: str, target_id: str = SYSTEM) -> Reply:
        grant = self._grant(actor_id, target_id, "")
        return self._answers.collection(request, "roles", self._identity.grants.roles(grant))

    def check(self, request: Request[Token], actor_id: str, role_id: str, target_id: str = SYSTEM) -> Reply:
        grant = self._grant(actor_id, target_id, role_id)
        self._identity.grants.check(grant)
        return done()

    def add(self, request: Request[Token], actor_id: str, role_id: str, target_id: str = SYSTEM) -> Reply:
        grant = self._grant(actor_id, target_id, role_id)
        self._identity.grants.add(grant)
        return done()

    def remove(self, request: Request[Token], actor_id: str, role_id: str, target_id: str = SYSTEM) -> Reply:
        grant = self._grant(actor_id, target_id, role_id)
        self._identity.grants.remove(grant)
        return done()

    def _grant(self, actor_id: str, target_id: str, role_id: str) -> Grant:
        return Grant(self._actor_type, actor_id, self._target_type, target_id, role_id, self._inherited)

    def _target_of_revoked(self, identity: Identity, request: Request[Token], **parts: str) -> Target:
        """A grant can outlive its actor."""
        return self._target(identity, request, missing_actor=True, **parts)

    def _target(
        self,
        identity: Identity,
        request: Request[Token],
        actor_id: str,
        target_id: str = SYSTEM,
        role_id: str = "",
        missing_actor: bool = False,
    ) -> Target:
        """What the policies look at. Raises `NotFound` for what does not exist, as Keystone does here before them."""
        if self._target_type == "system":
            return NOTHING
        target: dict[str, str | None] = {}
        if role_id:
            role = identity.roles.get(role_id)
            target |= {"role.id": role["id"], "role.name": role["name"], "role.domain_id": role["domain_id"]}
        try:
            actor = identity.users if self._actor_type == "user" else identity.groups
            target[f"{self._actor_type}.domain_id"] = actor.get(actor_id)["domain_id"]
        except NotFound:
            if not missing_actor:
                raise
        if self._target_type == "domain":
            target["domain.id"] = identity.domains.get(target_id)["id"]
        else:
            target["project.domain_id"] = identity.projects.get(target_id)["domain_id"]
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
