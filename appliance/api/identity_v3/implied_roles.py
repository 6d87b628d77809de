"""/v3/roles/…/implies and /v3/role_inferences: which role brings which with it."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.db.records import Record
from appliance.identity.service import Identity
from appliance.identity.token import Token


class ImpliedRoles:
    def __init__(self, identity: Identity, answers: Answers) -> None:
        self._identity = identity
        self._answers = answers

    def inferences(self, request: Request[Token]) -> Reply:
        """GET /v3/role_inferences"""
        implied: dict[str, list[Record]] = {}
        for prior_id, implied_id in self._identity.implied_roles.every():
            implied.setdefault(prior_id, []).append(self._role(request, implied_id))
        found = [{"prior_role": self._role(request, prior), "implies": roles} for prior, roles in implied.items()]
        links = {"next": None, "self": self._answers.self_url(request), "previous": None}
        return Reply(200, {"role_inferences": found, "links": links})

    def list(self, request: Request[Token], role_id: str) -> Reply:
        """GET /v3/roles/{role_id}/implies"""
        prior = self._role(request, role_id)
        implies = [self._role(request, one) for one in self._identity.implied_roles.of(role_id)]
        return self._inference(request, prior, implies)

    def show(self, request: Request[Token], role_id: str, implied_role_id: str) -> Reply:
        """GET and HEAD /v3/roles/{role_id}/implies/{implied_role_id}; the latter says 204."""
        self._identity.implied_roles.require(role_id, implied_role_id)
        if request.method == "HEAD":
            return done()
        return self._inference(request, self._role(request, role_id), self._role(request, implied_role_id))

    def create(self, request: Request[Token], role_id: str, implied_role_id: str) -> Reply:
        """PUT /v3/roles/{role_id}/implies/{implied_role_id}"""
        self._identity.implied_roles.create(role_id, implied_role_id)
        prior, implied = self._role(request, role_id), self._role(request, implied_role_id)
        return self._inference(request, prior, implied, 201)

    def delete(self, request: Request[Token], role_id: str, implied_role_id: str) -> Reply:
        """DELETE /v3/roles/{role_id}/implies/{implied_role_id}"""
        self._identity.implied_roles.delete(role_id, implied_role_id)
        return done()

    def _role(self, request: Request[Token], role_id: str) -> Record:
        role = self._identity.roles.get(role_id)
        return {"id": role_id, "name": role["name"], "links": {"self": self._answers.url(request, f"roles/{role_id}")}}

    def _inference(self, request: Request[Token], prior: Record, implies: object, status: int = 200) -> Reply:
        inference = {"prior_role": prior, "implies": implies}
        return Reply(status, {"role_inference": inference, "links": {"self": self._answers.self_url(request)}})
