"""/v3/domains: the roots that own users, groups and projects."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import member
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas import DOMAIN_CREATE, DOMAIN_UPDATE
from appliance.api.identity_v3.views import shown_domain
from appliance.identity.service import Identity
from appliance.identity.token import Token


class Domains:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/domains"""
        token = request.caller
        listing = self._lists.read(request, ("name",), ("enabled",))
        if token.domain_id is not None:
            listing = listing.narrowed("id", token.domain_id)
        found = self._identity.domains.search(listing.filters, listing.page)
        return self._answers.collection(request, "domains", [shown_domain(domain) for domain in found], listing)

    def show(self, request: Request[Token], domain_id: str) -> Reply:
        """GET /v3/domains/{domain_id}"""
        domain = self._identity.domains.get(domain_id)
        return self._answers.member(request, "domain", "domains", shown_domain(domain))

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/domains"""
        domain = member(request, "domain", DOMAIN_CREATE)
        created = self._identity.domains.create(domain, domain.pop("explicit_domain_id", None))
        return self._answers.member(request, "domain", "domains", shown_domain(created), 201)

    def update(self, request: Request[Token], domain_id: str) -> Reply:
        """PATCH /v3/domains/{domain_id}"""
        changes = member(request, "domain", DOMAIN_UPDATE)
        updated = self._identity.domains.update(domain_id, changes)
        return self._answers.member(request, "domain", "domains", shown_domain(updated))

    def delete(self, request: Request[Token], domain_id: str) -> Reply:
        """DELETE /v3/domains/{domain_id}"""
        self._identity.domains.delete(domain_id)
        return done()
