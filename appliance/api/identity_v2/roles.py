"""`/v2.0/OS-KSADM/roles`, and who has which role in which tenant."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v2.fields import document, required
from appliance.api.identity_v2.gate import Visitor
from appliance.api.identity_v2.tenants import find_tenant
from appliance.api.identity_v2.users import find_user
from appliance.db.grants import Grant
from appliance.db.records import Filter, Record
from appliance.errors import Conflict, NotFound, NotSupported
from appliance.identity.service import Identity


class Roles:
    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def list(self, request: Request[Visitor]) -> Reply:
        """GET /v2.0/OS-KSADM/roles"""
        found = self._identity.roles.search([Filter("domain_id", None)])
        return Reply(200, {"roles": [_shown(role) for role in found]})

    def show(self, request: Request[Visitor], role_id: str) -> Reply:
        """GET /v2.0/OS-KSADM/roles/{role_id}"""
        return Reply(200, {"role": _shown(self._find(role_id))})

    def create(self, request: Request[Visitor]) -> Reply:
        """POST /v2.0/OS-KSADM/roles"""
        name = required(document(request, "role"), "name")
        return Reply(200, {"role": _shown(self._identity.member_role.create_role(name))})

    def delete(self, request: Request[Visitor], role_id: str) -> Reply:
        """DELETE /v2.0/OS-KSADM/roles/{role_id}"""
        self._find(role_id)
        self._identity.roles.delete(role_id)
        return Reply(204)

    def of_user(self, request: Request[Visitor], tenant_id: str, user_id: str) -> Reply:
        """GET /v2.0/tenants/{tenant_id}/users/{user_id}/roles"""
        self._check(tenant_id, user_id)
        found = self._identity.grants.roles(Grant("user", user_id, "project", tenant_id, ""))
        return Reply(200, {"roles": [_shown(role) for role in found]})

    def without_tenant(self, request: Request[Visitor], user_id: str) -> Reply:
        """GET /v2.0/users/{user_id}/roles: nobody has a role that is not in a tenant"""
        find_user(self._identity, user_id)
        return Reply(200, {"roles": []})

    def change_without_tenant(self, request: Request[Visitor], user_id: str, role_id: str) -> Reply:
        """PUT and DELETE /v2.0/users/{user_id}/roles/OS-KSADM/{role_id}"""
        raise NotSupported("User roles not supported: tenant_id required")

    def grant(self, request: Request[Visitor], tenant_id: str, user_id: str, role_id: str) -> Reply:
        """PUT /v2.0/tenants/{tenant_id}/users/{user_id}/roles/OS-KSADM/{role_id}"""
        role = self._find(role_id)
        self._check(tenant_id, user_id)
        grant = Grant("user", user_id, "project", tenant_id, role_id)
        if any(held["id"] == role_id for held in self._identity.grants.roles(grant)):
            raise Conflict(f"User {user_id} already has role {role_id} in tenant {tenant_id}.")
        self._identity.grants.add(grant)
        return Reply(200, {"role": _shown(role)})

    def revoke(self, request: Request[Visitor], tenant_id: str, user_id: str, role_id: str) -> Reply:
        """DELETE /v2.0/tenants/{tenant_id}/users/{user_id}/roles/OS-KSADM/{role_id}"""
        self._find(role_id)
        self._check(tenant_id, user_id)
        try:
            self._identity.grants.remove(Grant("user", user_id, "project", tenant_id, role_id))
        except NotFound as error:
            raise NotFound(f"Cannot remove role that has not been granted, {role_id}") from error
        return Reply(204)

    def _check(self, tenant_id: str, user_id: str) -> None:
        find_user(self._identity, user_id)
        find_tenant(self._identity, tenant_id)

    def _find(self, role_id: str) -> Record:
        role = self._identity.roles.get(role_id)
        if role["domain_id"] is not None:
            raise NotFound(f"Could not find role: {role_id}.")
        return role


def _shown(role: Record) -> Record:
    return {name: role[name] for name in ("id", "name", "domain_id")}
