"""/v2.0/tokens and OS-KSEC2: log-in, validation, and EC2 credentials."""

from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.identity_v3.credentials import SHOWN_OF_EC2
from appliance.api.identity_v3.delegation import refuse_delegated
from appliance.api.identity_v3.schemas import json_object
from appliance.api.legacy.identity_v2.access import Access, refuse_foreign
from appliance.api.legacy.identity_v2.dialect import Principal, document, required, text
from appliance.api.legacy.identity_v2.tenants import find_tenant, find_user
from appliance.db.records import Record
from appliance.errors import Gone, Invalid, NotFound, Unauthenticated
from appliance.identity.auth.ec2 import check_ec2
from appliance.identity.auth.scopes import TRUST
from appliance.identity.bootstrap import DEFAULT_DOMAIN
from appliance.identity.resources.credentials import Ec2Pair
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token

_DOMAIN = {"id": DEFAULT_DOMAIN}
_LONGEST_TOKEN = 8192
_LONGEST_PASSWORD = 65536


class Tokens:
    def __init__(self, identity: Identity, access: Access) -> None:
        self._identity = identity
        self._access = access

    def issue(self, request: Request[Principal]) -> Response:
        """POST /v2.0/tokens"""
        auth = document(request, "auth")
        try:
            token = self._identity.authentication.authenticate(_identity_of(auth), _scope_of(auth))
        except NotFound as error:
            raise Unauthenticated(str(error)) from error
        return Response(200, self._access.document(request, token))

    def show(self, request: Request[Principal], token_id: str) -> Response:
        """GET and HEAD /v2.0/tokens/{token_id}"""
        return Response(200, self._access.document(request, self._subject(request, token_id)))

    def endpoints(self, request: Request[Principal], token_id: str) -> Response:
        """GET /v2.0/tokens/{token_id}/endpoints"""
        catalog = self._access.catalog(request, self._subject(request, token_id))
        found = [
            {**endpoint, "name": service["name"], "type": service["type"]}
            for service in catalog
            for endpoint in service["endpoints"]
        ]
        return Response(200, {"endpoints": found, "endpoints_links": []})

    def revoke(self, request: Request[Principal], token_id: str) -> Response:
        """DELETE /v2.0/tokens/{token_id}"""
        self._identity.tokens.revoke(self._find(token_id))
        return Response(204)

    def gone(self, request: Request[Principal]) -> Response:
        """The list of revoked tokens, and the certificates of tokens that were signed with them."""
        raise Gone("PKI tokens are no more.")

    def _subject(self, request: Request[Principal], token_id: str) -> Token:
        """The token of the address, for a service or an admin to see."""
        subject = self._find(token_id)
        refuse_foreign(subject)
        credential = subject.application_credential
        if credential is not None and credential.access_rules:
            raise NotFound("The asking service can't know access rules.")
        belongs_to = request.arg("belongsTo")
        if belongs_to is not None and subject.project_id != belongs_to:
            raise Unauthenticated("The token belongs to another tenant.")
        return subject

    def _find(self, token_id: str) -> Token:
        try:
            return self._identity.tokens.validate(token_id)
        except Unauthenticated as error:
            raise NotFound("Could not find token.") from error


def _identity_of(auth: Record) -> Record:
    """`auth.identity` of today for what was shown. Raises `Invalid`."""
    shown: Any = auth.get("passwordCredentials")
    if isinstance(shown, dict):
        password = text(shown, "password", _LONGEST_PASSWORD)
        if password is None:
            raise Invalid("Expecting to find password in passwordCredentials.")
        name, user_id = text(shown, "username"), text(shown, "userId", 64)
        if not name and not user_id:
            raise Invalid("Expecting to find username or userId in passwordCredentials.")
        user = {"id": user_id} if user_id else {"name": name, "domain": _DOMAIN}
        return {"methods": ["password"], "password": {"user": {**user, "password": password}}}
    shown = auth.get("token")
    if isinstance(shown, dict):
        token = text(shown, "id", _LONGEST_TOKEN)
        if not token:
            raise Invalid("Expecting to find id in token.")
        return {"methods": ["token"], "token": {"id": token}}
    raise Invalid("Expecting to find passwordCredentials or token in auth.")


def _scope_of(auth: Record) -> Any:
    trust_id = text(auth, "trust_id", 64)
    if trust_id:
        return {TRUST: {"id": trust_id}}
    name, project_id = text(auth, "tenantName"), text(auth, "tenantId", 64)
    if name:
        return {"project": {"name": name, "domain": _DOMAIN}}
    return {"project": {"id": project_id}} if project_id else "unscoped"


class Ec2:
    def __init__(self, identity: Identity, access: Access) -> None:
        self._identity = identity
        self._access = access

    def list(self, request: Request[Principal], user_id: str) -> Response:
        """GET /v2.0/users/{user_id}/credentials/OS-EC2"""
        self._permit(request.caller, user_id)
        found = [_shown(credential) for credential in self._identity.ec2_credentials.of_user(user_id)]
        return Response(200, {"credentials": found})

    def create(self, request: Request[Principal], user_id: str) -> Response:
        """POST /v2.0/users/{user_id}/credentials/OS-EC2"""
        self._permit(request.caller, user_id)
        tenant_id = required(json_object(request), "tenant_id", 64)
        find_tenant(self._identity, tenant_id)
        return Response(200, {"credential": _shown(self._identity.ec2_credentials.create(user_id, tenant_id))})

    def show(self, request: Request[Principal], user_id: str, access: str) -> Response:
        """GET /v2.0/users/{user_id}/credentials/OS-EC2/{access}"""
        return Response(200, {"credential": _shown(self._own(request.caller, user_id, access))})

    def delete(self, request: Request[Principal], user_id: str, access: str) -> Response:
        """DELETE /v2.0/users/{user_id}/credentials/OS-EC2/{access}"""
        self._own(request.caller, user_id, access)
        self._identity.ec2_credentials.delete(access)
        return Response(204)

    def tokens(self, request: Request[Principal]) -> Response:
        """POST /v2.0/ec2tokens, for services: a signed request that leaked must not become a token by itself."""
        token = self._identity.ec2_authentication.authenticate(json_object(request), check_ec2)
        return Response(200, self._access.document(request, token))

    def _permit(self, principal: Principal, user_id: str) -> None:
        """Raise `Forbidden` for what a delegated token may not touch, `NotFound` without such a user."""
        if principal.token is not None:
            refuse_delegated(principal.token)
        find_user(self._identity, user_id)

    def _own(self, principal: Principal, user_id: str, access: str) -> Ec2Pair:
        """The user's credential, for somebody who may do this to it."""
        self._permit(principal, user_id)
        credential = self._identity.ec2_credentials.get(access)
        if credential.user_id != user_id:
            raise NotFound("EC2 access key not found.")
        return credential


def _shown(pair: Ec2Pair) -> Record:
    return {name: getattr(pair, name) for name in SHOWN_OF_EC2}
