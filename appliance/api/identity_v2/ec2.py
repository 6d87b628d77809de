"""EC2 credentials under v2.0: `/v2.0/users/…/credentials/OS-EC2` and `/v2.0/ec2tokens`."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v2.access import Access
from appliance.api.identity_v2.fields import required
from appliance.api.identity_v2.gate import Visitor
from appliance.api.identity_v2.tenants import find_tenant
from appliance.api.identity_v2.users import find_user
from appliance.api.identity_v3.bodies import json_object
from appliance.api.identity_v3.delegation import refuse_delegated
from appliance.db.records import Record
from appliance.errors import NotFound
from appliance.identity.ec2_signatures import check_ec2
from appliance.identity.service import Identity

_SHOWN = ("user_id", "tenant_id", "access", "secret", "trust_id")


class Ec2:
    def __init__(self, identity: Identity, access: Access) -> None:
        self._identity = identity
        self._access = access

    def list(self, request: Request[Visitor], user_id: str) -> Reply:
        """GET /v2.0/users/{user_id}/credentials/OS-EC2"""
        self._permit(request.caller, user_id)
        found = [_shown(credential) for credential in self._identity.ec2_credentials.of_user(user_id)]
        return Reply(200, {"credentials": found})

    def create(self, request: Request[Visitor], user_id: str) -> Reply:
        """POST /v2.0/users/{user_id}/credentials/OS-EC2"""
        self._permit(request.caller, user_id)
        tenant_id = required(json_object(request), "tenant_id", 64)
        find_tenant(self._identity, tenant_id)
        return Reply(200, {"credential": _shown(self._identity.ec2_credentials.create(user_id, tenant_id))})

    def show(self, request: Request[Visitor], user_id: str, access: str) -> Reply:
        """GET /v2.0/users/{user_id}/credentials/OS-EC2/{access}"""
        return Reply(200, {"credential": _shown(self._own(request.caller, user_id, access))})

    def delete(self, request: Request[Visitor], user_id: str, access: str) -> Reply:
        """DELETE /v2.0/users/{user_id}/credentials/OS-EC2/{access}"""
        self._own(request.caller, user_id, access)
        self._identity.ec2_credentials.delete(access)
        return Reply(204)

    def tokens(self, request: Request[Visitor]) -> Reply:
        """POST /v2.0/ec2tokens, for services: a signed request that leaked must not become a token by itself."""
        token = self._identity.ec2_authentication.authenticate(json_object(request), check_ec2)
        return Reply(200, self._access.document(request, token))

    def _permit(self, visitor: Visitor, user_id: str) -> None:
        """Raise `Forbidden` for what a delegated token may not touch, `NotFound` without such a user."""
        if visitor.token is not None:
            refuse_delegated(visitor.token)
        find_user(self._identity, user_id)

    def _own(self, visitor: Visitor, user_id: str, access: str) -> Record:
        """The user's credential, for somebody who may do this to it."""
        self._permit(visitor, user_id)
        credential = self._identity.ec2_credentials.get(access)
        if credential["user_id"] != user_id:
            raise NotFound("EC2 access key not found.")
        return credential


def _shown(credential: Record) -> Record:
    return {name: credential[name] for name in _SHOWN}
