"""Stored secrets and documents: credentials, EC2 credentials, OAuth consumers, policies."""

from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.identity_v3.delegation import refuse_delegated
from appliance.api.identity_v3.presentation import Presenter, QueryParser, done
from appliance.api.identity_v3.schemas import json_object, member
from appliance.api.identity_v3.schemas_catalog import (
    CONSUMER_CREATE,
    CONSUMER_UPDATE,
    CREDENTIAL_CREATE,
    CREDENTIAL_UPDATE,
    EC2_CREDENTIAL_CREATE,
    POLICY_CREATE,
    POLICY_UPDATE,
)
from appliance.api.identity_v3.targets import credential_target
from appliance.db.records import Record
from appliance.errors import NotFound
from appliance.identity.resources.credentials import EC2
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token


class Credentials:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/credentials — those that the caller may see: none, for a delegated token."""
        token = request.caller
        listing = self._queries.read(request, ("user_id", "type"))
        if not self._identity.allows(token, "identity:get_credential"):
            listing = listing.narrowed("user_id", token.user.id)
        found = [] if token.delegated else self._identity.credentials.search(listing.filters, listing.page)
        return self._presenter.collection(request, "credentials", found, listing)

    def show(self, request: Request[Token], credential_id: str) -> Response:
        """GET /v3/credentials/{credential_id}"""
        credential = self._identity.credentials.get(credential_id)
        refuse_delegated(request.caller)
        return self._presenter.member(request, "credential", "credentials", credential)

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/credentials"""
        credential = new_credential(request)
        refuse_delegated(request.caller)
        created = self._identity.credentials.create(credential)
        return self._presenter.member(request, "credential", "credentials", created, 201)

    def update(self, request: Request[Token], credential_id: str) -> Response:
        """PATCH /v3/credentials/{credential_id}"""
        changes = member(request, "credential", CREDENTIAL_UPDATE)
        current = self._identity.credentials.get(credential_id)
        refuse_delegated(request.caller)
        # A second time, as Keystone does: the caller must be allowed to do it to what it becomes, too.
        self._identity.enforce(request.caller, "identity:update_credential", credential_target({**current, **changes}))
        changed = self._identity.credentials.update(credential_id, changes)
        return self._presenter.member(request, "credential", "credentials", changed)

    def delete(self, request: Request[Token], credential_id: str) -> Response:
        """DELETE /v3/credentials/{credential_id}"""
        self._identity.credentials.get(credential_id)
        refuse_delegated(request.caller)
        self._identity.credentials.delete(credential_id)
        return done()


def new_credential(request: Request[Token]) -> Record:
    """What is sent to be made, checked: one for EC2 needs a project."""
    credential = member(request, "credential", CREDENTIAL_CREATE)
    if credential["type"] == EC2:
        EC2_CREDENTIAL_CREATE.check(credential)
    return credential


_SHOWN = ("user_id", "tenant_id", "access", "secret", "trust_id")


class Ec2Credentials:
    def __init__(self, identity: Identity, presenter: Presenter) -> None:
        self._identity = identity
        self._presenter = presenter

    def list(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}/credentials/OS-EC2"""
        refuse_delegated(request.caller)
        self._identity.users.get(user_id)
        found = [self._shown(request, credential) for credential in self._identity.ec2_credentials.of_user(user_id)]
        links = {"next": None, "self": self._presenter.self_url(request), "previous": None}
        return Response(200, {"credentials": found, "links": links})

    def create(self, request: Request[Token], user_id: str) -> Response:
        """POST /v3/users/{user_id}/credentials/OS-EC2"""
        refuse_delegated(request.caller)
        self._identity.users.get(user_id)
        project_id = str(json_object(request).get("tenant_id"))
        self._identity.projects.get(project_id)
        created = self._identity.ec2_credentials.create(user_id, project_id)
        return Response(201, {"credential": self._shown(request, created)})

    def show(self, request: Request[Token], user_id: str, access: str) -> Response:
        """GET /v3/users/{user_id}/credentials/OS-EC2/{access}"""
        self._identity.users.get(user_id)
        refuse_delegated(request.caller)
        credential = self._identity.ec2_credentials.get(access)
        return Response(200, {"credential": self._shown(request, credential)})

    def delete(self, request: Request[Token], user_id: str, access: str) -> Response:
        """DELETE /v3/users/{user_id}/credentials/OS-EC2/{access}"""
        self._identity.users.get(user_id)
        refuse_delegated(request.caller)
        self._identity.ec2_credentials.delete(access)
        return done()

    def _shown(self, request: Request[Token], credential: Record) -> Record:
        path = f"users/{credential['user_id']}/credentials/OS-EC2/{credential['access']}"
        return {
            **{key: credential[key] for key in _SHOWN},
            "links": {"self": self._presenter.url(request, path)},
        }


_PATH = "OS-OAUTH1/consumers"


class Consumers:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/OS-OAUTH1/consumers"""
        listing = self._queries.read(request, ())
        found = self._identity.consumers.search(listing.filters, listing.page)
        return self._presenter.collection(request, "consumers", found, listing, _PATH)

    def show(self, request: Request[Token], consumer_id: str) -> Response:
        """GET /v3/OS-OAUTH1/consumers/{consumer_id}"""
        return self._presenter.member(request, "consumer", _PATH, self._identity.consumers.get(consumer_id))

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/OS-OAUTH1/consumers — the one answer that shows the secret."""
        consumer: Any = json_object(request).get("consumer", {})
        CONSUMER_CREATE.check(consumer)
        created = self._identity.consumers.create(consumer.get("description"))
        return self._presenter.member(request, "consumer", _PATH, created, 201)

    def update(self, request: Request[Token], consumer_id: str) -> Response:
        """PATCH /v3/OS-OAUTH1/consumers/{consumer_id}"""
        changes: Any = json_object(request).get("consumer", {})
        CONSUMER_UPDATE.check(changes)
        return self._presenter.member(request, "consumer", _PATH, self._identity.consumers.update(consumer_id, changes))

    def delete(self, request: Request[Token], consumer_id: str) -> Response:
        """DELETE /v3/OS-OAUTH1/consumers/{consumer_id}"""
        self._identity.consumers.delete(consumer_id)
        return done()

    def access_tokens(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}/OS-OAUTH1/access_tokens"""
        return self._presenter.collection(request, "access_tokens", [])

    def access_token(self, request: Request[Token], user_id: str, access_token_id: str) -> Response:
        """GET /v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}"""
        raise NotFound("Access token not found")


class Policies:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/policies"""
        listing = self._queries.read(request, ("type",))
        found = self._identity.policies.search(listing.filters, listing.page)
        return self._presenter.collection(request, "policies", found, listing)

    def show(self, request: Request[Token], policy_id: str) -> Response:
        """GET /v3/policies/{policy_id}"""
        return self._presenter.member(request, "policy", "policies", self._identity.policies.get(policy_id))

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/policies"""
        policy = member(request, "policy", POLICY_CREATE)
        return self._presenter.member(request, "policy", "policies", self._identity.policies.create(policy), 201)

    def update(self, request: Request[Token], policy_id: str) -> Response:
        """PATCH /v3/policies/{policy_id}"""
        changes = member(request, "policy", POLICY_UPDATE)
        return self._presenter.member(request, "policy", "policies", self._identity.policies.update(policy_id, changes))

    def delete(self, request: Request[Token], policy_id: str) -> Response:
        """DELETE /v3/policies/{policy_id}"""
        self._identity.policies.delete(policy_id)
        return done()
