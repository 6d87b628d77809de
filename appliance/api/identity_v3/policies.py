"""/v3/policies: policies, which are only kept."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas_catalog import POLICY_CREATE, POLICY_UPDATE
from appliance.identity.service import Identity
from appliance.identity.token import Token


class Policies:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/policies"""
        listing = self._lists.read(request, ("type",))
        found = self._identity.policies.search(listing.filters, listing.page)
        return self._answers.collection(request, "policies", found, listing)

    def show(self, request: Request[Token], policy_id: str) -> Reply:
        """GET /v3/policies/{policy_id}"""
        return self._answers.member(request, "policy", "policies", self._identity.policies.get(policy_id))

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/policies"""
        policy = member(request, "policy", POLICY_CREATE)
        return self._answers.member(request, "policy", "policies", self._identity.policies.create(policy), 201)

    def update(self, request: Request[Token], policy_id: str) -> Reply:
        """PATCH /v3/policies/{policy_id}"""
        changes = member(request, "policy", POLICY_UPDATE)
        return self._answers.member(request, "policy", "policies", self._identity.policies.update(policy_id, changes))

    def delete(self, request: Request[Token], policy_id: str) -> Reply:
        """DELETE /v3/policies/{policy_id}"""
        self._identity.policies.delete(policy_id)
        return done()
