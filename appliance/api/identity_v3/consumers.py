"""/v3/OS-OAUTH1/consumers. Nothing can be authorized for a consumer here, so nobody has handed out an access token."""

from typing import Any

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import json_object
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.schemas_catalog import CONSUMER_CREATE, CONSUMER_UPDATE
from appliance.errors import NotFound
from appliance.identity.service import Identity
from appliance.identity.token import Token

_PATH = "OS-OAUTH1/consumers"


class Consumers:
    def __init__(self, identity: Identity, answers: Answers, lists: Lists) -> None:
        self._identity = identity
        self._answers = answers
        self._lists = lists

    def list(self, request: Request[Token]) -> Reply:
        """GET /v3/OS-OAUTH1/consumers"""
        listing = self._lists.read(request, ())
        found = self._identity.consumers.search(listing.filters, listing.page)
        return self._answers.collection(request, "consumers", found, listing, _PATH)

    def show(self, request: Request[Token], consumer_id: str) -> Reply:
        """GET /v3/OS-OAUTH1/consumers/{consumer_id}"""
        return self._answers.member(request, "consumer", _PATH, self._identity.consumers.get(consumer_id))

    def create(self, request: Request[Token]) -> Reply:
        """POST /v3/OS-OAUTH1/consumers — the one answer that shows the secret."""
        consumer: Any = json_object(request).get("consumer", {})
        CONSUMER_CREATE.check(consumer)
        created = self._identity.consumers.create(consumer.get("description"))
        return self._answers.member(request, "consumer", _PATH, created, 201)

    def update(self, request: Request[Token], consumer_id: str) -> Reply:
        """PATCH /v3/OS-OAUTH1/consumers/{consumer_id}"""
        changes: Any = json_object(request).get("consumer", {})
        CONSUMER_UPDATE.check(changes)
        return self._answers.member(request, "consumer", _PATH, self._identity.consumers.update(consumer_id, changes))

    def delete(self, request: Request[Token], consumer_id: str) -> Reply:
        """DELETE /v3/OS-OAUTH1/consumers/{consumer_id}"""
        self._identity.consumers.delete(consumer_id)
        return done()

    def access_tokens(self, request: Request[Token], user_id: str) -> Reply:
        """GET /v3/users/{user_id}/OS-OAUTH1/access_tokens"""
        return self._answers.collection(request, "access_tokens", [])

    def access_token(self, request: Request[Token], user_id: str, access_token_id: str) -> Reply:
        """GET /v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}"""
        raise NotFound("Access token not found")
